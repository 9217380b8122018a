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
from lakehouse.accounts.journal import Journal, journals
from lakehouse.errors import TableDamaged
from lakehouse.store import arrow, durable, log
from lakehouse.store.lake import Lake, new_id

LAYERS = ("bronze", "silver", "gold")


@dataclass(frozen=True)
class Release:
    """The versions of all tables after a run, by the tables' names."""

    run_id: str
    at: datetime
    versions: dict[str, int]


def newest(lake: Lake) -> Release | None:
    """The newest release; None before the first."""
    rows = arrow.rows(lake, ops_tables.RELEASES).to_pylist()
    noted = [row for j in journals(lake) if j.state == "done" for row in j.rows.get(ops_tables.RELEASES.name, [])]
    rows += [
        row | {"at": datetime.fromisoformat(row["at"]), "versions": list(row["versions"].items())} for row in noted
    ]
    if not rows:
        return None
    last = max(rows, key=lambda row: (row["at"], row["batch_id"]))
    return Release(last["run_id"], last["at"], dict(last["versions"]))


def note(lake: Lake) -> bool:
    """Write down a release, if the tables stand together and do so otherwise than in the last; whether one was."""
    try:
        found = _standing_together(lake)
    except TableDamaged:  # who reads that table is told; it is in no release
        return False
    last = newest(lake)
    if not found or (last is not None and last.versions == found):
        return False
    batch_id = new_id(lake.clock)
    journal = Journal(lake.journal / f"{batch_id}.json", batch_id, ops_tables.RELEASES.name, "release", "done")
    facts = {"run_id": lake.run_id, "batch_id": batch_id, "at": lake.clock().isoformat()}
    journal.add(ops_tables.RELEASES, facts | {"versions": found})
    journal.save()
    return True


def looked(lake: Lake, table: str, step: str, versions: dict[str, Any]) -> None:
    """Note that a step found nothing to take in up to some versions. The caller holds the table."""
    path = _looked(lake, table)
    path.parent.mkdir(parents=True, exist_ok=True)
    told = json.loads(path.read_text()) if path.exists() else {}
    durable.write(path, json.dumps(told | {step: versions}))


def _standing_together(lake: Lake) -> dict[str, int]:
    """The version of every table, where each has taken in what the others hold; else nothing.

    Another run may be writing: the versions are those of a moment only if they are the same before and after.
    """
    heads = {name: head for name in _names(lake) if (head := log.head(lake, name)) is not None}
    versions = {name: head.version for name, head in heads.items()}
    for name, head in heads.items():
        path = _looked(lake, name)
        seen = json.loads(path.read_text()) if path.exists() else {}
        for step, consumed in head.progress.items():
            if _is_scored(consumed):
                continue
            for source, version in consumed.items():
                if source in versions and versions[source] > max(version, seen.get(step, {}).get(source, -1)):
                    return {}
    after = {name: head.version for name in _names(lake) if (head := log.head(lake, name)) is not None}
    return versions if after == versions else {}


def _is_scored(consumed: dict[str, Any]) -> bool:
    """Whether a step reads a model, whose name has no layer, or tables of ops."""
    return any(name.partition(".")[0] not in LAYERS and isinstance(version, int) for name, version in consumed.items())


def _names(lake: Lake) -> list[str]:
    folders = (lake.warehouse / layer for layer in LAYERS)
    found = [path.parent for folder in folders for path in folder.glob("*/_delta_log")]
    return sorted(f"{path.parent.name}.{path.name}" for path in found if not path.name.startswith("."))


def _looked(lake: Lake, table: str) -> Path:
    return lake.warehouse / "ops" / "_looked" / f"{table}.json"
