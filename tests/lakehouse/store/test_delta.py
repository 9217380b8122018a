"""Each batch is one commit that carries its progress, and writes only what differs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from deltalake import DeltaTable
from pyarrow import parquet
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.declare.table import Field, Table
from lakehouse.errors import CommitRefused, LockTimeout, UsageError
from lakehouse.settings import load
from lakehouse.store import arrow, delta, log
from lakehouse.store.lake import Lake
from lakehouse.store.locks import locked
from tests.integration.warehouse import put

TABLE = Table(
    "silver.things",
    "Things and when they were seen.",
    ("id",),
    (Field("id", "bigint", "thing"), Field("seen", "bigint", "moment"), Field("said", "string", "what was said")),
    "one row per thing",
    sequence_by=("seen",),
    has_lineage=False,
)


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    return Lake(lambda: spark, tmp_path, replace(load("local"), lock_wait_seconds=0))


def frame(lake: Lake, *rows: tuple[int | None, int, str]) -> DataFrame:
    return lake.spark.createDataFrame(list(rows), TABLE.schema)


def batch(name: str) -> dict[str, Any]:
    return {"batch_id": name, "progress": {"a step": {"bronze.things": 7}}}


def held(lake: Lake) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in delta.read(lake, TABLE).collect())


def counts(lake: Lake) -> tuple[str | None, int, int, int]:
    head = log.head(lake, TABLE.name)
    assert head is not None
    return head.batch_id, head.commit.inserted, head.commit.updated, head.commit.deleted


def test_a_merge_inserts_what_is_new_and_updates_what_differs(lake: Lake) -> None:
    put(lake, TABLE, frame(lake, (1, 5, "a"), (2, 5, "b"), (3, 5, "c")), batch("b1"))
    delta.merge(lake, TABLE, frame(lake, (1, 5, "a"), (2, 6, "B"), (4, 1, "d")), batch("b2"))
    assert counts(lake) == ("b2", 1, 1, 0)
    assert held(lake) == [(1, 5, "a"), (2, 6, "B"), (3, 5, "c"), (4, 1, "d")]


def test_a_merge_deletes_what_vanished_and_replaces_the_rest(lake: Lake) -> None:
    put(lake, TABLE, frame(lake, (1, 5, "a"), (2, 5, "b")), batch("b1"))
    rows = frame(lake, (1, 4, "other"), (2, 0, "")).withColumn(delta.DELETE_FLAG, F.col("id") == 2)
    delta.merge(lake, TABLE, rows, batch("b2"))
    assert counts(lake) == ("b2", 0, 1, 1)
    assert held(lake) == [(1, 4, "other")]


def declared(*fields: Field) -> Table:
    return replace(TABLE, fields=fields)


def test_a_new_column_is_added_and_older_rows_have_none(lake: Lake) -> None:
    put(lake, TABLE, frame(lake, (1, 5, "a")), batch("b1"))
    wider = declared(*TABLE.fields, Field("note", "string", "a later thought"))
    rows = frame(lake, (2, 6, "b")).withColumn("note", F.lit("new"))
    delta.merge(lake, wider, rows, batch("b2"))
    assert sorted(tuple(row) for row in delta.read(lake, wider).collect()) == [(1, 5, "a", None), (2, 6, "b", "new")]
    assert delta.read(lake, wider, 0).columns == ["id", "seen", "said", "note"]
    head = log.head(lake, TABLE.name)
    assert head is not None
    assert head.batch_id == "b2"


def test_a_number_may_become_wider_and_keeps_the_progress(lake: Lake) -> None:
    names = {field.name: field for field in TABLE.fields}
    narrow = declared(names["id"], replace(names["seen"], type="int"), names["said"])
    put(lake, narrow, frame(lake, (1, 5, "a")), batch("b1"))
    put(lake, TABLE, frame(lake, (2, 6, "b")))
    assert log.stored(lake, TABLE.name).types["seen"] == "bigint"
    assert held(lake) == [(1, 5, "a"), (2, 6, "b")]
    head = log.head(lake, TABLE.name)
    assert head is not None
    assert (head.batch_id, head.progress) == ("b1", batch("b1")["progress"])


def test_any_other_change_of_a_type_is_refused_with_the_way_out(lake: Lake) -> None:
    put(lake, TABLE, frame(lake, (1, 5, "a")), batch("b1"))
    names = {field.name: field for field in TABLE.fields}
    other = declared(names["id"], names["seen"], replace(names["said"], type="date"))
    with pytest.raises(UsageError, match=r"said was string and is declared date.*--rebuild"):
        put(lake, other, frame(lake, (2, 6, "b")).withColumn("said", F.lit(None).cast("date")))
    assert held(lake) == [(1, 5, "a")]


@pytest.mark.parametrize("rows", [[(1, 5, "a")], []], ids=["alike", "none"])
def test_a_batch_that_changes_no_row_still_commits_its_progress(lake: Lake, rows: list[tuple[int, int, str]]) -> None:
    put(lake, TABLE, frame(lake, (1, 5, "a")), batch("b1"))
    before = log.head(lake, TABLE.name)
    delta.merge(lake, TABLE, frame(lake, *rows), batch("b2"))
    head = log.head(lake, TABLE.name)
    assert before is not None
    assert head is not None
    assert (head.version, head.batch_id) == (before.version + 1, "b2")
    assert counts(lake) == ("b2", 0, 0, 0)
    assert head.progress == {"a step": {"bronze.things": 7}}


def test_maintenance_does_not_hide_the_progress(lake: Lake) -> None:
    for number in range(3):
        put(lake, TABLE, frame(lake, (number, 5, "a")), batch(f"b{number}"))
    lake.spark.sql(f"OPTIMIZE delta.`{lake.path(TABLE)}`")
    head = log.head(lake, TABLE.name)
    assert head is not None
    assert (head.version, head.batch_id, head.commit.version) == (3, "b2", 2)


def test_a_table_that_does_not_exist_is_empty(lake: Lake) -> None:
    assert log.head(lake, TABLE.name) is None
    assert not log.exists(lake, TABLE.name)
    assert delta.read(lake, TABLE).schema == TABLE.schema
    assert held(lake) == []


def test_an_append_only_table_refuses_a_change(lake: Lake) -> None:
    table = replace(TABLE, write="append")
    put(lake, table, frame(lake, (1, 5, "a")), batch("b1"))
    with pytest.raises(Exception, match="DELTA_CANNOT_MODIFY_APPEND_ONLY"):
        delta.update(lake, table, "id = 1", {"said": "'b'"})


def test_a_lock_is_held_by_one_run_and_may_be_taken_again_by_the_same(lake: Lake) -> None:
    other = Lake(lake.start, lake.warehouse, lake.settings)
    with locked(lake, TABLE.name), locked(lake, TABLE.name):
        with pytest.raises(LockTimeout, match=f"silver.things is being written by process .*, run {lake.run_id}; "):
            locked(other, TABLE.name).__enter__()
        with locked(other, "silver.other"):
            pass
    with locked(other, TABLE.name):
        pass


def test_a_rewritten_file_is_one_commit_that_every_reader_reads_alike(lake: Lake) -> None:
    put(lake, TABLE, frame(lake, (1, 5, "a"), (2, 5, "b"), (3, 5, "c")), batch("b1") | {"number": 1})
    (file,) = arrow.files(lake, TABLE)
    rows = file.read(TABLE.schema.names).cast(TABLE.arrow_schema).sort_by("id")
    changed, new = (frame(lake, row).toArrow().cast(rows.schema) for row in ((2, 6, "B"), (4, 1, "d")))
    rewritten = delta.Rewritten(file.name, file.size, rows.slice(0, 1), rows.slice(1, 1), rows.slice(2, 1))
    delta.rewrite(lake, TABLE, [rewritten], changed, new, batch("b2") | {"number": 2})
    expected = [(1, 5, "a"), (2, 6, "B"), (4, 1, "d")]
    assert counts(lake) == ("b2", 1, 1, 1)
    assert held(lake) == expected
    path = lake.path(TABLE)
    assert sorted(tuple(row) for row in lake.spark.read.format("delta").load(path).collect()) == expected
    assert sorted(tuple(row.values()) for row in DeltaTable(path).to_pyarrow_table().to_pylist()) == expected
    feed = [
        (1, "update_postimage", (2, 6, "B")),
        (1, "update_preimage", (2, 5, "b")),
        (1, "insert", (4, 1, "d")),
        (1, "delete", (3, 5, "c")),
    ]
    by_spark = lake.spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", 1).load(path)
    by_us = delta.changes(lake, TABLE, 0, 1)
    columns = ["_commit_version", "_change_type", *TABLE.schema.names]
    for found in (by_spark, by_us):
        assert sorted((v, kind, tuple(row)) for v, kind, *row in found.select(columns).collect()) == sorted(feed)
    with pytest.raises(CommitRefused, match=r"silver\.things: while this batch was made, b2 was published"):
        delta.rewrite(lake, TABLE, [rewritten], changed, new, batch("b3") | {"number": 2})
    delta.merge(lake, TABLE, frame(lake, (1, 7, "z")), batch("b4") | {"number": 3})
    assert held(lake) == [(1, 7, "z"), (2, 6, "B"), (4, 1, "d")]


@pytest.mark.parametrize("write", ["merge", "append"])
def test_many_small_files_are_put_together_and_nobody_sees_a_change(
    lake: Lake, write: Literal["append", "merge"]
) -> None:
    table = replace(TABLE, write=write)
    narrow = replace(table, fields=(table.fields[0], replace(table.fields[1], type="int"), table.fields[2]))
    put(lake, narrow, frame(lake, (0, 0, "0")).withColumn("seen", F.col("seen").cast("int")), batch("b0"))
    rows = [(number, number, str(number)) for number in range(1, delta.MOST_FILES + 1)]
    for number, seen, said in rows[:-1]:
        delta.append_rows(lake, table, [{"id": number, "seen": seen, "said": said}], batch(f"b{number}"))
    delta.compact(lake, table)
    before = log.head(lake, table.name)
    delta.append_rows(lake, table, [dict(zip(TABLE.schema.names, rows[-1], strict=True))], batch("last"))
    delta.compact(lake, table)
    head = log.head(lake, table.name)
    assert before is not None
    assert head is not None
    assert (head.version - before.version, head.batch_id, head.progress) == (2, "last", before.progress)
    path = lake.path(table)
    (file,) = arrow.files(lake, table)
    footer = parquet.read_metadata(f"{path}/{file.name}")
    assert footer.num_row_groups == 1
    found = DeltaTable(path)
    assert [found.get_add_actions(flatten=True)[name].to_pylist() for name in ("min.id", "max.id")] == [[0], [64]]
    expected = [(0, 0, "0"), *rows]
    assert held(lake) == expected
    assert sorted(tuple(row.values()) for row in found.to_pyarrow_table().to_pylist()) == expected
    as_it_was = lake.spark.read.format("delta").option("versionAsOf", head.version - 1).load(path)
    assert sorted(map(tuple, as_it_was.collect())) == expected
    assert sorted(map(tuple, lake.spark.read.format("delta").load(path).collect())) == expected
    feed = lake.spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", head.version)
    assert feed.load(path).count() == 0
    assert delta.changes(lake, table, head.version - 1, head.version).count() == 0
    assert log.versions(lake, table.name)[1] == head.version  # a checkpoint, so that readers need not read all commits
    delta.append_rows(lake, table, [{"id": 99, "seen": 1, "said": "after"}], batch("after"))
    assert len(held(lake)) == len(expected) + 1
    if write == "merge":
        delta.merge(lake, table, frame(lake, (1, 7, "z")), batch("merged"))
        assert held(lake)[:3] == [(0, 0, "0"), (1, 7, "z"), (2, 2, "2")]
