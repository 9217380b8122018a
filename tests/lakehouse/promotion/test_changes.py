"""What a batch changes is looked for in the files that may hold it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from lakehouse.declare.table import Field, Table
from lakehouse.promotion.changes import within
from lakehouse.settings import load
from lakehouse.store import arrow
from lakehouse.store.lake import Lake

TABLE = Table(
    "silver.things",
    "Things by day.",
    ("day", "id"),
    (Field("day", "date", "day"), Field("id", "string", "thing"), Field("said", "string", "what was said")),
    "one row per thing and day",
    has_lineage=False,
)
SCHEMA = pa.schema([("day", pa.date32()), ("id", pa.string()), ("said", pa.string())])
FILES = ((1, ("a", "c")), (2, ("b", "d")), (3, ("x", None)))
"""The day and the things of each file."""


def no_spark() -> Any:
    raise AssertionError("Spark was asked for")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(no_spark, tmp_path, load("local"))
    for day, things in FILES:
        rows = [{"day": date(2024, 1, day), "id": thing, "said": "so"} for thing in things]
        write_deltalake(made.path(TABLE), pa.Table.from_pylist(rows, SCHEMA), mode="append")
    return made


@pytest.mark.parametrize(
    ("days", "things", "opened"),
    [
        ([1], ["a"], {1}),
        ([1, 2], ["b", "c"], {1, 2}),
        ([1, 3], ["b"], {1, 2, 3}),  # 3 may hold anything where a thing is missing
        ([2], ["e"], set()),
        ([4], ["a"], set()),
        ([3], [None], {3}),
        ([], [], set()),
    ],
)
def test_files_that_cannot_hold_a_row_are_not_opened(
    lake: Lake, days: list[int], things: list[str | None], opened: set[int]
) -> None:
    asked = [(date(2024, 1, day), thing) for day in days for thing in things]
    rows = pl.DataFrame(asked, {"day": pl.Date, "id": pl.String}, orient="row")
    found = [file.read(["day", "id"]).to_pylist() for file in arrow.files(lake, TABLE, within(rows))]
    assert {row["day"].day for file in found for row in file} == opened
    held = {(row["day"], row["id"]) for file in found for row in file}
    everything = {(date(2024, 1, day), thing) for day, things in FILES for thing in things}
    assert set(asked) & everything <= held
