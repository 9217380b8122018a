"""Releases: the versions at which all tables stand together, so that a reader never sees half of a run.

A run changes tables one after the other. When it has ended, and every table has taken in what the others hold, the
version of each is written down as one row of `ops.releases`; a reader who reads these versions sees tables that add up
with each other, whatever is being written meanwhile. Scored tables are as of their scoring and hold no release back.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lakehouse.accounts import ops_tables
from lakehouse.accounts.journal import done, unmoved
from lakehouse.errors import TableDamaged, UsageError
from lakehouse.store import arrow, durable, log
from lakehouse.store.lake import Lake

LAYERS = ("bronze", "silver", "gold")


@dataclass(frozen=True)
class Release:
    """The versions of all tables after a run, by the tables' names."""

    run_id: str
    at: datetime
    versions: dict[str, int]


def newest(lake: Lake) -> Release | None:
    """The newest release; None before the first."""
    rows = arrow.rows(lake, ops_tables.RELEASES).to_pylist() + unmoved(lake, ops_tables.RELEASES)
    if not rows:
        return None
    last = max(rows, key=lambda row: (row["at"], row["batch_id"]))
    return Release(last["run_id"], last["at"], dict(last["versions"]))


def readable(lake: Lake) -> Release:
    """The newest release, for who reads one; before the first that is a `UsageError`."""
    found = newest(lake)
    if found is None:
        raise UsageError(f"{lake.warehouse}: nothing was released yet; run `shoplake run` first")
    return found


def note(lake: Lake) -> bool:
    """Write down a release, if the tables stand together and do so otherwise than in the last; whether one was."""
    try:
        found = _standing_together(lake)
    except TableDamaged:  # who reads that table is told; it is in no release
        return False
    last = newest(lake)
    if not found or (last is not None and last.versions == found):
        return False
    row = {"at": lake.clock().isoformat(), "versions": found}
    done(lake, ops_tables.RELEASES, "release", row).save()
    return True


def looked(lake: Lake, table: str, step: str, versions: dict[str, Any]) -> None:
    """Note that a step found nothing to take in up to some versions. The caller holds the table."""
    path = _path(lake, table)
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.write(path, json.dumps(_seen(lake, table) | {step: versions}))


def _standing_together(lake: Lake) -> dict[str, int]:
    """The version of every table, where each has taken in what the others hold; else nothing.

    Another run may be writing: the versions are those of a moment only if they are the same before and after.
    """
    heads = _heads(lake)
    versions = {name: head.version for name, head in heads.items()}
    for name, head in heads.items():
        seen = _seen(lake, name)
        for step, consumed in head.progress.items():
            if _is_scored(consumed):
                continue
            for source, version in consumed.items():
                if source in versions and versions[source] > max(version, seen.get(step, {}).get(source, -1)):
                    return {}
    return versions if versions == {name: head.version for name, head in _heads(lake).items()} else {}


def _is_scored(consumed: dict[str, Any]) -> bool:
    """Whether a step reads a model, whose name has no layer, or tables of ops."""
    return any(name.partition(".")[0] not in LAYERS and isinstance(version, int) for name, version in consumed.items())


def _heads(lake: Lake) -> dict[str, log.Head]:
    """Where every table of the layers stands, and those of ops that are promoted like them."""
    folders = (lake.warehouse / layer for layer in (*LAYERS, "ops"))
    found = [path.parent for folder in folders for path in folder.glob("*/_delta_log")]
    names = sorted(f"{path.parent.name}.{path.name}" for path in found if not path.name.startswith("."))
    noted = {table.name for table in ops_tables.TABLES}
    names = [name for name in names if name not in noted]
    return {name: head for name in names if (head := log.head(lake, name)) is not None}


def _seen(lake: Lake, table: str) -> dict[str, dict[str, Any]]:
    """Up to which versions the steps of a table have looked and found nothing."""
    path = _path(lake, table)
    return dict(json.loads(path.read_text())) if path.exists() else {}


def _path(lake: Lake, table: str) -> Path:
    return lake.warehouse / "ops" / "_looked" / f"{table}.json"
