"""Which day it is in a shop, in which currency it sells, and what it may sell now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import product

import duckdb
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from ml.core import shop

FIRST = date(2024, 1, 1)


def lines(spark: SparkSession, *days: date) -> DataFrame:
    return spark.createDataFrame([("s", day) for day in days], "shop_id string, sold_on date")


def every_day(count: int, times: int = 1) -> list[date]:
    return [FIRST + timedelta(n) for n in range(count) for _ in range(times)]


def test_one_line_a_year_ahead_does_not_make_today_a_year_later(
    spark: SparkSession, caplog: pytest.LogCaptureFixture
) -> None:
    odd = FIRST + timedelta(400)
    found, today = shop.up_to_today(lines(spark, *every_day(60), odd), "sold_on")
    assert today == FIRST + timedelta(59)
    assert found.count() == 60
    assert "1 rows after 2024-02-29 are left out" in caplog.text


def test_a_shop_that_opened_again_is_as_of_today(spark: SparkSession, caplog: pytest.LogCaptureFixture) -> None:
    again = [FIRST + timedelta(200 + n) for n in range(25)]
    found, today = shop.up_to_today(lines(spark, *every_day(60), *again), "sold_on")
    assert (found.count(), today) == (85, again[-1])
    assert not caplog.text


def test_a_gap_as_long_as_one_before_it_is_the_shops_way(spark: SparkSession) -> None:
    first = every_day(60)
    second = [FIRST + timedelta(150 + n) for n in range(60)]
    late = FIRST + timedelta(150 + 59 + 80)
    assert shop.up_to_today(lines(spark, *first, *second, late), "sold_on")[1] == late


def test_days_without_a_line_tell_nothing_of_today(spark: SparkSession) -> None:
    rows = lines(spark, *every_day(30)).withColumn("lines", F.when(F.col("sold_on") < "2024-01-20", 2).otherwise(0))
    found, today = shop.up_to_today(rows, "sold_on", "lines")
    assert (found.count(), today) == (19, date(2024, 1, 19))
    assert shop.up_to_today(rows.where("false"), "sold_on", "lines")[1] is None


def test_money_of_two_currencies_is_never_added(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [("s", "EUR", 10.0), ("s", "EUR", 5.0), ("s", "JPY", 9000.0)], "shop_id string, currency string, amount double"
    )
    assert shop.main_currency(rows) == "EUR"
    assert shop.main_currency(rows.where("false")) is None
    told = shop.in_main_currency(rows)
    assert sorted((row["currency"], row["amount"]) for row in told.collect()) == [("EUR", 0), ("EUR", 5), ("EUR", 10)]


PRODUCTS = [
    ("on sale", True, 1),
    ("gone", True, 1),
    ("gone", False, 2),
    ("back", False, 1),
    ("back", True, 2),
    ("not said", None, 1),
]
MAY_BE = {"on sale", "back", "not said"}


def may_be_sold(spark: SparkSession, counts: Sequence[tuple[str, str, int, int, int | None]]) -> set[str]:
    """Counts: product, warehouse, day, on hand, on order."""
    products = spark.createDataFrame(
        [(name, active, datetime(2024, 1, day), "S1", 2.5) for name, active, day in PRODUCTS],  # noqa: DTZ001 - the session is UTC
        "product_id string, is_active boolean, __START_AT timestamp, supplier_id string, unit_cost double",
    )
    stock = spark.createDataFrame(
        list(counts), "product_id string, warehouse string, counted_at int, on_hand int, on_order int"
    )
    return {row["product_id"] for row in shop.why_not_sold(products, stock).where("why_not IS NULL").collect()}


def test_the_newest_version_says_what_may_be_sold(spark: SparkSession) -> None:
    assert may_be_sold(spark, []) == MAY_BE


@pytest.mark.parametrize(
    ("counts", "there"),
    [
        ([(1, 5, 0)], True),
        ([(1, 5, 0), (2, 0, 0)], False),  # the last count
        ([(1, 0, 0), (2, 0, 3)], True),  # on its way
        ([(1, 0, None)], False),
    ],
)
def test_what_is_not_on_hand_and_not_on_its_way_may_not_be_sold(
    spark: SparkSession, counts: list[tuple[int, int, int | None]], there: bool
) -> None:
    own = [("on sale", "w1", day, hand, order) for day, hand, order in counts]
    others = [("back", "w1", 1, 3, 0), ("gone", "w1", 1, 3, 0)]
    assert may_be_sold(spark, [*own, *others]) == ({"on sale", "back"} if there else {"back"})


def test_each_warehouse_counts_by_its_own_last_count(spark: SparkSession) -> None:
    counts = [("on sale", "w1", 9, 0, 0), ("on sale", "w2", 1, 4, 0)]
    assert may_be_sold(spark, counts) == {"on sale"}  # "back" and "not said" were never counted


def test_spark_and_duckdb_say_alike_why_a_product_may_not_be_sold(spark: SparkSession) -> None:
    rows = list(product([True, False, None], [5, 0, -1, None], [True, False]))
    names = "is_active boolean, pieces int, counts_stock boolean"
    asked = spark.createDataFrame(rows, names).select("*", F.expr(shop.WHY_NOT_SOLD).alias("why_not")).toArrow()
    with duckdb.connect() as connection:
        connection.register("asked", asked)
        found = connection.execute(f"SELECT why_not, {shop.WHY_NOT_SOLD} FROM asked").fetchall()
    assert {by_spark for by_spark, _ in found} == {shop.DELISTED, shop.NEVER_COUNTED, shop.NOT_THERE, None}
    assert all(by_spark == by_duckdb for by_spark, by_duckdb in found)
