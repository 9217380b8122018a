"""Whoever reads Delta reads our tables: low protocol, no deletion vectors, the same sums everywhere."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql import functions as F

from gold.sales import sales_daily
from lakehouse.store import delta
from tests.integration.conftest import Promoted
from tests.integration.warehouse import tables

MONEY = ("gross_sales", "net_revenue", "line_amount")


def test_every_table_has_a_low_reader_protocol_and_no_deletion_vectors(promoted: Promoted) -> None:
    names = tables(promoted.warehouse)
    assert {sales_daily.TABLE.name, "bronze.shop_orders", "silver.orders__quarantine", "ops.row_ledger"} <= set(names)
    for name in names:
        table = DeltaTable(str(promoted.warehouse.joinpath(*name.split("."))))
        protocol = table.protocol()
        assert protocol.min_reader_version <= 2, name
        assert not protocol.reader_features, name
        assert "deletionVectors" not in (protocol.writer_features or []), name
        assert table.metadata().configuration["delta.enableDeletionVectors"] == "false", name


def test_other_readers_see_the_same_sums_as_spark(promoted: Promoted) -> None:
    by_spark = delta.read(promoted.lake, sales_daily.TABLE).agg(*(F.sum(name).alias(name) for name in MONEY)).first()
    assert by_spark is not None
    expected = tuple(by_spark)
    table = DeltaTable(promoted.lake.path(sales_daily.TABLE))
    arrow = table.to_pyarrow_table()
    assert tuple(sum(arrow[name].to_pylist(), Decimal(0)) for name in MONEY) == expected
    sums = ", ".join(f"sum({name})" for name in MONEY)
    connection = duckdb.connect()
    assert connection.execute(f"SELECT {sums} FROM arrow").fetchone() == expected
    by_files = connection.execute(f"SELECT {sums} FROM read_parquet({table.file_uris()})").fetchone()
    assert by_files == expected


def test_every_column_and_table_says_what_it_means(promoted: Promoted) -> None:
    for name in tables(promoted.warehouse, "silver", "gold"):
        table = DeltaTable(str(promoted.warehouse.joinpath(*name.split("."))))
        assert table.metadata().description, name
        fields = table.schema().fields
        assert [f.name for f in fields if not f.metadata.get("comment")] == [], name


def test_files_of_silver_tell_their_bounds_so_that_readers_skip_them(promoted: Promoted) -> None:
    names = [name for name in tables(promoted.warehouse, "silver") if "__" not in name]
    for name in names:
        table = DeltaTable(str(promoted.warehouse.joinpath(*name.split("."))))
        told = table.metadata().configuration["delta.dataSkippingStatsColumns"].split(",")
        for file in pa.table(table.get_add_actions(flatten=True)).to_pylist():
            untold = [c for c in told if file.get(f"min.{c}") is None and file[f"null_count.{c}"] < file["num_records"]]
            assert untold == [], name
