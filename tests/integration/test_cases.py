"""Small inputs that once gave wrong numbers, with the right ones (`shared/cases`).

Each case is a folder of deliveries; a file of the same name replaces the older one, as on a shop's disk.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakehouse.run.runner import Report
from lakehouse.store.lake import Lake
from tests.integration.warehouse import balances, content, lake_at, refusals, rows, rules_of, run

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
GOLD = "gold.sales_daily"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"the cases are not at {CASES}")


def delivered(
    spark: SparkSession, root: Path, case: str, *, table: str | None = GOLD, at_once: bool = False
) -> tuple[Lake, Report]:
    """The warehouse after the deliveries of a case, each followed by a run, or all in one run."""
    lake, inputs = lake_at(spark, root / ("once" if at_once else "warehouse")), root / ("in_once" if at_once else "in")
    parts = sorted(path for path in (CASES / case).iterdir() if path.is_dir())
    source = "online_retail" if list((CASES / case).glob("*/online_retail_*.csv")) else "shop"
    for part in parts:
        shutil.copytree(part, inputs, dirs_exist_ok=True)
        if not at_once or part == parts[-1]:
            report = run(lake, inputs, table=table, source=source)
    return lake, report


def revenue(lake: Lake, *, by: Sequence[str] = ()) -> Any:
    """Net revenue in all, or by columns of gold.sales_daily."""
    found = rows(lake.warehouse, GOLD)
    if not by:
        return sum(row["net_revenue"] for row in found)
    return {tuple(row[name] for name in by): row["net_revenue"] for row in found}


def by_day(lake: Lake) -> dict[int, Decimal]:
    return {day.day: amount for (day,), amount in revenue(lake, by=["sold_on"]).items()}


def refused(lake: Lake, table: str) -> dict[str, list[str]]:
    """The rules that the rows in a quarantine break, by their order, payment or other first key."""
    return {
        next(iter(json.loads(row["_row"]).values())) or "": rules_of(row)
        for row in rows(lake.warehouse, f"{table}__quarantine")
    }


RIGHT: list[tuple[str, str | None, dict[int, int]]] = [
    ("growing-file", "162.50", {}),
    ("return-then-status", "400", {}),
    ("reexport-other-spelling", "150", {}),
    ("order-edited", "450", {15: 250}),
    ("late-product", None, {15: 350}),
]
TABLES = (GOLD, "silver.order_lines", "silver.orders", "silver.products")


@pytest.mark.parametrize(("case", "total", "days"), RIGHT)
def test_a_case_gives_its_right_value_and_in_full_the_same(
    spark: SparkSession, tmp_path: Path, case: str, total: str | None, days: dict[int, int]
) -> None:
    lake, report = delivered(spark, tmp_path, case)
    assert report.exit_code == 0, report.errors
    assert total is None or revenue(lake) == Decimal(total)
    assert {day: by_day(lake)[day] for day in days} == days
    before = {name: content(lake.warehouse, name) for name in TABLES}
    waiting = {name: refusals(lake.warehouse, name) for name in TABLES}
    source = "online_retail" if case in ("growing-file", "reexport-other-spelling") else "shop"
    run(lake, tmp_path / "in", table=GOLD, source=source, full=True)
    assert before == {name: content(lake.warehouse, name) for name in TABLES}
    assert waiting == {name: refusals(lake.warehouse, name) for name in TABLES}
    assert balances(lake)


@pytest.mark.long
@pytest.mark.parametrize("case", [case for case, _, _ in RIGHT])
def test_a_case_gives_the_same_at_once(spark: SparkSession, tmp_path: Path, case: str) -> None:
    lake, _ = delivered(spark, tmp_path, case)
    at_once, _ = delivered(spark, tmp_path, case, at_once=True)
    for name in TABLES:
        assert content(lake.warehouse, name) == content(at_once.warehouse, name)
        assert refusals(lake.warehouse, name) == refusals(at_once.warehouse, name)


def test_a_returned_line_undoes_what_it_sold_with_its_discount(spark: SparkSession, tmp_path: Path) -> None:
    lake, report = delivered(spark, tmp_path, "discounted-return")
    assert report.exit_code == 0, report.errors
    lines = rows(lake.warehouse, "silver.order_lines")
    of_order = {o: sum(r["amount"] for r in lines if r["order_id"] == o) for o in ("O1", "O2")}
    assert of_order == {"O1": 0, "O2": 0}
    assert refused(lake, "silver.order_lines") == {}


def test_values_are_read_as_they_are_spelt_or_refused_with_the_value(spark: SparkSession, tmp_path: Path) -> None:
    lake, report = delivered(spark, tmp_path, "values")
    assert report.exit_code == 0, report.errors
    why = refused(lake, "silver.order_lines")
    for order in ("d5", "d15", "d6", "d7", "d9", "d10"):
        assert why[order] == ["sold_at.type"], order
    for order in ("n7", "n13", "n22", "n24"):
        assert why[order] == ["unit_price.type"], order
    lines = {row["order_id"]: row for row in rows(lake.warehouse, "silver.order_lines")}
    assert lines["n9"]["quantity"] == 2
    assert lines["i11"]["currency"] == "EUR"
    assert lines["d3"]["sold_on"] == date(2024, 1, 16)
    assert balances(lake)


def test_currencies_stand_apart(spark: SparkSession, tmp_path: Path) -> None:
    lake, report = delivered(spark, tmp_path, "second-currency", table=None)
    assert report.exit_code == 0, report.errors
    found = revenue(lake, by=["sold_on", "currency"])
    assert found[date(2024, 1, 16), "JPY"] == 75000
    assert found[date(2024, 1, 17), "JPY"] == 15000
    assert found[date(2024, 1, 17), "EUR"] > 0
    assert balances(lake)


def test_a_corrected_file_of_the_same_name_heals(spark: SparkSession, tmp_path: Path) -> None:
    lake, inputs = lake_at(spark, tmp_path / "warehouse"), tmp_path / "in"
    shutil.copytree(CASES / "other-date-format" / "1", inputs)
    (file,) = inputs.glob("*.csv")
    good = file.read_text()
    file.write_text(re.sub(r"2010-(\d+)-(\d+) 0?(\d+:\d+):\d+", r"\1/\2/2010 \3", good))
    bad = run(lake, inputs, table=GOLD, source="online_retail")
    assert bad.exit_code == 3
    assert re.search(r"it is 12/\d+/2010 8:\d+", bad.errors[0][1]), "the value is shown"
    assert not (lake.warehouse / "gold" / "sales_daily").exists()
    file.write_text(good)
    assert run(lake, tmp_path / "in", table=GOLD, source="online_retail").exit_code == 0
    assert run(lake, tmp_path / "in", table=GOLD, source="online_retail", full=True).exit_code == 0
    assert len(rows(lake.warehouse, "silver.order_lines")) == 30
    assert balances(lake)


def test_money_keeps_its_digits_its_kind_and_its_refunds(spark: SparkSession, tmp_path: Path) -> None:
    lake, report = delivered(spark, tmp_path, "money", table=None)
    assert report.exit_code == 0, report.errors
    orders = {row["order_id"]: row for row in rows(lake.warehouse, "silver.orders")}
    assert orders["k3"]["order_amount"] == Decimal("12.345")
    assert {orders[o]["status"] for o in ("x1", "x2", "x3")} == {"partially_refunded", "refunded", "placed"}
    payments = {row["payment_id"]: row for row in rows(lake.warehouse, "silver.payments")}
    assert payments["PA1"]["amount"] == Decimal("12.345")
    assert (payments["PA2"]["method"], payments["PA3"]["method"], payments["PA5"]["currency"]) == (
        "gift_card",
        "card",
        "EUR",
    )
    lines = {(row["order_id"], row["line_id"]): row for row in rows(lake.warehouse, "silver.order_lines")}
    assert (lines["g1", "1"]["item_type"], lines["g1", "2"]["item_type"]) == ("voucher", "shipping")
    assert (lines["p1", "2"]["line_type"], lines["p1", "2"]["amount"]) == ("refund", Decimal(-10))
    assert refused(lake, "silver.order_lines")["k2"] == ["unit_price.type"]
    assert balances(lake)
