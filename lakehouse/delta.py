"""The one door to Delta: every commit goes through here, under a lock between processes, and carries its progress.

Delta's own commit is not safe between two processes on a local disk (check, then rename), so a writer holds
`<layer>/.<table>.lock`; the operating system frees it when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from lakehouse.errors import LockTimeout
from lakehouse.lake import Lake
from lakehouse.table import Table

METADATA_CONF = "spark.databricks.delta.commitInfo.userMetadata"
DELETE_FLAG = "_vanished"


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

    `progress` is step -> table read -> version. Commits of maintenance are passed over.
    """

    version: int
    commit: Commit
    batch_id: str | None = None
    progress: dict[str, dict[str, int]] = field(default_factory=dict)


@contextmanager
def lock(lake: Lake, name: str) -> Iterator[None]:
    """Hold a table (`silver.orders`) against other processes; wait as long as the settings allow, and say so.

    Raises `LockTimeout` that names the holder. Held again by the same run, it does nothing.
    """
    if name in lake.held_locks:
        yield
        return
    layer, short = name.split(".")
    path = lake.warehouse / layer / f".{short}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        _wait(lake, name, file)
        lake.held_locks.add(name)
        file.truncate(0)
        file.write(f"process {os.getpid()}, run {lake.run_id}")
        file.flush()
        try:
            yield
        finally:
            lake.held_locks.discard(name)


def _wait(lake: Lake, name: str, file: Any) -> None:
    deadline = time.monotonic() + lake.settings.lock_wait_seconds
    told = False
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = Path(file.name).read_text() or "another process"
        if time.monotonic() >= deadline:
            raise LockTimeout(
                f"{name} is being written by {holder}; waited {lake.settings.lock_wait_seconds} s. "
                "Run again when it has finished, or raise lock_wait_seconds in conf/"
            )
        if not told:
            lake.say(f"waiting for {name}: {holder} is writing it")
            told = True
        time.sleep(0.1)


def exists(lake: Lake, name: str) -> bool:
    """Whether the table has been created."""
    return DeltaTable.isDeltaTable(lake.spark, lake.path(name))


def head(lake: Lake, name: str) -> Head | None:
    """Where a table stands, or None before its first commit."""
    if not exists(lake, name):
        return None
    version = None
    for limit in (1, 1000):
        for entry in _history(lake, name, limit):
            version = entry.version if version is None else version
            if entry.userMetadata and entry.userMetadata.startswith('{"batch_id"'):
                told = json.loads(entry.userMetadata)
                return Head(version, _commit(entry), told["batch_id"], told["progress"])
    return Head(version or 0, Commit(version or 0))


def read(lake: Lake, table: Table, version: int | None = None) -> DataFrame:
    """The rows of a table, as of a version; an empty frame of its schema where it does not exist yet."""
    if (version is not None and version < 0) or (version is None and not exists(lake, table.name)):
        return lake.spark.createDataFrame([], table.schema)
    reader = lake.spark.read.format("delta")
    return (reader if version is None else reader.option("versionAsOf", version)).load(lake.path(table))


def changes(lake: Lake, table: Table, after: int, until: int) -> DataFrame:
    """The rows that changed in versions `after` < v <= `until`, with Delta's `_change_type` and `_commit_version`."""
    feed = lake.spark.read.format("delta").option("readChangeFeed", "true")
    return feed.option("startingVersion", after + 1).option("endingVersion", until).load(lake.path(table))


def append(lake: Lake, table: Table, rows: DataFrame, metadata: Mapping[str, Any] | None = None) -> Commit:
    """Add rows in one commit; the table is created, with comments, when it is not there."""
    with lock(lake, table.name):
        _create(lake, table)
        before = _last(lake, table.name).version
        with _metadata(lake, metadata):
            rows.select(*table.all_columns).write.format("delta").mode("append").save(lake.path(table))
        commit = _last(lake, table.name)
        if commit.version == before and metadata:
            return mark(lake, table, metadata)
        return commit


