"""The one door to Delta: every commit goes through here, under a lock between processes, and carries its progress.

Rows that are only added are files already: they are moved into the table and committed by delta-rs, which costs
milliseconds. Spark merges what changes rows that are there.

Delta's own commit is not safe between two processes on a local disk (check, then rename), so a writer holds
`<layer>/.<table>.lock`; the operating system frees it when the process ends, however it ends.

Spark's Java outlives a Python that is killed by most of a second, without the lock, and may still commit. So batches
are numbered: the number is in the commit as Delta's own transaction (`txn`), and the protocol takes each number once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import deltalake
import pyarrow as pa
import pyarrow.compute as pc
from delta.exceptions import DeltaConcurrentModificationException
from delta.tables import DeltaTable
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, CommitProperties, Transaction, create_table_with_add_actions
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, LongType, StringType, StructField, StructType

from lakehouse.declare.rules import quoted
from lakehouse.declare.table import Table
from lakehouse.errors import CommitRefused, UsageError
from lakehouse.store import arrow, durable, parquet_files
from lakehouse.store.lake import Lake
from lakehouse.store.locks import locked
from lakehouse.store.log import commit_file, commits, exists, head, stored, transaction

METADATA_CONF = "spark.databricks.delta.commitInfo.userMetadata"
TRANSACTION = "spark.databricks.delta.write.txnAppId", "spark.databricks.delta.write.txnVersion"
WRITER = "shoplake"
KEY = "shoplake.key"
"""Property that named a table's key before its commits did."""
DELETE_FLAG = "_vanished"
MOST_FILES, SMALL_BYTES = 64, 16 * 1024 * 1024
"""So many files of fewer bytes a table may have before they are put together."""


def read(lake: Lake, table: Table, version: int | None = None) -> DataFrame:
    """The rows of a table, as of a version; an empty frame of its schema where it does not exist yet.

    Columns that the table got later than the version are null.
    """
    if (version is not None and version < 0) or (version is None and not exists(lake, table.name)):
        return lake.spark.createDataFrame([], table.schema)
    found = deltalake.DeltaTable(lake.path(table), version)
    if found.protocol().min_reader_version > 1:  # its files alone do not say what it holds
        reader = lake.spark.read.format("delta").option("versionAsOf", found.version())
        return _declared(reader.load(lake.path(table)), table)
    schema = StructType.fromJson(json.loads(found.schema().to_json()))
    named = pa.table(found.get_add_actions(flatten=True))["path"].to_pylist()
    files = [Path(lake.path(table), unquote(name)) for name in named]
    return _declared(parquet_files.read(lake.spark, files, schema), table)


def next_number(lake: Lake, table: Table, after: int) -> int:
    """The number of the batch that follows a version of a table (-1: the first), whatever was committed since."""
    return transaction(lake, table.name, WRITER, after) + 1 if after >= 0 else 1


def changes(lake: Lake, table: Table, after: int, until: int) -> DataFrame:
    """The rows that changed in versions `after` < v <= `until`, with Delta's `_change_type` and `_commit_version`."""
    if (rows := arrow.changes(lake, table, after, until)) is not None:
        kinds = [StructField("_change_type", StringType()), StructField("_commit_version", LongType())]
        return arrow.to_spark(lake.spark, rows, StructType([*table.schema, *kinds]))
    feed = lake.spark.read.format("delta").option("readChangeFeed", "true")
    feed = feed.option("startingVersion", after + 1).option("endingVersion", until)
    return _declared(feed.load(lake.path(table)).drop("_commit_timestamp"), table)


def _declared(rows: DataFrame, table: Table) -> DataFrame:
    missing = {name: kind for name, (kind, _) in table.all_columns.items() if name not in rows.columns}
    return rows.withColumns({name: F.lit(None).cast(kind) for name, kind in missing.items()}) if missing else rows


