"""Which delivered files bronze holds: by `ops.files`, and by bronze's own commits. The two must agree.

A file is known by its content in `ops.files` alone; were that lost, all files would be taken for new and bronze would
hold them twice. So each commit of bronze says how many files were loaded by then and which ones it brought, and nothing
is loaded where `ops.files` says otherwise, until `rebuild` has mended it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lakehouse.accounts.journal import append_rows, unmoved
from lakehouse.accounts.ops_tables import FILES
from lakehouse.declare.table import Step, Table
from lakehouse.errors import TableDamaged, UsageError
from lakehouse.store import arrow, log, versions
from lakehouse.store.damage import damaged
from lakehouse.store.lake import Lake, new_id
from lakehouse.store.locks import locked

Row = dict[str, Any]

FACTS = (
    "file",
    "file_id",
    "size_bytes",
    "lines",
    "header_lines",
    "blank_lines",
    "continuation_lines",
    "records",
    "broken",
)
"""What a commit says of each file that it brought, in this order."""
GONE = "gone"
"""The status of a file that was loaded and that bronze no longer holds."""
UNKNOWN = "unknown"
"""Stands for the hash of a file that nobody can look at any more."""


def recorded(lake: Lake, table: Table) -> list[Row]:
    """What was delivered for a bronze table, oldest first. Raises `TableDamaged` where bronze disagrees."""
    rows = current(lake, table)
    _check(lake, table, rows)
    return rows


def current(lake: Lake, table: Table) -> list[Row]:
    """Rows of `ops.files` and unmoved journals about a bronze table, oldest first, less files that are gone."""
    rows = arrow.rows(lake, FILES, ("table", "=", table.name)).to_pylist()
    return _less_gone(rows + [row for row in unmoved(lake, FILES) if row["table"] == table.name])


def loaded(lake: Lake, table: Table) -> int:
    """How many files with rows were loaded."""
    return len({(row["file"], row["file_id"]) for row in current(lake, table) if _is_held(row)})


def brought(rows: Iterable[Row]) -> list[list[Any]]:
    """What a commit says of the files that it brings, from their rows in `ops.files`."""
    return [[row[name] for name in FACTS] for row in rows if row["status"] == "loaded"]


def holding(rows: Iterable[Row]) -> int:
    """How many of some files were loaded and have rows."""
    return sum(_is_held(row) for row in rows)


def rows_of(batch: log.Head, table: Table) -> list[Row]:
    """The rows of `ops.files` about the files that a batch brought, from its commit."""
    told = batch.told
    shared = {"run_id": told.get("run_id"), "batch_id": batch.batch_id, "table": table.name, "step": told.get("step")}
    shared |= {"at": told.get("at"), "status": "loaded", "message": ""}
    return [shared | dict(zip(FACTS, file, strict=True)) for file in told.get("files", [])]


def _is_held(row: Row) -> bool:
    """Whether a file has rows in bronze or in its quarantine: one that is a header alone has none."""
    if row["status"] != "loaded":
        return False
    return row["lines"] is None or row["lines"] > row["header_lines"] + row["continuation_lines"]


def _less_gone(rows: list[Row]) -> list[Row]:
    found: list[Row] = []
    for row in sorted(rows, key=lambda row: (row["at"], row["batch_id"])):
        if row["status"] == GONE:
            found = [other for other in found if other["file_id"] != row["file_id"]]
        else:
            found.append(row)
    return found


def _check(lake: Lake, table: Table, rows: list[Row]) -> None:
    held = {(row["file"], row["file_id"]): row for row in rows if _is_held(row)}
    head = log.head(lake, table.name)
    if head is None or "loaded" in head.told:
        expected = 0 if head is None else head.told["loaded"]
        missing, surplus = max(expected - len(held), 0), max(len(held) - expected, 0)
        what = f"{expected} files that were loaded"
    else:  # a commit from before they said so
        batches = {batch for _, batch in _held_by_rows(lake, table)}
        missing = len(batches - {row["batch_id"] for row in held.values()})
        surplus = len({r["batch_id"] for r in held.values() if r["records"]} - batches)
        what = f"the rows of {len(batches)} batches of files"
    if missing:
        raise damaged(lake, FILES.name, f"it lacks {missing} of {what} into {table.name}, which would be loaded twice")
    if surplus:
        raise damaged(
            lake,
            table.name,
            f"it holds {what}, and {surplus} more are in ops.files, which would not be loaded again",
        )


def _held_by_rows(lake: Lake, table: Table) -> Counter[tuple[str, str]]:
    """How many rows bronze has of each file, by (name, batch)."""
    counts: Counter[tuple[str, str]] = Counter()
    if log.exists(lake, table.name):
        for part in arrow.parts(lake, table, ("_source_file", "_batch_id")):
            for row in part.group_by(["_source_file", "_batch_id"]).aggregate([([], "count_all")]).to_pylist():
                counts[(row["_source_file"], row["_batch_id"])] += row["count_all"]
    return counts


# --- the way back -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rebuilt:
    """What `rebuild` did: files written again, those that bronze no longer holds, those whose content is not known."""

    written: int
    gone: int
    unknown: tuple[str, ...]
    moved: Path | None


def rebuild(lake: Lake, steps: Sequence[Step], inputs: Path | None) -> Rebuilt:
    """Make `ops.files` agree with bronze, as bronze's commits and rows tell; nothing else changes.

    Files of commits that do not name them are looked for in `inputs`, by the name that bronze has; without it they are
    a `UsageError`. One that is not there is written down without its hash: delivered again, it would be loaded again.
    A table that is damaged is moved to `ops/_damaged`. Raises `TableDamaged` where bronze itself is damaged.
    """
    feeds = [step for step in steps if step.feed]
    for step in feeds:
        versions.check(lake, step.table.name, may_be_gone=True)
    with locked(lake, "ops.journal"):
        rows, is_whole = _readable(lake)
        present = rows + unmoved(lake, FILES)
        missing: list[Row] = []
        gone: list[Row] = []
        for step in feeds:
            own = _less_gone([row for row in present if row["table"] == step.table.name])
            missing += _missing(lake, step, own, inputs)
            gone += _gone(lake, step, own)
        unknown = [row["file"] for row in missing if row["file_id"] == UNKNOWN]
        if unknown and inputs is None:
            raise UsageError(
                f"bronze holds {len(unknown)} files whose content no commit names, such as {unknown[0]}; name the "
                "folder of the delivered files by --input"
            )
        moved = None
        if not is_whole:
            moved = lake.warehouse / "ops" / "_damaged" / f"files-{new_id(lake.clock)}"
            moved.parent.mkdir(exist_ok=True)
            if Path(lake.path(FILES)).exists():
                Path(lake.path(FILES)).rename(moved)
        again = [*([] if is_whole else rows), *missing, *gone]
        if again:
            append_rows(lake, FILES, [row | {"at": _text(row["at"])} for row in again])
        versions.note(lake, FILES.name)
        return Rebuilt(len(missing), len(gone), tuple(unknown), moved if moved and moved.exists() else None)


def _readable(lake: Lake) -> tuple[list[Row], bool]:
    """The rows of `ops.files` that can be read, and whether the table is as it was."""
    try:
        rows = arrow.rows(lake, FILES).to_pylist()
    except TableDamaged as error:
        lake.say(str(error))
        return [], False
    try:
        versions.check(lake, FILES.name)
    except TableDamaged:
        return rows, False
    return rows, True


def _missing(lake: Lake, step: Step, own: list[Row], inputs: Path | None) -> list[Row]:
    """Rows about files that bronze holds and `ops.files` does not know."""
    known = {(row["file"], row["batch_id"]) for row in own if row["status"] == "loaded"}
    told = {
        (row["file"], row["batch_id"]): row
        for batch in log.batches(lake, step.table.name)
        for row in rows_of(batch, step.table)
    }
    found = [row for key, row in told.items() if key not in known]
    for (file, batch), count in _held_by_rows(lake, step.table).items():
        if (file, batch) not in known and (file, batch) not in told:
            row: Row = dict.fromkeys(FACTS) | {"file": file, "file_id": _hash(inputs, file), "records": count}
            shared = {"run_id": lake.run_id, "batch_id": batch, "table": step.table.name, "step": step.name}
            found.append(
                row | shared | {"at": lake.clock(), "status": "loaded", "message": "rebuilt from bronze's rows"}
            )
    return found


def _gone(lake: Lake, step: Step, own: list[Row]) -> list[Row]:
    """Rows about files that `ops.files` says are loaded and that bronze no longer holds."""
    batches = {batch.batch_id for batch in log.batches(lake, step.table.name)}
    batches |= {batch for _, batch in _held_by_rows(lake, step.table)}
    shared = {"run_id": lake.run_id, "batch_id": new_id(lake.clock), "at": lake.clock(), "status": GONE}
    shared |= {"message": "bronze no longer holds it; where it is delivered, it is loaded again"}
    return [row | shared for row in own if _is_held(row) and row["batch_id"] not in batches]


def _hash(inputs: Path | None, file: str) -> str:
    path = None if inputs is None else inputs / file
    if path is None or not path.is_file():
        return UNKNOWN
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _text(moment: datetime | str) -> str:
    return moment if isinstance(moment, str) else moment.isoformat()
