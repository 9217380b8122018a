"""Which deliveries of a feed count: what `ops.files` and the journals say of each name.

A file delivered again under its name, with other content, replaces what came under it before. A content counts as long
as it is the newest of some name; `withdrawn` takes the newest of a name out.
"""

from __future__ import annotations

from typing import Any

from lakehouse.accounts import ops_tables, received
from lakehouse.accounts.journal import done
from lakehouse.declare.conform import natural_key
from lakehouse.declare.table import Table
from lakehouse.errors import UsageError
from lakehouse.store.lake import Lake

COUNT = ("loaded", "known")
WITHDRAWN = "withdrawn"
PLACE = "concat_ws('|', _batch_id, _source_file)"
"""SQL over a bronze table: the delivery of a row, as `standing` names it."""


def newest(rows: list[dict[str, Any]]) -> dict[str, str | None]:
    """The content that each name stands for now; None where it was withdrawn."""
    found: dict[str, str | None] = {}
    for row in rows:
        if row["status"] in COUNT:
            found[row["file"]] = row["file_id"]
        elif row["status"] == WITHDRAWN:
            found[row["file"]] = None
    return found


def count(lake: Lake, table: Table, file: str, counts: bool, why: str) -> None:
    """Note that a delivered file counts no more, or again.

    Its rows stay in bronze; the next run takes them out of silver and gold, or back in. Raises `UsageError` for a file
    that was not loaded, and where that is so already.
    """
    rows = received.recorded(lake, table)
    told = [row for row in rows if row["file"] == file and row["status"] in (*COUNT, WITHDRAWN)]
    if not told:
        raise UsageError(f"{file}: no such file was loaded into {table.name}; see: shoplake files list")
    last = told[-1]
    if counts == (last["status"] != WITHDRAWN):
        raise UsageError(f"{file}: it {'counts' if counts else 'was withdrawn'} already")
    row = {name: last[name] for name in ("table", "step", "file", "file_id", "size_bytes")}
    row |= {"at": lake.clock().isoformat(), "status": "known" if counts else WITHDRAWN, "message": why}
    done(lake, ops_tables.FILES, last["step"], row).save()


def standing(lake: Lake, table: Table) -> dict[str, str | None]:
    """The deliveries in a bronze table that do not stand as they came, by their batch and file (`PLACE`).

    The value is None where a delivery counts no more, else the last of the names that its content stands under: a
    content that came under several names is loaded once, and the order of names must not depend on which came first.
    """
    rows = received.current(lake, table)
    stands = newest(rows)
    every = [(row["file"], row["file_id"]) for row in rows if row["status"] in COUNT]
    names: dict[str | None, list[str]] = {}
    for name, content in stands.items() if table.newest_file_counts else every:
        if stands[name] is not None:
            names.setdefault(content, []).append(name)
    found: dict[str, str | None] = {}
    for row in rows:
        if row["status"] == "loaded":
            last = max(names.get(row["file_id"], []), key=natural_key, default=None)
            if last != row["file"]:
                found[f"{row['batch_id']}|{row['file']}"] = last
    return dict(sorted(found.items()))
