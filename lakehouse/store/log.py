"""Where a table stands, from its Delta log read as files: asking Spark takes 200 times as long."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from deltalake import DeltaTable
from pyspark.sql.types import StructType

from lakehouse.store.damage import damaged
from lakehouse.store.lake import Lake


@dataclass(frozen=True)
class Commit:
    """What a commit did, in rows, as Delta itself counted."""

    version: int
    inserted: int = 0
    updated: int = 0
    deleted: int = 0


@dataclass(frozen=True)
class Head:
    """Where a table stands: its newest version; the last batch, its commit, and what each step has consumed by then.

    `progress` is step -> table read -> version, `told` all that the batch wrote into its commit. Commits of maintenance
    are passed over.
    """

    version: int
    commit: Commit
    batch_id: str | None = None
    progress: dict[str, dict[str, int]] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)


def exists(lake: Lake, name: str) -> bool:
    """Whether the table has been created."""
    return next(commits(lake, name), None) is not None


def head(lake: Lake, name: str) -> Head | None:
    """Where a table stands, or None before its first commit."""
    newest = None
    for commit, told in _told(lake, name):
        newest = newest or commit
        if told:
            return Head(newest.version, commit, told["batch_id"], told["progress"], told)
    return Head(newest.version, newest) if newest else None


def batches(lake: Lake, name: str) -> Iterator[Head]:
    """Every batch whose commit is still in the log, newest first, as the table stood after it."""
    for commit, told in _told(lake, name):
        if told:
            yield Head(commit.version, commit, told["batch_id"], told["progress"], told)


def _told(lake: Lake, name: str) -> Iterator[tuple[Commit, dict[str, Any] | None]]:
    for commit, metadata in commits(lake, name):
        yield commit, json.loads(metadata) if metadata and metadata.startswith('{"batch_id"') else None


def commits(lake: Lake, name: str) -> Iterator[tuple[Commit, str | None]]:
    """Each commit with its userMetadata, newest first, from the table's log.

    The log is read as files (Delta protocol, "Commit Provenance Information"): asking Spark for the history takes 200
    times as long, and a run asks several times per table.
    """
    for version in reversed(versions(lake, name)[0]):
        actions = _actions(lake, name, version)
        info: dict[str, Any] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
        metrics = {k: int(v) for k, v in info.get("operationMetrics", {}).items() if str(v).isdigit()}
        commit = Commit(
            version,
            metrics.get("numTargetRowsInserted", metrics.get("numOutputRows", 0)),
            metrics.get("numTargetRowsUpdated", metrics.get("numUpdatedRows", 0)),
            metrics.get("numTargetRowsDeleted", 0),
        )
        yield commit, info.get("userMetadata")


@dataclass(frozen=True)
class Stored:
    """How a table is stored: column -> type, as Spark writes types, and its properties."""

    types: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str | None] = field(default_factory=dict)


def stored(lake: Lake, name: str, version: int | None = None) -> Stored:
    """How a table is stored, as of a version; nothing before its first commit."""
    if not exists(lake, name):
        return Stored()
    table = DeltaTable(lake.path(name), version)
    fields = StructType.fromJson(json.loads(table.schema().to_json())).fields
    return Stored({f.name: f.dataType.simpleString() for f in fields}, dict(table.metadata().configuration))


def transaction(lake: Lake, name: str, writer: str, version: int | None = None) -> int:
    """The number of a writer's newest transaction (`txn` action) in a table, as of a version; 0 before the first."""
    return DeltaTable(lake.path(name), version).transaction_version(writer) or 0


def versions(lake: Lake, name: str) -> tuple[list[int], int]:
    """The versions whose commits are in a table's log, in order, and that of its newest checkpoint (-1: none)."""
    names = [path.name for path in Path(lake.path(name), "_delta_log").glob("*") if path.name[:20].isdigit()]
    commits = [int(found[:20]) for found in names if found[20:] == ".json"]
    checkpoints = [int(found[:20]) for found in names if found[20:].startswith(".checkpoint.")]
    return sorted(commits), max(checkpoints, default=-1)


def commit_file(lake: Lake, name: str, version: int) -> Path:
    """The file of a commit."""
    return Path(lake.path(name), "_delta_log", f"{version:020}.json")


def files_of(lake: Lake, name: str, version: int) -> list[Path]:
    """The files that a commit brought: its own and those of the rows that it added."""
    added = [unquote(action["add"]["path"]) for action in _actions(lake, name, version) if "add" in action]
    return [commit_file(lake, name, version), *(Path(lake.path(name), path) for path in added)]


@dataclass(frozen=True)
class ChangedFile:
    """A file of rows that a commit changed: its bytes, and the kind of its rows (None: each row tells its own)."""

    path: Path
    size: int
    kind: str | None


def changed_files(lake: Lake, name: str, version: int) -> list[ChangedFile]:
    """The files of changes that a commit brought, else those that it added and removed (protocol, "Reading Change Data
    Files").
    """
    actions = _actions(lake, name, version)
    kinds = {"cdc": None} if any("cdc" in action for action in actions) else {"add": "insert", "remove": "delete"}
    return [
        ChangedFile(Path(lake.path(name), unquote(told["path"])), told.get("size") or 0, kinds[what])
        for action in actions
        for what, told in action.items()
        if what in kinds and (what == "cdc" or told["dataChange"])
    ]


def _actions(lake: Lake, name: str, version: int) -> list[dict[str, Any]]:
    file = commit_file(lake, name, version)
    try:
        actions = [json.loads(line) for line in file.read_bytes().splitlines()]
    except ValueError as error:
        raise damaged(lake, name, f"{file} ({file.stat().st_size} bytes) cannot be read ({error})") from error
    if not actions or not all(isinstance(action, dict) for action in actions):
        raise damaged(lake, name, f"{file} ({file.stat().st_size} bytes) holds no commit")
    return actions
