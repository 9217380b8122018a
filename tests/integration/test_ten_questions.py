"""The queries of docs/questions.md, each asked of one shop and held against what its silver tables say, by Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession

from gold import STEPS, kpis
from gold.kpis import KPIS
from lakehouse.store import delta
from lakehouse.store.lake import Lake
from ml.core import scoring
from ml.families import FAMILIES
from serving.reader import Reader
from silver.orders import UNDONE_STATUSES
from tests.integration.warehouse import Row, rows
from tests.questions import QUESTIONS, query

TABLES = tuple(step.table for step in (*STEPS, *scoring.declared(FAMILIES)))
ZERO = Decimal(0)

Ask = Callable[[str], list[Row]]


@pytest.fixture(scope="module")
def reader(scored: Lake) -> Reader:
    return Reader(scored, TABLES)


@pytest.fixture(scope="module")
def ask(reader: Reader) -> Ask:
    """The answer to the question that begins so."""

    return lambda begins: reader.rows(query(begins))


@pytest.fixture(scope="module")
def sold(scored: Lake) -> list[Row]:
    """The lines of products, each with the order that it is of and whether it still counts."""
    orders = {row["order_id"]: row for row in rows(scored.warehouse, "silver.orders")}
    lines = [row for row in rows(scored.warehouse, "silver.order_lines") if row["item_type"] == "product"]
    for line in lines:
        line["order"] = orders.get(line["order_id"])
        line["counts"] = line["order"] is None or line["order"]["status"] not in UNDONE_STATUSES
    return lines


@pytest.fixture(scope="module")
def products(scored: Lake) -> dict[str, Row]:
    found = rows(scored.warehouse, "silver.products")
    return {row["product_id"]: row for row in found if row["__END_AT"] is None}


def test_there_are_ten() -> None:
    assert len(QUESTIONS) == 10


def test_revenue_of_this_month(ask: Ask, sold: list[Row]) -> None:
    (found,) = ask("How is revenue")
    assert found["this_month"] == sum(line["amount"] for line in sold if line["counts"])
    assert (found["month_before"], found["year_before"]) == (None, None)  # the shop opened in this month


def test_the_best_products_have_names_and_what_they_left(ask: Ask, sold: list[Row], products: dict[str, Row]) -> None:
    revenue: dict[str, Decimal] = defaultdict(Decimal)
    margin: dict[str, Decimal] = defaultdict(Decimal)
    for line in sold:
        if line["counts"]:
            revenue[line["product_id"]] += line["amount"]
            margin[line["product_id"]] += line["amount"] - line["quantity"] * line["unit_cost"]
    best = sorted(revenue.values(), reverse=True)[:10]
    found = ask("Which products")
    assert [row["net_revenue"] for row in found] == best
    for row in found:
        assert row["name"] == products[row["product_id"]]["name"]
        assert row["margin"] == margin[row["product_id"]]


def test_the_cost_of_a_line_is_that_of_the_version_at_its_sale(scored: Lake, sold: list[Row]) -> None:
    versions = rows(scored.warehouse, "silver.products")
    for line in sold:
        (cost,) = [
            version["unit_cost"]
            for version in versions
            if version["product_id"] == line["product_id"]
            and version["__START_AT"] <= line["sold_at"]
            and (version["__END_AT"] is None or line["sold_at"] < version["__END_AT"])
        ] or [None]
        assert line["unit_cost"] == cost
    assert len({line["unit_cost"] for line in sold}) > 10


def test_the_share_of_customers_who_come_back(ask: Ask, sold: list[Row]) -> None:
    orders: dict[str, set[str]] = defaultdict(set)
    for line in sold:
        if line["counts"] and line["customer_id"] and line["line_type"] == "sale":
            orders[line["customer_id"]].add(line["order_id"])
    (found,) = ask("How many customers")
    assert found["repeat_rate"] == sum(len(own) > 1 for own in orders.values()) / len(orders)
    assert kpis.named("repeat_rate").formula in " ".join(query("How many customers").split())


def test_what_runs_out_before_it_can_come(ask: Ask, scored: Lake, products: dict[str, Row]) -> None:
    found = ask("What will be out of stock")
    at_risk = {row["product_id"] for row in rows(scored.warehouse, "gold.stock_position") if row["is_at_risk"]}
    assert {row["name"] for row in found} == {products[name]["name"] for name in at_risk if products[name]["is_active"]}
    assert all(row["runs_out_on"] is None or row["runs_out_on"] >= date(2024, 1, 1) for row in found)


def test_only_who_agreed_is_written_to(ask: Ask, scored: Lake) -> None:
    accounts = [row for row in rows(scored.warehouse, "silver.customers") if row["__END_AT"] is None]
    found = ask("Whom should we write to")
    assert {row["customer_id"] for row in found} == {row["customer_id"] for row in accounts if row["marketing_consent"]}
    assert all(row["reason"] for row in found)


def test_a_shop_in_its_first_month_has_no_change_to_explain(ask: Ask) -> None:
    assert ask("Why did revenue change") == []  # of two months, see tests/gold/test_revenue_drivers.py


def test_what_campaigns_cost_is_what_was_spent(ask: Ask, scored: Lake) -> None:
    found = ask("Is the campaign worth it")
    spent = sum(row["spend"] for row in rows(scored.warehouse, "silver.marketing_spend"))
    advertising = [row for row in found if row["kind"] == "advertising"]
    assert sum(row["spend"] or ZERO for row in advertising) == spent
    visits = [row for row in rows(scored.warehouse, "gold.sessions") if row["utm_campaign"]]
    assert sum(row["sessions"] or 0 for row in advertising) == len(visits)
    for row in advertising:
        assert row["contribution"] == (None if row["spend"] is None else row["margin"] - row["spend"])
    assert {row["untold"] is None for row in advertising} == {True, False}  # a newsletter has no spend


def test_what_came_back_is_what_was_cancelled_and_why(ask: Ask, sold: list[Row]) -> None:
    expected: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for line in sold:
        if not line["counts"]:
            reason = line["order"]["cancel_reason"] or "not stated"
            expected[line["order"]["status"], reason] += line["amount"]
    found = ask("What comes back")
    assert {(row["outcome"], row["reason"]): row["amount"] for row in found if row["outcome"] != "credited"} == expected
    assert len(expected) > 3


def test_the_forecast_of_a_month_is_one_of_its_sum(ask: Ask) -> None:
    found = ask("What revenue will next month")
    assert found
    for row in found:
        assert row["q10"] <= row["median"] <= row["q90"]
        assert row["mean"] >= row["known_revenue"]


def test_what_to_order_by_supplier_and_for_how_much(ask: Ask, scored: Lake, products: dict[str, Row]) -> None:
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows(scored.warehouse, "gold.inventory_plan"):
        if row["order_quantity"]:
            product = products[row["product_id"]]
            expected[product["supplier_id"]] += row["order_quantity"] * product["unit_cost"]
    found = ask("What to reorder")
    assert {row["supplier_id"]: row["order_value"] for row in found} == expected
    assert expected


def test_spark_and_duckdb_give_one_number_for_every_kpi_and_month(
    scored: Lake, reader: Reader, spark: SparkSession
) -> None:
    for table in {kpi.table for kpi in KPIS}:
        delta.read(scored, table).createOrReplaceTempView(table.short_name)
    sql = kpis.all_by_period("month")
    by_spark = [row.asDict() for row in spark.sql(sql.replace("gold.", "")).collect()]
    by_duckdb = reader.rows(sql)
    assert sorted(map(_shown, by_spark)) == sorted(map(_shown, by_duckdb))
    assert {row["kpi"] for row in by_duckdb if row["value"] is not None} == {kpi.name for kpi in KPIS}


def _shown(row: dict[str, Any]) -> str:
    return str(sorted(row.items()))
