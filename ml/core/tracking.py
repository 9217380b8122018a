"""The one door to MLflow: experiments, runs, registered models and their aliases.

Locally the store is SQLite with a folder of artifacts beside it, below the warehouse's `ops`; elsewhere it is what
`mlflow` and `mlflow_registry` in conf/ name (`databricks` and `databricks-uc`, for example). A registered model is the
family and the shop, `segment-online_retail`, behind the prefix that conf/ may name.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import matplotlib as mpl
import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.data.delta_dataset_source import DeltaDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from mlflow.tracking.context.registry import resolve_tags

import ml.loader
from lakehouse.errors import LakehouseError, UsageError
from lakehouse.settings import Settings
from lakehouse.store.lake import Lake
from ml.core import manifest
from ml.core.experiment import Trained

mpl.use("agg")

logger = logging.getLogger("shoplake")

FILES = "files"
FOLDER = "ops/mlflow"
DATABASE = "mlflow.db"
NOTE = "mlflow.note.content"
"""The tag that MLflow shows as the description of an experiment or a run."""

# Where MLflow keeps the addresses of artifacts (mlflow.store, its tables), absolute ones.
ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)


def address(warehouse: Path, settings: Settings) -> str:
    """The address of a warehouse's MLflow store, as MLflow understands it."""
    return settings.mlflow or f"sqlite:///{_folder(warehouse) / DATABASE}"


def _folder(warehouse: Path) -> Path:
    return warehouse / FOLDER


def _follow(database: Path, artifacts: str) -> None:
    """Let the store of a warehouse that was moved or copied read and write its files where they are now."""
    below = f"/{FOLDER}/artifacts/"
    with closing(sqlite3.connect(database)) as store, store:
        kept = [location for (location,) in store.execute("SELECT artifact_location FROM experiments")]
        roots = {location.partition(below)[0] + below for location in kept if below in (location or "")}
        for elsewhere in roots - {f"{artifacts}/"}:
            for table, column in ADDRESSES:
                store.execute(
                    f"UPDATE {table} SET {column} = replace({column}, ?, ?)",
                    (elsewhere, f"{artifacts}/"),
                )


class StoreError(LakehouseError):
    """The MLflow store cannot be read or written. Exit code 1."""


class _Versioned(MetaDataset):
    """A Delta table at a version, as the input of a run."""

    @property
    def profile(self) -> None:
        """Nothing is measured: the version says it all."""


