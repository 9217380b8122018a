"""How MLflow loads a model of ours: it runs this file, which reads the model's own files by our own code.

So `mlflow.pyfunc.load_model("models:/segment-online_retail@champion")` works wherever Shoplake is installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class Loaded(PythonModel):
    """A model of the family that `model_config` names."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the model's files."""
        from ml.families import load

        self._model = load(context.model_config["family"], Path(context.artifacts["files"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:  # noqa: ARG002 - the interface's
        """The family's predictions."""
        return self._model.predict(model_input)


mlflow.models.set_model(Loaded())
