"""A family of models as declared: what it reads, what it writes, how it is trained, loaded and evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from matplotlib.figure import Figure
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare.table import Filter, Read, Table
from ml.core.evidence import Evidence


class Model(Protocol):
    """A trained model: plain files in a folder, and predictions of one frame from another."""

    def save(self, folder: Path) -> None:
        """Write the model into a folder."""

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Predictions for the rows of a frame."""


@dataclass(frozen=True)
class Trial:
    """One of the things that were tried on the way to a model: a fold, a member, a number of clusters."""

    name: str
    params: Mapping[str, Any]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Trained:
    """What a training brings. `example` is a small input of the model; figures are named like their files."""

    model: Model
    evidence: Evidence
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    example: pd.DataFrame
    trials: tuple[Trial, ...] = ()
    figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class Served:
    """The model that scores, as the scored tables name it. Version 0 is the plain baseline.

    `cache` keeps what several scored tables of one scoring are made from, so that it is computed once.
    """

    model: Any
    version: int
    label: str
    run_id: str | None = None
    cache: dict[str, Any] = field(default_factory=dict)

    def stamp(self, rows: DataFrame) -> DataFrame:
        """The rows with the columns that say which model made them."""
        return rows.withColumns({"model": F.lit(self.label), "model_run": F.lit(self.run_id)})


Frames = Mapping[str, DataFrame]


@dataclass(frozen=True)
class Earlier:
    """The models that a shop has already, each None where there is none that can be read.

    A new one is compared with the `champion`; `newest` reads the one that was trained last, champion or not, whose
    work need not be done again.
    """

    champion: Model | None = None
    newest: Callable[[], Model | None] = lambda: None


@dataclass(frozen=True)
class Output:
    """A scored table, and the function that makes its rows with a model from the tables that the experiment reads."""

    table: Table
    build: Callable[[Served, Frames], DataFrame]


@dataclass(frozen=True)
class Experiment:
    """A family of models; each shop has its own model of it.

    `train` gets the tables that it reads (by short name, of one shop), the models that there are, and a seed; it
    raises `UsageError` where there is too little to learn from. The first read is the one whose rows the accounts of
    the scored tables start from, less `filters`.
    """

    name: str
    meaning: str
    reads: tuple[Read, ...]
    outputs: tuple[Output, ...]
    train: Callable[[Frames, Earlier, int], Trained]
    load: Callable[[Path], Model]
    baseline: Model
    baseline_label: str
    filters: tuple[Filter, ...] = ()
