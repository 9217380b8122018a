"""Bounds of a file's values, by which a reader passes files over: one that is too narrow loses rows without a word."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakehouse.store import parquet_files

LONG = "a" * 40


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        (["b", None, "a"], "a", "b"),
        ([LONG, "b" * 40], "a" * 32, "b" * 32 + "\U0010ffff"),
        ([3, None, -1], -1, 3),
        ([date(2024, 2, 29), date(1970, 1, 1)], "1970-01-01", "2024-02-29"),
        (
            [datetime(2024, 1, 1, 10, 0, 0, 1500, UTC), datetime(2024, 1, 1, 10, 0, 0, 1, UTC)],
            "2024-01-01T10:00:00.000Z",
            "2024-01-01T10:00:00.002Z",
        ),
    ],
)
def test_bounds_hold_all_values(tmp_path: Path, values: list[Any], low: Any, high: Any) -> None:
    parquet_files.write(pa.table({"x": values}), tmp_path / "rows.parquet")
    told = parquet_files.statistics(tmp_path / "rows.parquet", ["x"])
    nulls = {"x": values.count(None)}
    assert told == {"numRecords": len(values), "minValues": {"x": low}, "maxValues": {"x": high}, "nullCount": nulls}


def test_a_column_without_a_value_has_no_bounds_and_all_nulls(tmp_path: Path) -> None:
    parquet_files.write(pa.table({"x": pa.array([None, None], pa.string())}), tmp_path / "rows.parquet")
    told = parquet_files.statistics(tmp_path / "rows.parquet", ["x"])
    assert told == {"numRecords": 2, "minValues": {}, "maxValues": {}, "nullCount": {"x": 2}}


@pytest.mark.parametrize("other", [pa.array([1.5]), pa.array([True])], ids=["float", "truth"])
def test_where_one_column_cannot_be_told_none_is(tmp_path: Path, other: pa.Array) -> None:
    parquet_files.write(pa.table({"x": ["a"], "y": other}), tmp_path / "rows.parquet")
    assert parquet_files.statistics(tmp_path / "rows.parquet", ["x", "y"]) == {"numRecords": 1}
    assert parquet_files.statistics(tmp_path / "rows.parquet", ["x", "missing"]) == {"numRecords": 1}