class Store:
    """The MLflow store of a warehouse.

    One that is there is opened at once. A new one is made when something is first written to it, so that a training
    that fails leaves none behind; until then it has no models.
    """

    def __init__(self, lake: Lake) -> None:
        self._quiet()
        self._folder = _folder(lake.warehouse)
        self.uri = address(lake.warehouse, lake.settings)
        self._registry = lake.settings.mlflow_registry or self.uri
        self._experiment_prefix = lake.settings.experiment_prefix
        self._model_prefix = lake.settings.model_prefix
        self._key = lake.pseudonym_key
        self.artifacts = None if lake.settings.mlflow else (self._folder / "artifacts").as_uri()
        if self.is_there:
            _ = self._client

    @property
    def is_there(self) -> bool:
        """Whether there is anything to read."""
        return self.artifacts is None or (self._folder / DATABASE).exists()

    @cached_property
    def _client(self) -> MlflowClient:
        """The way in; a store that is not there yet is made."""
        if self.artifacts:
            self._folder.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self._registry)
        try:
            client = MlflowClient(self.uri, self._registry)
            client.search_experiments(max_results=1)
            if self.artifacts:
                _follow(self._folder / DATABASE, self.artifacts)
        except Exception as error:
            first = next(iter(str(error).splitlines()), type(error).__name__)
            raise StoreError(
                f"the MLflow store {self.uri} cannot be opened ({first}); move it away to start a new one, or name "
                "another as `mlflow` in conf/"
            ) from error
        return client

    @staticmethod
    def _quiet() -> None:
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module=r"mlflow\..*")

    # --- runs ---------------------------------------------------------------------------------------------------------

    def log(
        self,
        family: str,
        name: str,
        trained: Trained,
        sources: Mapping[str, tuple[str, int]],
        tags: Mapping[str, str],
        started: datetime,
        meaning: str,
    ) -> str:
        """Log a training that began at `started` as a parent run with nested runs; returns the run's id.

        `sources` names the Delta tables that it read: table -> (folder, version). `meaning` is what the family is for.
        """
        experiment = self._experiment(family, meaning)
        milliseconds = int(started.timestamp() * 1000)
        made = self._client.create_run(experiment, milliseconds, resolve_tags(dict(tags)), name)
        with mlflow.start_run(made.info.run_id):
            mlflow.log_params({key: str(value) for key, value in trained.params.items()})
            mlflow.log_metrics({key: float(value) for key, value in trained.metrics.items()})
            for table, (folder, version) in sources.items():
                source = DeltaDatasetSource(path=folder, delta_table_version=version)
                mlflow.log_input(_Versioned(source, name=f"{table}@v{version}"), context="training")
            for title, figure in trained.figures.items():
                mlflow.log_figure(figure, f"plots/{title}.png")
            for trial in trained.trials:
                with mlflow.start_run(run_name=trial.name, nested=True):
                    mlflow.log_params({key: str(value) for key, value in trial.params.items()})
                    mlflow.log_metrics({key: float(value) for key, value in trial.metrics.items()})
        run_id: str = made.info.run_id
        return run_id

    def _experiment(self, family: str, meaning: str) -> str:
        name = self._experiment_prefix + family
        if self._client.get_experiment_by_name(name) is None:
            self._client.create_experiment(name, artifact_location=self.artifacts and f"{self.artifacts}/{family}")
        found: str = mlflow.set_experiment(name).experiment_id
        self._client.set_experiment_tag(found, NOTE, meaning)
        return found

    def register(self, family: str, name: str, trained: Trained, run_id: str) -> int:
        """Log the model to its run and register it; returns the version.

        It is kept as plain files that our own code reads, so that loading it runs nothing that was pickled.
        """
        with mlflow.start_run(run_id=run_id), TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            files = Path(folder) / FILES
            trained.model.save(files)
            signature = manifest.seal(files, self._key())
            info = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(Path(ml.loader.__file__)),
                model_config={"family": family},
                artifacts={FILES: str(files)},
                signature=infer_signature(trained.example, trained.model.predict(trained.example)),
                input_example=trained.example,
                pip_requirements=["shoplake"],
            )
        # By the client, because mlflow.register_model writes to the screen.
        if not self._is_registered(name):
            self._client.create_registered_model(self._full(name))
        tags = {manifest.TAG: signature}
        made = self._client.create_model_version(
            self._full(name), info.model_uri, info.run_id, tags, model_id=info.model_id
        )
        return int(made.version)

    def decided(self, name: str, version: int, run_id: str, meaning: str, says: str) -> None:
        """Write down what was decided about a version: where the UI lists runs, versions and models, it says so.

        `meaning` is what the model is for, `says` the decision with the ratio to the baseline.
        """
        self._client.set_tag(run_id, "decision", says)
        self._client.set_tag(run_id, NOTE, says)
        self._client.update_model_version(self._full(name), str(version), says)
        self._client.update_registered_model(self._full(name), f"{meaning}\n\nNewest, version {version}: {says}")

    # --- registry -----------------------------------------------------------------------------------------------------

    def _full(self, name: str) -> str:
        """A model's name as the registry knows it."""
        return self._model_prefix + name

    def _is_registered(self, name: str) -> bool:
        """Whether there is such a model; asked for by its name, because Unity Catalog searches for none."""
        try:
            self._client.get_registered_model(self._full(name))
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"):
                return False
            raise
        return True

    def alias(self, name: str, alias: str) -> ModelVersion | None:
        """The version that an alias names, or None."""
        if not self.is_there:
            return None
        try:
            return self._client.get_model_version_by_alias(self._full(name), alias)
        except MlflowException:
            return None

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Let an alias name a version."""
        self._client.set_registered_model_alias(self._full(name), alias, str(version))

    def drop_alias(self, name: str, alias: str) -> None:
        """Let an alias name nothing."""
        self._client.delete_registered_model_alias(self._full(name), alias)

    def versions(self, name: str) -> list[ModelVersion]:
        """All versions of a model, oldest first."""
        if not self.is_there:
            return []
        found = self._client.search_model_versions(f"name = '{self._full(name)}'")
        return sorted(found, key=lambda version: int(version.version))

    def names(self) -> list[str]:
        """All registered models of this store's prefix, without it."""
        if not self.is_there:
            return []
        found = (model.name for model in self._client.search_registered_models())
        return sorted(n.removeprefix(self._model_prefix) for n in found if n.startswith(self._model_prefix))

    def measured(self, run_id: str) -> tuple[dict[str, float], dict[str, str]]:
        """The metrics and the tags of a run."""
        data = self._client.get_run(run_id).data
        return dict(data.metrics), dict(data.tags)

    @contextmanager
    def files(self, name: str, version: int) -> Iterator[Path]:
        """The folder of a version's own files, which are those that were registered.

        A version whose files are gone is a `StoreError`, one whose files were changed is `ModelDamaged`.
        """
        with TemporaryDirectory() as folder:
            try:
                tags = self._client.get_model_version(self._full(name), str(version)).tags
                found = mlflow.artifacts.download_artifacts(f"models:/{self._full(name)}/{version}", dst_path=folder)
            except Exception as error:
                first = next(iter(str(error).splitlines()), type(error).__name__)
                raise StoreError(f"{name} version {version} cannot be read ({first}); train again") from error
            files, model = Path(found) / "artifacts" / FILES, f"{name} version {version}"
            if not manifest.check(model, files, self._key(), tags.get(manifest.TAG)):
                logger.warning(
                    "%s was registered without a manifest: whether its files were changed is not known", model
                )
            yield files

    def example(self, name: str, version: int) -> pd.DataFrame:
        """The input example of a version."""
        model = mlflow.pyfunc.load_model(f"models:/{self._full(name)}/{version}")
        example: pd.DataFrame | None = model.input_example
        if example is None:
            raise UsageError(f"{name} version {version} was logged without an input example; train again")
        return example


def evidence_tags(measure: str, window: str, ratios: Mapping[str, Any]) -> dict[str, str]:
    """Evidence as tags, so that the UI shows it beside each run."""
    return {"evidence.measure": measure, "evidence.window": window} | {
        f"evidence.{name}": str(ratio) for name, ratio in ratios.items() if ratio is not None
    }
