"""Parquet files as tables keep them: with a checksum of every page, and what their footers tell of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

LONGEST_BOUND = 32
"""Characters of a text that may stand as a bound of a file's values, as in Delta."""


def write(rows: pa.Table, path: Path) -> None:
    """Write rows as one file of a table."""
    parquet.write_table(rows, path, write_page_checksum=True, store_schema=False)


def statistics(path: Path, columns: Sequence[str]) -> dict[str, Any]:
    """What Delta keeps of a file (protocol, "Per-file Statistics"): rows, and bounds and nulls of some columns.

    Bounds are given of whole numbers, days, moments and short texts; of others, and where the footer has none, a
    reader looks into the file.
    """
    footer = parquet.read_metadata(path)
    told: dict[str, Any] = {"numRecords": footer.num_rows, "minValues": {}, "maxValues": {}, "nullCount": {}}
    places = {footer.schema.column(n).path: n for n in range(footer.num_columns)}
    for name in columns:
        if name not in places:
            continue
        groups = [footer.row_group(n).column(places[name]).statistics for n in range(footer.num_row_groups)]
        if not groups or any(each is None or not each.has_null_count for each in groups):
            continue
        told["nullCount"][name] = sum(each.null_count for each in groups)
        filled = [each for each in groups if each.num_values]
        if filled and all(each.has_min_max for each in filled):
            with suppress(OverflowError, ValueError):  # a moment that Python cannot express
                low, high = min(each.min for each in filled), max(each.max for each in filled)
                if _is_bound(low) and _is_bound(high):
                    told["minValues"][name], told["maxValues"][name] = _json(low), _json(high, is_max=True)
    return told


def _is_bound(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_BOUND
    return isinstance(value, int | date) and not isinstance(value, bool)


def _json(value: Any, *, is_max: bool = False) -> Any:
    """A bound as the log writes it: moments in milliseconds, of which the greatest is not below the value."""
    if not isinstance(value, datetime):
        return value.isoformat() if isinstance(value, date) else value
    at = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    over = at.microsecond % 1000
    at += timedelta(microseconds=1000 - over if is_max and over else -over)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"
