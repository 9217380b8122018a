"""A batch on its way: where its rows lie, what was read for it, and its account so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pyarrow import dataset
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from lakehouse.accounts.account import Account
from lakehouse.declare.table import Step
from lakehouse.intake.files import FileReport
from lakehouse.store import parquet_files
from lakehouse.store.lake import Lake

STAGED_OUTCOMES = ("accepted", "quarantined")
GROUP = "_group"
"""Staged and kept with a refused row: JSON of the group that it belongs to."""
AMOUNT_READ = "_amount_read"
"""Staged helper: the money of the row read, by the step's own SQL over the delivered texts."""
DELIVERIES = "deliveries"
"""Under this name a step notes, beside the versions that it consumed, how deliveries stood by then."""
SPELLINGS = "spellings"
"""Under this one, what words of the delivered columns stood for."""


@dataclass
class Staged:
    """A batch on its way: where its rows are, what was read for it, and its account so far.

    `consumed` and `versions` are the versions of the tables read, before and now. `groups` are the groups that are
    computed again; None stands for all. `anew` says that the batch takes the place of all that the table holds.
    """

    step: Step
    batch_id: str
    folder: Path
    full: bool = False
    anew: bool = False
    consumed: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    groups: DataFrame | None = None
    schema: StructType = field(default_factory=StructType)
    account: Account = field(default_factory=Account)
    files: tuple[FileReport, ...] = ()
    notes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def path(self, outcome: str) -> Path:
        """Folder of the staged rows of one outcome; there is none where no row has it."""
        return outcome_folder(self.folder, outcome)

    def rows(self, lake: Lake, outcome: str) -> DataFrame:
        """The staged rows of one outcome."""
        return parquet_files.read(lake.spark, self.paths(outcome), self.schema)

    def paths(self, outcome: str) -> list[Path]:
        """The files of the staged rows of one outcome."""
        return files_in(self.path(outcome))

    def parts(self, outcome: str) -> dataset.Dataset:
        """The staged rows of one outcome as files, for small questions without Spark."""
        return dataset.dataset(self.path(outcome), format="parquet")

    @property
    def deliveries(self) -> dict[str, dict[str, str | None]]:
        """By bronze table, the deliveries that do not stand as they came (`accounts.deliveries.standing`)."""
        return cast(dict[str, dict[str, str | None]], self.versions.get(DELIVERIES, {}))

    @property
    def spellings(self) -> dict[str, dict[str, dict[str, str]]]:
        """By bronze table and column, what words stand for (`Settings.spelt`)."""
        return cast(dict[str, dict[str, dict[str, str]]], self.versions.get(SPELLINGS, {}))

    @property
    def is_rowwise(self) -> bool:
        """Whether each row built stands for one row read; otherwise rows are aggregates of groups."""
        return self.step.is_rowwise

    @property
    def has_money(self) -> bool:
        """Whether the money of the rows is accounted for."""
        return self.step.amount is not None and self.step.table.amount is not None


def files_in(folder: Path) -> list[Path]:
    """The Parquet files of a staging folder; none where there is no folder."""
    return sorted(folder.glob("*.parquet"))


def outcome_folder(folder: Path, outcome: str) -> Path:
    """Where the rows of one outcome lie in a staging folder, as Spark names a partition."""
    return folder / "rows" / f"_outcome={outcome}"
