"""Parquet files as tables keep them: with a checksum of every page, and what their footers tell of the rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

GROUP_ROWS = 200_000
"""Rows of a group in a file that is put together."""
LONGEST_BOUND = 32
"""Characters of a text that stand as a bound of a file's values, as in Delta."""


def write(rows: pa.Table, path: Path) -> None:
    """Write rows as one file of a table."""
    join([rows], path)


def join(parts: Iterable[pa.Table], path: Path) -> None:
    """Write parts of one schema as one file of a table, a group of rows at a time."""
    parts = iter(parts)
    first = next(parts)
    with parquet.ParquetWriter(path, first.schema, write_page_checksum=True, store_schema=False) as writer:
        waiting = [first]
        for part in parts:
            waiting.append(part)
            if sum(map(len, waiting)) >= GROUP_ROWS:
                writer.write_table(pa.concat_tables(waiting))
                waiting = []
        if waiting:
            writer.write_table(pa.concat_tables(waiting))


def read(spark: SparkSession, files: Sequence[Path], schema: StructType) -> DataFrame:
    """The rows of files as a frame. Spark asks a Delta table's log in two to four jobs, which cost a small one most."""
    if not files:
        return spark.createDataFrame([], schema)
    return spark.read.schema(schema).parquet(*(re.sub(r"([\[\]{}*?\\])", r"\\\1", str(file)) for file in files))


def statistics(path: Path, columns: Sequence[str]) -> dict[str, Any]:
    """What Delta keeps of a file (protocol, "Per-file Statistics"): rows, and bounds and nulls of some columns.

    Bounds are of whole numbers, days, moments and texts. Where those of one column cannot be told none are: delta-rs
    (1.6.6) takes a bound that is missing beside others for null, and the file for one without the rows asked for.
    """
    footer = parquet.read_metadata(path)
    places = {footer.schema.column(n).path: n for n in range(footer.num_columns)}
    bounds: dict[str, dict[str, Any]] = {"minValues": {}, "maxValues": {}, "nullCount": {}}
    with suppress(_Untold, OverflowError, ValueError):  # also a moment that Python cannot express
        for name in columns:
            if name not in places:
                raise _Untold
            low, high, nulls = _bounds([footer.row_group(n).column(places[name]) for n in range(footer.num_row_groups)])
            bounds["nullCount"][name] = nulls
            if low is not None:
                bounds["minValues"][name], bounds["maxValues"][name] = low, high
        return {"numRecords": footer.num_rows, **bounds}
    return {"numRecords": footer.num_rows}


class _Untold(Exception):
    """The footer does not tell the bounds of a column."""


def _bounds(chunks: Sequence[parquet.ColumnChunkMetaData]) -> tuple[Any, Any, int]:
    """The least and the greatest value as the log writes them, None without a value, and the number of nulls."""
    told = [chunk.statistics for chunk in chunks]
    if any(each is None or not each.has_null_count or (each.num_values and not each.has_min_max) for each in told):
        raise _Untold
    nulls, filled = sum(each.null_count for each in told), [each for each in told if each.num_values]
    if not filled:
        return None, None, nulls
    low, high = min(each.min for each in filled), max(each.max for each in filled)
    if not isinstance(low, str | int | date) or isinstance(low, bool):
        raise _Untold
    if isinstance(low, str):
        return low[:LONGEST_BOUND], high if len(high) <= LONGEST_BOUND else high[:LONGEST_BOUND] + chr(0x10FFFF), nulls
    return _json(low), _json(high, is_max=True), nulls


def _json(value: Any, *, is_max: bool = False) -> Any:
    """A bound as the log writes it: moments in milliseconds, of which the greatest is not below the value."""
    if not isinstance(value, datetime):
        return value.isoformat() if isinstance(value, date) else value
    at = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    over = at.microsecond % 1000
    at += timedelta(microseconds=1000 - over if is_max and over else -over)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"
