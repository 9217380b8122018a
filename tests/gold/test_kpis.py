"""Each KPI against numbers computed by hand, and the same from Spark and from DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, get_args

import duckdb
import pytest
from pyspark.sql import DataFrame, SparkSession

from gold import kpis
from gold.kpis import KPIS, Kpi, Period
from gold.sales import kpi_daily, sales_by_order, sessions, shops
from lakehouse.errors import UsageError
from silver import marketing_spend, order_lines, orders, page_events

Given = Callable[..., DataFrame]
Shown = Callable[[DataFrame, str], None]
Tables = Mapping[str, DataFrame]

# Order 3 is cancelled; C6 gives one piece of order 1 back. What TEA costs is not known; 7 is in another currency.
LINES = """
    order_id  sold_on     customer_id  product_id  quantity  amount  unit_cost  line_type     currency
    1         2024-01-30  c1           MUG         2         10.00   3.00       sale          GBP
    2         2024-02-02  c1           MUG         1         5.00    3.00       sale          GBP
    3         2024-02-03  c2           TEA         1         20.00   -          sale          GBP
    4         2024-02-04  c2           TEA         2         40.00   -          sale          GBP
    5         2024-02-05  -            MUG         1         5.00    2.00       sale          GBP
    C6        2024-02-10  c1           MUG         -1        -5.00   3.00       cancellation  GBP
    7         2024-02-11  c3           MUG         1         8.00    3.00       sale          EUR
"""
ORDERS = """
    order_id  status     channel
    1         delivered  web
    2         placed     app
    3         cancelled  web
    4         delivered  web
    5         delivered  -
    C6        credit     -
    7         placed     web
"""
EVENTS = """
    event_id  session_id  visitor_id  event_at              event_type
    e1        a           v1          2024-01-31T23:59:00Z  view
    e2        a           v1          2024-02-01T00:01:00Z  purchase
    e3        b           v1          2024-02-02T09:00:00Z  view
    e4        b           v1          2024-02-02T09:05:00Z  purchase
    e5        c           v2          2024-02-03T09:00:00Z  view
"""
SPEND = "spend_on channel spend\n2024-02-01 search 5.00\n2024-02-20 social 4.00"

FEBRUARY = {
    "net_revenue": 45,
    "gross_sales": 70,
    "orders": 4,
    "average_order_value": 15,
    "units": 5,
    "customers": 2,
    "new_customers": 1,
    "repeat_rate": 0.5,
    "cancelled_share": 0.25,
    "return_rate": 25 / 70,
    "margin": 3,
    "margin_rate": 0.6,
    "cost_coverage": 5 / 45,
    "sessions": 2,
    "conversion_rate": 0.5,
    "marketing_spend": 9,
    "return_on_ad_spend": 5,
}


@pytest.fixture(scope="module")
def gold(given: Given) -> Tables:
    lines, states = given(order_lines.TABLE, LINES), given(orders.TABLE, ORDERS)
    own = shops.build(lines)
    visits = sessions.build(given(page_events.TABLE, EVENTS))
    return {
        "sales_by_order": sales_by_order.build(lines, states, own).cache(),
        "sessions": visits.cache(),
        "kpi_daily": kpi_daily.build(lines, states, visits, given(marketing_spend.TABLE, SPEND)).cache(),
    }


@pytest.fixture(scope="module")
def by_duckdb(gold: Tables) -> Callable[[str], list[tuple[Any, ...]]]:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA gold")
    for name, rows in gold.items():
        connection.register(f"{name}_rows", rows.toArrow())
        connection.execute(f"CREATE VIEW gold.{name} AS SELECT * FROM {name}_rows")
    return lambda sql: connection.sql(sql).fetchall()


@pytest.fixture(scope="module")
def by_spark(spark: SparkSession, gold: Tables) -> Callable[[str], list[tuple[Any, ...]]]:
    for name, rows in gold.items():
        rows.createOrReplaceTempView(name)
    return lambda sql: [tuple(row) for row in spark.sql(sql.replace("gold.", "")).collect()]


Asked = Callable[[str], list[tuple[Any, ...]]]


def test_every_kpi_of_a_month_is_as_computed_by_hand(by_duckdb: Asked) -> None:
    found = by_duckdb(kpis.all_by_period("month", "s"))
    february = {row[0]: row[5] for row in found if row[4] == date(2024, 2, 1) and row[3] in ("GBP", None)}
    assert february == pytest.approx(FEBRUARY)
    assert set(FEBRUARY) == {kpi.name for kpi in KPIS}
    january = {row[0]: row[5] for row in found if row[4] == date(2024, 1, 1)}
    assert (january["new_customers"], january["repeat_rate"], january["sessions"]) == (1, 0, 1)
    assert january["conversion_rate"] == 1  # the order of a visit counts where the visit began
    assert january["return_on_ad_spend"] is None


def test_amounts_of_another_currency_stand_for_themselves_and_tell_no_margin(by_duckdb: Asked) -> None:
    euros = {row[0]: row[5] for row in by_duckdb(kpis.all_by_period("quarter")) if row[3] == "EUR"}
    assert (euros["net_revenue"], euros["orders"], euros["margin"], euros["cost_coverage"]) == (8, 1, None, 0)


@pytest.mark.parametrize("period", get_args(Period))
def test_spark_and_duckdb_give_one_number(period: Period, by_duckdb: Asked, by_spark: Asked) -> None:
    sql = "\nUNION ALL\n".join(
        f"SELECT '{kpi.name}' AS kpi, shop_id, currency, period_on, CAST(value AS STRING) AS value FROM "
        f"({kpis.by_period(kpi, period)}) AS {kpi.name}"
        for kpi in KPIS
        if kpi.per is None
    )
    assert sorted(by_spark(sql), key=str) == sorted(by_duckdb(sql), key=str)
    sql = kpis.all_by_period(period)
    assert sorted(by_spark(sql), key=str) == sorted(by_duckdb(sql), key=str)


def test_a_kpi_is_broken_down_by_a_column_of_its_table(by_duckdb: Asked) -> None:
    found = by_duckdb(kpis.by_period(kpis.named("net_revenue"), "year", by=("channel",)))
    assert {row[2]: float(row[4]) for row in found if row[1] == "GBP"} == {"web": 50, "app": 5, None: 0}


@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.name)
def test_a_kpi_names_the_columns_that_it_reads(kpi: Kpi) -> None:
    words = set(f"{kpi.total} {kpi.per or ''} ".replace("(", " ").replace(")", " ").split())
    assert words & set(kpi.table.all_columns) == set(kpi.columns)
    assert kpi.on in kpi.table.all_columns
    assert (kpi.unit == "ratio") <= (kpi.per is not None)


def test_what_there_is_not_is_refused_with_what_there_is() -> None:
    with pytest.raises(UsageError, match="no KPI profit; there are net_revenue"):
        kpis.named("profit")
    with pytest.raises(UsageError, match="no column product_id"):
        kpis.by_period(kpis.named("orders"), "month", by=("product_id",))
    with pytest.raises(UsageError, match="no period hour; there are day"):
        kpis.by_period(kpis.named("orders"), "hour")  # type: ignore[arg-type]  # that it is refused is the point
    with pytest.raises(UsageError):
        kpis.by_period(kpis.named("orders"), "month", "s' OR 'a' = 'a")
