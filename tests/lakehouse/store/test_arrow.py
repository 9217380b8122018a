"""Tables read without Spark: the same rows as Spark reads."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from lakehouse.catalogue import pages
from lakehouse.declare.table import Field, Table
from lakehouse.settings import Settings
from lakehouse.store import arrow, delta
from lakehouse.store.lake import Lake
from tests.integration.warehouse import put

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
    return Lake(lambda: spark, tmp_path, Settings("w", 1, 1))


def _add(lake: Lake, first: int, last: int) -> None:
    rows = lake.spark.sql(
        f"SELECT CAST(id AS INT) id, TIMESTAMP '2026-03-29 01:30:00' + id * INTERVAL 1 HOUR seen_at, "
        f"CAST(id / 4 AS DECIMAL(18,2)) amount, IF(id % 2 = 0, 'EUR', 'GBP') currency, map('n', id) notes "
        f"FROM range({first}, {last})"
    )
    put(lake, TABLE, rows)


def _ids(lake: Lake) -> list[int]:
    return sorted(arrow.rows(lake, TABLE)["id"].to_pylist())


def test_rows_are_those_that_spark_reads_before_and_after_a_checkpoint(lake: Lake) -> None:
    _add(lake, 0, 4)
    lake.spark.sql(f"ALTER TABLE delta.`{lake.path(TABLE)}` SET TBLPROPERTIES ('delta.checkpointInterval' = '2')")
    delta.update(lake, TABLE, "id = 1", {"amount": "amount + 100"})  # rewrites a file
    _add(lake, 4, 6)
    assert list(Path(lake.path(TABLE), "_delta_log").glob("*.checkpoint.parquet"))
    assert _ids(lake) == [0, 1, 2, 3, 4, 5]
    assert arrow.count(lake, TABLE) == delta.read(lake, TABLE).count() == 6
    rows = arrow.rows(lake, TABLE).to_pylist(maps_as_pydicts="strict")
    first = next(row for row in rows if row["id"] == 0)
    assert first["seen_at"] == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert first["notes"] == {"n": 0}
    # 0 + 2/4 + 4/4, and 1/4 + 100 + 3/4 + 5/4; pounds are never added to euros.
    assert pages._stand(lake, TABLE).amounts == {"EUR": Decimal("1.50"), "GBP": Decimal("102.25")}


def test_changed_amounts_are_those_of_one_commit(lake: Lake) -> None:
    _add(lake, 0, 4)
    delta.update(lake, TABLE, "id = 1", {"amount": "amount + 100"})
    assert arrow.changed_amounts(lake, TABLE, "amount", 0) == {"insert": Decimal("1.50")}
    before, after = Decimal("0.25"), Decimal("100.25")
    assert arrow.changed_amounts(lake, TABLE, "amount", 1) == {"update_preimage": before, "update_postimage": after}


def test_rows_after_an_empty_chunk_reach_spark(spark: SparkSession) -> None:
    given = pa.table({"n": [1, 2]})
    parts = pa.concat_tables([given, given.slice(0, 0), pa.table({"n": [3]})])
    assert sorted(row.n for row in arrow.to_spark(spark, parts).collect()) == [1, 2, 3]
