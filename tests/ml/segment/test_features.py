"""Customers as of today, in one currency."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from gold.customers import customer_segments, segment_profiles
from lakehouse.declare.table import Table
from ml.core.experiment import Frames, Served
from ml.segment import experiment
from ml.segment.features import describe, revenue_between
from ml.segment.model import QuintileSegments
from silver import order_lines, orders

FIRST = date(2024, 1, 1)
Line = tuple[str, int, str, float]  # customer, day, currency, amount

LINES: list[Line] = [
    *((f"c{n}", 7 * week + n, "EUR", 10.0 * (n + 1)) for n in range(5) for week in range(5)),
    ("c0", 20, "JPY", 9_000.0),
    ("traveller", 12, "JPY", 50_000.0),
]


def frames_of(spark: SparkSession, lines: Sequence[Line]) -> Frames:
    rows = [
        (who, FIRST + timedelta(day), currency, amount, f"o{n}") for n, (who, day, currency, amount) in enumerate(lines)
    ]
    given = spark.createDataFrame(
        rows, "customer_id string, sold_on date, currency string, amount double, order_id string"
    ).withColumns({"shop_id": F.lit("s"), "product_id": F.lit("P"), "quantity": F.lit(1), "status": F.lit("delivered")})
    given = given.withColumns({"item_type": F.lit("product"), "line_type": F.lit("sale")})
    return {"order_lines": _all(given, order_lines.TABLE), "orders": _all(given, orders.TABLE)}


def _all(given: DataFrame, table: Table) -> DataFrame:
    return given.select(
        [(F.col(n) if n in given.columns else F.lit(None)).cast(k).alias(n) for n, (k, _) in table.all_columns.items()]
    )


@pytest.fixture(scope="module")
def customers(spark: SparkSession) -> pd.DataFrame:
    frames = frames_of(spark, LINES)
    return describe(frames["order_lines"], frames["orders"]).toPandas().set_index("customer_id")


def test_a_customer_is_one_row_with_the_money_of_the_main_currency(customers: pd.DataFrame) -> None:
    assert sorted(customers.index) == ["c0", "c1", "c2", "c3", "c4", "traveller"]
    assert set(customers["currency"]) == {"EUR"}
    assert float(customers["monetary"]["c0"]) == 50
    assert customers["frequency"]["c0"] == 6  # an order is one in every currency
    assert float(customers["monetary"]["traveller"]) == 0
    assert customers["frequency"]["traveller"] == 1
    assert customers["m_score"]["traveller"] == 1  # fifty thousand yen are not fifty thousand euros


def test_revenue_to_come_is_of_the_main_currency(spark: SparkSession) -> None:
    frames = frames_of(spark, LINES)
    found = revenue_between(frames["order_lines"], frames["orders"], FIRST + timedelta(11), FIRST + timedelta(40))
    revenue = {row["customer_id"]: row["revenue"] for row in found.collect()}
    assert revenue["c0"] == 30
    assert revenue["traveller"] == 0


def test_one_line_of_next_year_ages_nobody_and_loses_nobody(spark: SparkSession, customers: pd.DataFrame) -> None:
    frames = frames_of(spark, [*LINES, ("typo", 400, "EUR", 5.0)])
    found = describe(frames["order_lines"], frames["orders"]).toPandas().set_index("customer_id")
    assert found["as_of_on"].unique().tolist() == [FIRST + timedelta(32)]
    assert found["recency_days"].drop("typo").equals(customers["recency_days"])
    assert found["orders_60"].drop("typo").equals(customers["orders_60"])
    assert found["recency_days"]["typo"] == 0


def test_scored_by_the_rule_nothing_is_expected_and_money_says_its_currency(spark: SparkSession) -> None:
    frames, served = frames_of(spark, LINES), Served(QuintileSegments(), 0, "baseline: RFM quintiles")
    segments = experiment.segments(served, frames).collect()
    profiles = experiment.profiles(served, frames).collect()
    assert {row["value_score"] for row in segments} == {None}
    assert {row["mean_value_score"] for row in profiles} == {None}
    assert {row["currency"] for row in [*segments, *profiles]} == {"EUR"}
    assert sum(row["net_revenue"] for row in profiles) == 750
    assert {row["customer_id"] for row in segments} >= {"traveller"}
    moved = {row["customer_id"]: row["direction"] for row in experiment.moves(served, frames).collect()}
    assert set(moved.values()) <= {"new", "up", "down", "sideways"}
    assert customer_segments.TABLE.grain == ("shop_id", "customer_id")
    assert segment_profiles.TABLE.grain == ("shop_id", "segment", "currency")