def merge(
    lake: Lake,
    table: Table,
    rows: DataFrame,
    metadata: Mapping[str, Any],
    *,
    sequence_by: Sequence[str] = (),
) -> Commit:
    """Upsert rows on the table's grain in one commit; rows that are there already, alike, are not written again.

    Where `sequence_by` is given, an older row does not replace a newer one. Rows with `_vanished` are deleted.
    """
    with lock(lake, table.name):
        _create(lake, table)
        columns = list(table.all_columns)
        same = " AND ".join(f"t.`{c}` <=> s.`{c}`" for c in columns if c not in _lineage_of(table))
        newer = "true"
        if sequence_by:
            seen, known = (", ".join(f"{side}.`{c}`" for c in sequence_by) for side in ("s", "t"))
            newer = f"struct({seen}) >= struct({known})"
        on = " AND ".join(f"t.`{c}` <=> s.`{c}`" for c in table.key)
        values: dict[str, Any] = {f"`{c}`": f"s.`{c}`" for c in columns}
        merger = DeltaTable.forPath(lake.spark, lake.path(table)).alias("t").merge(rows.alias("s"), on)
        if DELETE_FLAG in rows.columns:
            merger = merger.whenMatchedDelete(f"s.{DELETE_FLAG}")
        before = _last(lake, table.name).version
        with _metadata(lake, metadata):
            merger.whenMatchedUpdate(f"{newer} AND NOT ({same})", values).whenNotMatchedInsert(values=values).execute()
        commit = _last(lake, table.name)
        return mark(lake, table, metadata) if commit.version == before else commit


def mark(lake: Lake, table: Table, metadata: Mapping[str, Any]) -> Commit:
    """Commit progress alone, for a batch that leaves no row."""
    with lock(lake, table.name), _metadata(lake, metadata):
        _create(lake, table)
        batch = metadata["batch_id"]
        lake.spark.sql(f"ALTER TABLE delta.`{lake.path(table)}` SET TBLPROPERTIES ('shoplake.batch' = '{batch}')")
        return Commit(_last(lake, table.name).version)


def keep_quarantine(lake: Lake, table: Table, rows: DataFrame, step: str | None) -> None:
    """Add rejected rows that are not in a quarantine yet; with `step`, its rows that are not given leave it."""
    with lock(lake, table.name):
        _create(lake, table)
        on = " AND ".join(f"t.{c} <=> s.{c}" for c in table.key)
        merger = DeltaTable.forPath(lake.spark, lake.path(table)).alias("t").merge(rows.alias("s"), on)
        merger = merger.whenNotMatchedInsertAll()
        if step is not None:
            merger = merger.whenNotMatchedBySourceDelete(F.col("t._step") == step)
        merger.execute()


def update(lake: Lake, table: Table, where: str, values: Mapping[str, str]) -> int:
    """Set columns (SQL) of the rows that match; returns how many."""
    with lock(lake, table.name):
        DeltaTable.forPath(lake.spark, lake.path(table)).update(where, dict(values))
        return _last(lake, table.name).updated


def _create(lake: Lake, table: Table) -> None:
    if exists(lake, table.name):
        return
    creator = DeltaTable.createIfNotExists(lake.spark).location(lake.path(table)).comment(table.meaning)
    properties = {"enableChangeDataFeed": "true", "enableDeletionVectors": "false"}
    if table.write == "append":
        properties["appendOnly"] = "true"
    for key, value in properties.items():
        creator = creator.property(f"delta.{key}", value)
    creator.addColumns(table.schema).execute()


def _history(lake: Lake, name: str, limit: int) -> list[Row]:
    return DeltaTable.forPath(lake.spark, lake.path(name)).history(limit).collect()


def _last(lake: Lake, name: str) -> Commit:
    return _commit(_history(lake, name, 1)[0])


def _commit(entry: Row) -> Commit:
    metrics = {key: int(value) for key, value in (entry.operationMetrics or {}).items() if value.isdigit()}
    return Commit(
        entry.version,
        metrics.get("numTargetRowsInserted", metrics.get("numOutputRows", 0)),
        metrics.get("numTargetRowsUpdated", metrics.get("numUpdatedRows", 0)),
        metrics.get("numTargetRowsDeleted", 0),
    )


@contextmanager
def _metadata(lake: Lake, metadata: Mapping[str, Any] | None) -> Iterator[None]:
    if metadata is None:
        yield
        return
    text = json.dumps({"batch_id": metadata["batch_id"], **{k: v for k, v in metadata.items() if k != "batch_id"}})
    lake.spark.conf.set(METADATA_CONF, text)
    try:
        yield
    finally:
        lake.spark.conf.unset(METADATA_CONF)


def _lineage_of(table: Table) -> set[str]:
    own = {f.name for f in table.fields}
    return {
        name for name in table.all_columns if name not in own and name.startswith("_") and not name.startswith("__")
    }