def append(lake: Lake, table: Table, files: Sequence[Path], metadata: Mapping[str, Any] | None = None) -> None:
    """Move Parquet files into a table in one commit; the table is created, with comments, when it is not there.

    The files hold the declared columns with their types; other columns in them no reader sees. Without any file the
    progress is committed alone. Raises `CommitRefused` where another took the batch's number.
    """
    with locked(lake, table.name):
        evolve(lake, table)
        number = (metadata or {}).get("number")
        found = _stands_before(lake, table, number) if exists(lake, table.name) else None
        added = [_moved(lake, table, file) for file in files]
        told: dict[str, Any] = {"operationMetrics": _metrics(added)}
        if metadata is not None:
            told["userMetadata"] = _text(table, metadata)
        properties = CommitProperties(
            custom_metadata=told,
            max_commit_retries=0,  # nobody else commits while the table is held
            app_transactions=None if number is None else [Transaction(WRITER, number)],
        )
        try:
            if found:
                found.create_write_transaction([*added], "append", found.schema(), commit_properties=properties)
            else:
                create_table_with_add_actions(
                    lake.path(table),
                    deltalake.Schema.from_json(table.schema.json()),
                    added,
                    description=table.meaning,
                    configuration=_properties(table),
                    commit_properties=properties,
                )
        except CommitFailedError as error:
            raise _refused(table, _last_batch(lake, table)) from error


def _stands_before(lake: Lake, table: Table, number: int | None) -> deltalake.DeltaTable:
    """A table to be written by a batch; a `CommitRefused` where another took the batch's number."""
    found = deltalake.DeltaTable(lake.path(table))
    if number is not None and (found.transaction_version(WRITER) or 0) >= number:
        raise _refused(table, _last_batch(lake, table))
    return found


def append_rows(
    lake: Lake, table: Table, rows: Sequence[Mapping[str, Any]], metadata: Mapping[str, Any] | None = None
) -> None:
    """Add rows that are in Python already, in one commit."""
    schema = table.arrow_schema
    maps = [f.name for f in schema if pa.types.is_map(f.type)]
    items = [{**row, **{name: list(row[name].items()) for name in maps if row[name] is not None}} for row in rows]
    append_table(lake, table, pa.Table.from_pylist(items, schema), metadata)


def append_table(lake: Lake, table: Table, rows: pa.Table, metadata: Mapping[str, Any] | None = None) -> None:
    """Add rows that are in memory already, with the columns of the table, in one commit."""
    with locked(lake, table.name):
        append(lake, table, [_written(lake, table, rows)], metadata)


def _written(lake: Lake, table: Table, rows: pa.Table, name: Path | None = None) -> Path:
    """Rows as a file in a table's folder, which no commit names yet."""
    file = Path(lake.path(table), name or f"{uuid4().hex}.parquet")
    file.parent.mkdir(parents=True, exist_ok=True)
    parquet_files.write(rows, file)
    return file


def _moved(lake: Lake, table: Table, file: Path) -> AddAction:
    """A file at its place in the table, as the log tells of it."""
    told = parquet_files.statistics(file, table.skipping_columns)
    place = Path(lake.path(table), f"part-{uuid4().hex}.parquet")
    place.parent.mkdir(parents=True, exist_ok=True)
    file.rename(place)
    at = place.stat()
    return AddAction(place.name, at.st_size, {}, int(at.st_mtime * 1000), True, json.dumps(told))


def _metrics(added: Sequence[AddAction]) -> dict[str, str]:
    """What Delta notes of a write."""
    rows = sum(json.loads(file.stats)["numRecords"] for file in added)
    told = {"numFiles": len(added), "numOutputRows": rows, "numOutputBytes": sum(file.size for file in added)}
    return {name: str(value) for name, value in told.items()}


def _last_batch(lake: Lake, table: Table) -> str | None:
    stands = head(lake, table.name)
    return stands.batch_id if stands else None


@dataclass(frozen=True)
class Rewritten:
    """A file of a table some of whose rows change: its name and bytes, the rows that stay, those that are replaced, as
    they were, and those that are lost.
    """

    name: str
    size: int
    kept: pa.Table
    before: pa.Table
    lost: pa.Table

    @classmethod
    def of(cls, table: Table, file: arrow.StoredFile, replaced: pa.Array, lost: pa.Array) -> Rewritten:
        """A file of which the rows in some places are replaced and those in others lost."""
        rows = file.read(table.arrow_schema.names).cast(table.arrow_schema)
        places = pa.array(range(len(rows)), pa.int64())
        changes = pa.concat_arrays([replaced.cast(pa.int64()), lost.cast(pa.int64())])
        kept = pc.invert(pc.is_in(places, value_set=changes))
        return cls(file.name, file.size, rows.filter(kept), rows.take(replaced), rows.take(lost))


