"""The one door to Delta: every commit goes through here, under a lock between processes, and carries its progress.

Delta's own commit is not safe between two processes on a local disk (check, then rename), so a writer holds
`<layer>/.<table>.lock`; the operating system frees it when the process ends, however it ends.

Spark's Java outlives a Python that is killed by most of a second, without the lock, and may still commit. So batches
are numbered: the number is in the commit as Delta's own transaction (`txn`), and the protocol takes each number once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from delta.exceptions import DeltaConcurrentModificationException
from delta.tables import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare.table import Table
from lakehouse.errors import CommitRefused
from lakehouse.store.lake import Lake
from lakehouse.store.locks import locked
from lakehouse.store.log import commits, exists, head

METADATA_CONF = "spark.databricks.delta.commitInfo.userMetadata"
TRANSACTION = "spark.databricks.delta.write.txnAppId", "spark.databricks.delta.write.txnVersion"
WRITER = "shoplake"
DELETE_FLAG = "_vanished"


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


def append(lake: Lake, table: Table, rows: DataFrame, metadata: Mapping[str, Any] | None = None) -> None:
    """Add rows in one commit; the table is created by it, with comments, when it is not there."""
    with locked(lake, table.name):
        with _metadata(lake, table, metadata):
            if exists(lake, table.name):
                rows.select(*table.all_columns).write.format("delta").mode("append").save(lake.path(table))
            else:
                _create(lake, table, rows)
        _mark_if_silent(lake, table, metadata)


def merge(
    lake: Lake,
    table: Table,
    rows: DataFrame,
    metadata: Mapping[str, Any],
    *,
    sequence_by: Sequence[str] = (),
) -> None:
    """Upsert rows on the grain of a table that exists, in one commit; rows that are there alike are not written.

    Where `sequence_by` is given, an older row does not replace a newer one. Rows with `_vanished` are deleted.
    """
    with locked(lake, table.name):
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
        with _metadata(lake, table, metadata):
            merger.whenMatchedUpdate(f"{newer} AND NOT ({same})", values).whenNotMatchedInsert(values=values).execute()
        _mark_if_silent(lake, table, metadata)


def _mark_if_silent(lake: Lake, table: Table, metadata: Mapping[str, Any] | None) -> None:
    """Commit the progress alone where a batch left no row: Delta makes no commit for nothing.

    Nor does it where another took the batch's number, which is a `CommitRefused`.
    """
    stands = head(lake, table.name)
    if metadata is None or (stands and stands.batch_id == metadata["batch_id"]):
        return
    if stands and "number" in metadata and stands.told.get("number", 0) >= metadata["number"]:
        raise _refused(table, stands.batch_id)
    with _metadata(lake, table, metadata):
        batch = metadata["batch_id"]
        lake.spark.sql(f"ALTER TABLE delta.`{lake.path(table)}` SET TBLPROPERTIES ('shoplake.batch' = '{batch}')")


def _refused(table: Table, batch_id: str | None) -> CommitRefused:
    return CommitRefused(
        f"{table.name}: while this batch was made, {batch_id or 'another batch'} was published by a process that no "
        "longer held the table; nothing of this one was published. Run again: what is new then is found anew"
    )


def keep_quarantine(lake: Lake, table: Table, rows: DataFrame, step: str | None) -> None:
    """Add rejected rows that a quarantine does not hold yet; with `step`, its rows that are not given leave it."""
    with locked(lake, table.name):
        on = " AND ".join(f"t.{c} <=> s.{c}" for c in table.key)
        merger = DeltaTable.forPath(lake.spark, lake.path(table)).alias("t").merge(rows.alias("s"), on)
        merger = merger.whenNotMatchedInsertAll()
        if step is not None:
            merger = merger.whenNotMatchedBySourceDelete(F.col("t._step") == step)
        merger.execute()


def update(lake: Lake, table: Table, where: str, values: Mapping[str, str]) -> int:
    """Set columns (SQL) of the rows that match; returns how many."""
    with locked(lake, table.name):
        DeltaTable.forPath(lake.spark, lake.path(table)).update(where, dict(values))
        commit, _ = next(commits(lake, table.name))
        return commit.updated


def _create(lake: Lake, table: Table, rows: DataFrame) -> None:
    commented = [F.col(f.name).cast(f.dataType).alias(f.name, metadata=f.metadata) for f in table.schema]
    properties = {
        "comment": table.meaning,
        "delta.enableChangeDataFeed": "true",
        "delta.enableDeletionVectors": "false",
        "delta.dataSkippingStatsColumns": ",".join(table.skipping_columns),
    }
    if table.write == "append":
        properties["delta.appendOnly"] = "true"
    writer = rows.select(*commented).writeTo(f"delta.`{lake.path(table)}`").using("delta")
    for key, value in properties.items():
        writer = writer.tableProperty(key, value)
    writer.createOrReplace()  # a plain create refuses a folder in which a killed run left files without a commit


@contextmanager
def _metadata(lake: Lake, table: Table, metadata: Mapping[str, Any] | None) -> Iterator[None]:
    """What a commit carries: the progress, and the batch's `number`, if it has one, as the writer's transaction."""
    if metadata is None:
        yield
        return
    text = json.dumps({"batch_id": metadata["batch_id"], **{k: v for k, v in metadata.items() if k != "batch_id"}})
    carried = {METADATA_CONF: text}
    if "number" in metadata:
        carried |= dict(zip(TRANSACTION, (WRITER, str(metadata["number"])), strict=True))
    for name, value in carried.items():
        lake.spark.conf.set(name, value)
    try:
        yield
    except DeltaConcurrentModificationException as error:
        raise _refused(table, None) from error
    finally:
        for name in carried:
            lake.spark.conf.unset(name)


def _lineage_of(table: Table) -> set[str]:
    own = {f.name for f in table.fields}
    return {
        name for name in table.all_columns if name not in own and name.startswith("_") and not name.startswith("__")
    }
