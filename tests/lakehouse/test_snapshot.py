"""Tables read from their log: the same rows as Spark reads, and nothing that it would misread."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from lakehouse import delta, docs, snapshot
from lakehouse.lake import Lake
from lakehouse.settings import Settings
from lakehouse.table import Field, Table

TABLE = Table(
    "silver.things",
    "Things.",
    ("id",),
    (
        Field("id", "int", "key"),
        Field("seen_at", "timestamp", "when (UTC)"),
        Field("amount", "decimal(18,2)", "money"),
        Field("currency", "string", "of the amount"),
        Field("notes", "map<string,bigint>", "counts"),
    ),
    "one row per thing",
    amount="amount",
    has_lineage=False,
)


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    return Lake(spark, tmp_path, Settings("w", 1, 1))


def _add(lake: Lake, first: int, last: int) -> None:
    rows = lake.spark.sql(
        f"SELECT CAST(id AS INT) id, TIMESTAMP '2026-03-29 01:30:00' + id * INTERVAL 1 HOUR seen_at, "
        f"CAST(id / 4 AS DECIMAL(18,2)) amount, IF(id % 2 = 0, 'EUR', 'GBP') currency, map('n', id) notes "
        f"FROM range({first}, {last})"
    )
    delta.append(lake, TABLE, rows)


def _ids(lake: Lake) -> list[int]:
    return sorted(snapshot.rows(lake, TABLE)["id"].to_pylist())


def test_rows_are_those_that_spark_reads_before_and_after_a_checkpoint(lake: Lake) -> None:
    _add(lake, 0, 4)
    lake.spark.sql(f"ALTER TABLE delta.`{lake.path(TABLE)}` SET TBLPROPERTIES ('delta.checkpointInterval' = '2')")
    delta.update(lake, TABLE, "id = 1", {"amount": "amount + 100"})  # rewrites a file
    _add(lake, 4, 6)
    log = Path(lake.path(TABLE), "_delta_log")
    assert list(log.glob("*.checkpoint.parquet"))
    (log / "00000000000000000000.json").unlink()  # as after clean-up: the checkpoint stands for it
    assert _ids(lake) == [0, 1, 2, 3, 4, 5]
    assert snapshot.count(lake, TABLE) == delta.read(lake, TABLE).count() == 6
    rows = snapshot.rows(lake, TABLE).to_pylist(maps_as_pydicts="strict")
    first = next(row for row in rows if row["id"] == 0)
    assert first["seen_at"] == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert first["notes"] == {"n": 0}
    # 0 + 2/4 + 4/4, and 1/4 + 100 + 3/4 + 5/4; pounds are never added to euros.
    assert docs._stand(lake, TABLE).amounts == {"EUR": Decimal("1.50"), "GBP": Decimal("102.25")}


def test_a_table_with_deletion_vectors_is_left_to_spark(lake: Lake) -> None:
    _add(lake, 0, 4)
    lake.spark.sql(f"ALTER TABLE delta.`{lake.path(TABLE)}` SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    lake.spark.sql(f"DELETE FROM delta.`{lake.path(TABLE)}` WHERE id = 2")
    assert snapshot.snapshot(Path(lake.path(TABLE))) is None
    assert _ids(lake) == [0, 1, 3]
    assert snapshot.count(lake, TABLE) == 3


# --- logs written by hand ---------------------------------------------------------------------------------------------

PROTOCOL = {"protocol": {"minReaderVersion": 1, "minWriterVersion": 4}}
METADATA: dict[str, Any] = {"metaData": {"partitionColumns": []}}


def _log(folder: Path, *commits: list[dict[str, Any]], first: int = 0) -> Path:
    (folder / "_delta_log").mkdir()
    for version, actions in enumerate(commits, first):
        text = "\n".join(map(json.dumps, actions))
        (folder / "_delta_log" / f"{version:020}.json").write_text(text)
    return folder


def _file(path: str, rows: int | None = 1) -> dict[str, Any]:
    return {"add": {"path": path, "stats": None if rows is None else json.dumps({"numRecords": rows})}}


def test_a_removed_file_does_not_count_and_one_that_comes_back_does(tmp_path: Path) -> None:
    gone: list[dict[str, Any]] = [{"remove": {"path": "a.parquet"}}, _file("b.parquet", 5)]
    folder = _log(tmp_path, [PROTOCOL, METADATA, _file("a.parquet", 3)], gone, [_file("a.parquet", 3)])
    found = snapshot.snapshot(folder)
    assert found
    assert found.rows == 8
    assert {path.name for path in found.files} == {"a.parquet", "b.parquet"}


def test_rows_are_counted_in_the_file_where_the_log_does_not_tell(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1, 2, 3]}), tmp_path / "a b.parquet")
    found = snapshot.snapshot(_log(tmp_path, [PROTOCOL, METADATA, _file("a%20b.parquet", None)]))
    assert found == snapshot.Snapshot((tmp_path / "a b.parquet",), 3)


@pytest.mark.parametrize(
    "action",
    [
        {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["columnMapping"]}},
        {"metaData": {"partitionColumns": ["day"]}},
        {"add": {"path": "a.parquet", "deletionVector": {"cardinality": 1}}},
        {"add": {"path": "/elsewhere/a.parquet"}},
        {"add": {"path": "s3://bucket/a.parquet"}},
        {"sidecar": {"path": "x.parquet"}},
    ],
    ids=["feature", "partitions", "deletion vector", "absolute", "address", "sidecar"],
)
def test_what_it_does_not_know_is_left_to_spark(tmp_path: Path, action: dict[str, Any]) -> None:
    assert snapshot.snapshot(_log(tmp_path, [PROTOCOL, METADATA, action])) is None


def test_a_log_with_a_hole_is_left_to_spark(tmp_path: Path) -> None:
    assert snapshot.snapshot(_log(tmp_path, [PROTOCOL, METADATA], first=1)) is None
    assert snapshot.snapshot(tmp_path / "nothing") is None