def rewrite(
    lake: Lake,
    table: Table,
    files: Sequence[Rewritten],
    changed: pa.Table,
    new: pa.Table,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Put a file in the place of some: the rows that stay, those that changed, as they are, and new ones. One commit.

    What changed is written beside it, for the change feed (protocol, "Add CDC File"). As `merge`, for what fits into
    memory: Spark takes six jobs and two seconds for three rows.
    """
    with locked(lake, table.name):
        number = (metadata or {}).get("number")
        found = _stands_before(lake, table, number)
        before, lost = (pa.concat_tables([getattr(each, name) for each in files]) for name in ("before", "lost"))
        kinds = {"update_preimage": before, "update_postimage": changed, "delete": lost, "insert": new}
        feed = pa.concat_tables(
            rows.append_column("_change_type", pa.repeat(pa.scalar(kind), len(rows))) for kind, rows in kinds.items()
        )
        rows = pa.concat_tables([*(each.kept for each in files), changed, new])
        actions = [_removed(lake, each.name, each.size) for each in files]
        if len(rows):
            actions.append(_added(_moved(lake, table, _written(lake, table, rows))))
        path = Path("_change_data", f"cdc-{uuid4().hex}.parquet")
        size = _written(lake, table, feed, path).stat().st_size
        actions.append({"cdc": _file(path.as_posix(), size, is_change=False)})
        if number is not None:
            actions.insert(0, {"txn": {"appId": WRITER, "version": number, "lastUpdated": _now(lake)}})
        counts = {"Inserted": new, "Updated": changed, "Deleted": lost}
        told: dict[str, Any] = {
            "operation": "MERGE",
            "operationMetrics": {f"numTargetRows{what}": str(len(rows)) for what, rows in counts.items()},
        }
        if metadata is not None:
            told["userMetadata"] = _text(table, metadata)
        _commit(lake, table, found.version(), told, actions)


def compact(lake: Lake, table: Table) -> None:
    """Put the small files of a table together where there are many: each batch brings one, and costs a reader more than
    what is in it. The rows stay as they are, and the files of older versions stay too.
    """
    with locked(lake, table.name):
        if not exists(lake, table.name):
            return
        found = deltalake.DeltaTable(lake.path(table))
        if len(found.file_uris()) <= MOST_FILES or found.protocol().min_reader_version > 1:
            return
        small = sorted((f for f in arrow.files(lake, table) if f.size < SMALL_BYTES), key=lambda f: f.size)
        if len(small) <= MOST_FILES:
            return
        sizes = accumulate(file.size for file in small)
        taken = [file for file, size in zip(small, sizes, strict=True) if size <= arrow.MOST_BYTES]
        columns = [field.name for field in found.schema().fields]
        scratch = Path(lake.path(table), f"{uuid4().hex}.parquet")
        parquet_files.join((file.read(columns) for file in taken), scratch)
        added = _moved(lake, table, scratch)
        durable.sync([Path(lake.path(table), added.path), Path(lake.path(table))])
        actions = [_removed(lake, file.name, file.size, is_change=False) for file in taken]
        _commit(lake, table, found.version(), {"operation": "OPTIMIZE"}, [*actions, _added(added, is_change=False)])
        deltalake.DeltaTable(lake.path(table)).create_checkpoint()


def _commit(
    lake: Lake, table: Table, before: int, told: Mapping[str, Any], actions: Sequence[Mapping[str, Any]]
) -> None:
    """Make the version after another; a `CommitRefused` where another process did."""
    info = {
        "timestamp": _now(lake),
        "operationParameters": {},
        "readVersion": before,
        "isBlindAppend": False,
        "engineInfo": WRITER,
    }
    text = "\n".join(json.dumps(action) for action in [{"commitInfo": info | dict(told)}, *actions])
    if not durable.create(commit_file(lake, table.name, before + 1), text, 0o644):
        raise _refused(table, _last_batch(lake, table))


def _now(lake: Lake) -> int:
    return int(lake.clock().timestamp() * 1000)


def _removed(lake: Lake, name: str, size: int, *, is_change: bool = True) -> dict[str, Any]:
    told = {"deletionTimestamp": _now(lake), "extendedFileMetadata": True}
    return {"remove": _file(name, size, is_change=is_change) | told}


def _added(file: AddAction, *, is_change: bool = True) -> dict[str, Any]:
    told = {"modificationTime": file.modification_time, "stats": file.stats}
    return {"add": _file(file.path, file.size, is_change=is_change) | told}


def _file(name: str, size: int, *, is_change: bool) -> dict[str, Any]:
    """A file as an action names it; what is no change is left out of the change feed (protocol, `dataChange`)."""
    return {"path": name, "partitionValues": {}, "size": size, "dataChange": is_change}


def replace(lake: Lake, table: Table, rows: DataFrame, metadata: Mapping[str, Any]) -> None:
    """Put rows in the place of all that a table holds, with its columns as they are declared now, in one commit."""
    with locked(lake, table.name), _metadata(lake, table, metadata):
        _create(lake, table, rows)


def merge(lake: Lake, table: Table, rows: DataFrame, metadata: Mapping[str, Any]) -> None:
    """Upsert rows on the grain of a table that exists, in one commit; rows that are there alike are not written.

    Rows with `_vanished` are deleted.
    """
    with locked(lake, table.name):
        evolve(lake, table)
        columns = list(table.all_columns)
        same = " AND ".join(f"t.`{c}` <=> s.`{c}`" for c in columns if c not in lineage_of(table))
        on = " AND ".join(f"t.`{c}` <=> s.`{c}`" for c in table.key)
        values: dict[str, Any] = {f"`{c}`": f"s.`{c}`" for c in columns}
        merger = DeltaTable.forPath(lake.spark, lake.path(table)).alias("t").merge(rows.alias("s"), on)
        if DELETE_FLAG in rows.columns:
            merger = merger.whenMatchedDelete(f"s.{DELETE_FLAG}")
        with _metadata(lake, table, metadata):
            merger.whenMatchedUpdate(f"NOT ({same})", values).whenNotMatchedInsert(values=values).execute()
        if _last_batch(lake, table) != metadata["batch_id"]:  # Delta makes no commit for nothing, nor of a number taken
            append(lake, table, [], metadata)


def _refused(table: Table, batch_id: str | None) -> CommitRefused:
    return CommitRefused(
        f"{table.name}: while this batch was made, {batch_id or 'another batch'} was published by a process that no "
        "longer held the table; nothing of this one was published. Run again: what is new then is found anew"
    )


def flagged(lake: Lake, table: Table, kept: pa.Table, lost: pa.Table) -> DataFrame:
    """Rows of a table as a merge takes them, and with `_vanished` keys of those that it shall lose."""
    parts = [
        part.append_column(DELETE_FLAG, pa.repeat(pa.scalar(flag), len(part)))
        for part, flag in ((kept, False), (lost, True))
    ]
    rows = pa.concat_tables(parts, promote_options="default")
    schema = StructType([*table.schema, StructField(DELETE_FLAG, BooleanType())])
    return arrow.to_spark(lake.spark, rows, schema)


def update(lake: Lake, table: Table, where: str, values: Mapping[str, str]) -> int:
    """Set columns (SQL) of the rows that match; returns how many."""
    with locked(lake, table.name):
        DeltaTable.forPath(lake.spark, lake.path(table)).update(where, dict(values))
        commit, _ = next(commits(lake, table.name))
        return commit.updated


def evolve(lake: Lake, table: Table) -> None:
    """Bring a stored table to its declaration: new columns are added, numbers may become wider without loss.

    Any other change of a type is a `UsageError` that names the way. What changed is said.
    """
    held = stored(lake, table.name)
    if not held.types:
        return
    anew = f"build it again from what is stored below it: run with --rebuild {table.name}"
    stands = head(lake, table.name)
    key = stands.told.get("key", held.properties.get(KEY)) if stands else None
    if key not in (None, ",".join(table.key)):
        raise UsageError(f"{table.name}: its key was {key} and is declared {','.join(table.key)}; {anew}")
    declared = {f.name: f.dataType.simpleString() for f in table.schema}
    if missing := [f for f in table.schema if f.name not in held.types]:
        added = ", ".join(
            f"`{f.name}` {f.dataType.simpleString()} COMMENT {quoted(f.metadata['comment'])}" for f in missing
        )
        lake.spark.sql(f"ALTER TABLE delta.`{lake.path(table)}` ADD COLUMNS ({added})")
        lake.say(f"{table.name}: new columns {', '.join(f.name for f in missing)}; older rows have none")
    changed = {name: kind for name, kind in held.types.items() if name in declared and declared[name] != kind}
    if not changed:
        return
    if wrong := [name for name, kind in changed.items() if not _is_wider(declared[name], kind)]:
        told = ", ".join(f"{name} was {changed[name]} and is declared {declared[name]}" for name in wrong)
        raise UsageError(f"{table.name}: {told}; {anew}")
    _widen(lake, table)
    lake.say(f"{table.name}: {', '.join(changed)} stored with more digits")


def _is_wider(declared: str, stored: str) -> bool:
    """Whether every value of the stored type is one of the declared type."""
    if (stored, declared) == ("int", "bigint"):
        return True
    values = "map<string,"
    if stored.startswith(values) and declared.startswith(values):
        return _is_wider(declared[len(values) : -1], stored[len(values) : -1])
    if not (stored.startswith("decimal(") and declared.startswith("decimal(")):
        return False
    (was, was_scale), (now, now_scale) = (map(int, kind[8:-1].split(",")) for kind in (stored, declared))
    return now_scale >= was_scale and now - now_scale >= was - was_scale


def _widen(lake: Lake, table: Table) -> None:
    """Write a table once more with its declared types, and its progress with it."""
    stands = head(lake, table.name)
    rows = lake.spark.read.format("delta").load(lake.path(table))
    rows = rows.select(*(F.col(f.name).cast(f.dataType).alias(f.name, metadata=f.metadata) for f in table.schema))
    told = {name: value for name, value in stands.told.items() if name != "number"} if stands else {}
    metadata = told or None
    append_only = "delta.appendOnly"
    path = f"delta.`{lake.path(table)}`"
    if table.write == "append":
        lake.spark.sql(f"ALTER TABLE {path} SET TBLPROPERTIES ('{append_only}' = 'false')")
    with _metadata(lake, table, metadata):
        rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(lake.path(table))
    if table.write == "append":
        with _metadata(lake, table, metadata):
            lake.spark.sql(f"ALTER TABLE {path} SET TBLPROPERTIES ('{append_only}' = 'true')")


def _create(lake: Lake, table: Table, rows: DataFrame) -> None:
    commented = [F.col(f.name).cast(f.dataType).alias(f.name, metadata=f.metadata) for f in table.schema]
    writer = rows.select(*commented).writeTo(f"delta.`{lake.path(table)}`").using("delta")
    for key, value in {"comment": table.meaning, **_properties(table)}.items():
        writer = writer.tableProperty(key, value)
    writer.createOrReplace()  # a plain create refuses a folder in which a killed run left files without a commit


def _properties(table: Table) -> dict[str, str]:
    properties = {
        "delta.enableChangeDataFeed": "true",
        "delta.enableDeletionVectors": "false",
        "delta.dataSkippingStatsColumns": ",".join(table.skipping_columns),
    }
    return properties | ({"delta.appendOnly": "true"} if table.write == "append" else {})


@contextmanager
def _metadata(lake: Lake, table: Table, metadata: Mapping[str, Any] | None) -> Iterator[None]:
    """What a commit carries: the progress, and the batch's `number`, if it has one, as the writer's transaction."""
    if metadata is None:
        yield
        return
    carried = {METADATA_CONF: _text(table, metadata)}
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


def _text(table: Table, metadata: Mapping[str, Any]) -> str:
    """The progress as a commit carries it, and the table's key: with the batch first, by which `log` knows it."""
    rest = {name: value for name, value in metadata.items() if name != "batch_id"}
    return json.dumps({"batch_id": metadata["batch_id"], **rest, "key": ",".join(table.key)})


def lineage_of(table: Table) -> set[str]:
    """The columns that say where a row came from: rows that differ in these alone are alike."""
    own = {f.name for f in table.fields}
    return {
        name for name in table.all_columns if name not in own and name.startswith("_") and not name.startswith("__")
    }
