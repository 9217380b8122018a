"""Which deliveries of a feed count: what `ops.files` and the journals say of each name.

A file delivered again under its name, with other content, replaces what came under it before. A content counts as long
as it is the newest of some name; `withdrawn` takes the newest of a name out.
"""

from __future__ import annotations

from typing import Any

from lakehouse.accounts import received
from lakehouse.declare.table import Table
from lakehouse.store.lake import Lake

WITHDRAWN = "withdrawn"
PLACE = "concat_ws('|', _batch_id, _source_file)"
"""SQL over a bronze table: the delivery of a row, as `replaced` names it."""


def newest(rows: list[dict[str, Any]]) -> dict[str, str | None]:
    """The content that each name stands for now; None where it was withdrawn."""
    found: dict[str, str | None] = {}
    for row in rows:
        if row["status"] in ("loaded", "known"):
            found[row["file"]] = row["file_id"]
        elif row["status"] == WITHDRAWN:
            found[row["file"]] = None
    return found


def replaced(lake: Lake, table: Table) -> tuple[str, ...]:
    """The deliveries in a bronze table that count no more, each as its batch and its file (`PLACE`)."""
    rows = received.current(lake, table)
    stands = newest(rows)
    if table.newest_file_counts:
        current = set(stands.values())
    else:
        taken_out = {name for name, content in stands.items() if content is None}
        current = {row["file_id"] for row in rows if row["file"] not in taken_out}
    loaded = {row["file_id"]: f"{row['batch_id']}|{row['file']}" for row in rows if row["status"] == "loaded"}
    return tuple(sorted(place for content, place in loaded.items() if content not in current))
