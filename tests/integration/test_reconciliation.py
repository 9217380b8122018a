"""Findings as deliveries come: what one file says and another does not, in whatever order, and what settles it."""

from __future__ import annotations

import io
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from jobs import files as files_job
from jobs.steps import ALL
from lakehouse.accounts import releases
from lakehouse.catalogue import pages
from lakehouse.promotion import findings
from lakehouse.run.console import summarise
from lakehouse.run.options import choose
from lakehouse.run.runner import Report
from lakehouse.store.lake import Lake
from tests.integration.conftest import Promoted
from tests.integration.warehouse import LINE_COLUMNS, balances, content, done, lake_at, rows, run

NAME = "ops.reconciliation"
STEPS = choose(ALL, "shop", NAME)
CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
COLUMNS = {
    "orders": "order_id,updated_at,ordered_at,customer_id,session_id,country,channel,currency,status,cancel_reason,"
    "promised_on,shipped_at,delivered_at,items_total,discount_total,shipping_fee,order_total,voucher_code",
    "order_lines": LINE_COLUMNS,
    "payments": "payment_id,order_id,paid_at,method,amount,currency,status",
}
AT = "2024-01-15 10:00:00"


def order(name: str, total: str, status: str = "placed", *, at: str = AT) -> str:
    return f"{name},{at},{AT},C01,,DE,web,EUR,{status},,,,,{total},0.00,0.00,{total},"


def line(name: str, number: int, price: str, quantity: str = "1") -> str:
    return f"{name},{number},{AT},C01,DE,P001,{quantity},{price},0.00,EUR,"


def payment(name: str, amount: str, part: int = 1, status: str = "captured") -> str:
    return f"P{name}-{part},{name},{AT},card,{amount},EUR,{status}"


PRODUCT = '{"product_id": "P001", "updated_at": "2024-01-01 00:00:00", "name": "Thing", "category": "home", '
PRODUCT += '"list_price": "10.00", "unit_cost": "4.00", "listed_on": "2023-12-01", "is_active": true}\n'


def delivered(inputs: Path, feed: str, day: int, *lines: str) -> None:
    """Put a file of a feed into an input folder, beside the catalogue."""
    files = {
        "products/products_2024-01-01.json": PRODUCT,
        f"{feed}/{feed}_2024-01-{day:02}.csv": "\n".join([COLUMNS[feed], *lines, ""]),
    }
    for name, text in files.items():
        (inputs / name).parent.mkdir(parents=True, exist_ok=True)
        (inputs / name).write_text(text)


def promote(lake: Lake, inputs: Path, *, full: bool = False) -> Report:
    return done(run(lake, inputs, steps=STEPS, full=full))


def found(lake: Lake) -> dict[tuple[str, str], tuple[str, Decimal]]:
    """Kind and difference of each finding, by order and reconciliation."""
    return {
        (row["order_id"], row["reconciliation"]): (row["kind"], row["difference"]) for row in rows(lake.warehouse, NAME)
    }


def said(lake: Lake, report: Report) -> str:
    """What the summary of a run says."""
    screen = io.StringIO()
    summarise(lake, report, Console(file=screen, width=200))
    return screen.getvalue()


# What a shop delivers in three files: A agrees, B lost a line, C is not paid until later, D came back, and its money is
# given back later.
DELIVERIES = {
    "orders": ("orders", 15, [order("A", "10.00"), order("B", "30.00"), order("C", "7.00"), order("D", "5.00")]),
    "lines": ("order_lines", 15, [line("A", 1, "10.00"), line("B", 1, "10.00"), line("C", 1, "7.00")]),
    "more": ("order_lines", 16, [line("D", 1, "5.00"), line("D", 2, "5.00", "-1")]),
    "paid": ("payments", 15, [payment("A", "10.00"), payment("B", "30.00"), payment("D", "5.00")]),
    "late": ("payments", 20, [payment("C", "7.00"), payment("D", "-5.00", 2, "refunded")]),
}
LASTS = {("B", "order_lines"): ("differs", Decimal(20))}


def take_in(inputs: Path, *names: str) -> None:
    for name in names:
        feed, day, lines = DELIVERIES[name]
        delivered(inputs, feed, day, *lines)


def test_findings_come_and_go_with_what_is_delivered(spark: SparkSession, tmp_path: Path) -> None:
    lake, inputs = lake_at(spark, tmp_path / "warehouse"), tmp_path / "in"
    take_in(inputs, "orders")
    report = promote(lake, inputs)
    assert found(lake) == {}, "nothing to compare with yet"
    assert "Reconciliation: no finding among 4 orders." in said(lake, report)
    take_in(inputs, "lines")
    promote(lake, inputs)
    assert found(lake) == LASTS | {("D", "order_lines"): ("right_missing", Decimal(5))}
    take_in(inputs, "more")
    take_in(inputs, "paid")
    report = promote(lake, inputs)
    waits = {("C", "payments"): ("right_missing", Decimal(7)), ("D", "refunds"): ("differs", Decimal(-5))}
    assert found(lake) == LASTS | waits
    assert report.exit_code == 0, "a finding is a warning"
    text = said(lake, report)
    assert "Reconciliation order_lines: findings 1, orders without one 3; differs 1; " in text
    assert "; silver.orders less silver.order_lines EUR 20.00" in text
    assert "shop C EUR: silver.orders says 7.00, silver.payments says nothing" in text
    take_in(inputs, "late")
    report = promote(lake, inputs)
    assert found(lake) == LASTS, "paid late, and given back late"
    assert report.is_release
    release = releases.newest(lake)
    assert release is not None
    assert NAME in release.versions
    before = content(lake.warehouse, NAME)
    again = promote(lake, inputs)
    assert again.published == []
    assert "findings 1; differs 1" in said(lake, again), "what is open is told by every run"
    promote(lake, inputs, full=True)
    assert content(lake.warehouse, NAME) == before
    assert balances(lake)


def test_in_another_order_the_same_is_found(spark: SparkSession, tmp_path: Path) -> None:
    lake, inputs = lake_at(spark, tmp_path / "warehouse"), tmp_path / "in"
    for names in (["late"], ["paid", "more"], ["lines", "orders"]):
        take_in(inputs, *names)
        promote(lake, inputs)
    assert found(lake) == LASTS
    where = ["--warehouse", str(lake.warehouse)]
    assert files_job.main(["withdraw", "orders/orders_2024-01-15.csv", *where]) == 0
    promote(lake, inputs)
    assert found(lake) == {}, "nothing is left to compare with"
    assert balances(lake)


def test_a_finding_tells_that_rows_were_refused(spark: SparkSession, tmp_path: Path) -> None:
    lake, inputs = lake_at(spark, tmp_path / "warehouse"), tmp_path / "in"
    names = [f"N10{n}" for n in range(6)]
    delivered(inputs, "orders", 15, *(order(name, "20.00") for name in names))
    good = [line(name, n, "10.00") for name in names for n in (1, 2)]
    wrong = [line("N100", 1, "ten"), line("N100", 2, "ten")]
    cut = "N101,1,2024-01-15 10:00:00,C01"
    delivered(inputs, "order_lines", 15, *wrong, cut, *good[3:])
    delivered(inputs, "payments", 15, *(payment(name, "20.00") for name in names[1:]), payment("N100", "a lot"))
    report = promote(lake, inputs)
    assert found(lake) == {
        ("N100", "order_lines"): ("right_missing", Decimal(20)),
        ("N100", "payments"): ("right_missing", Decimal(20)),
        ("N101", "order_lines"): ("differs", Decimal(10)),
    }
    lines_found, paid_found = findings.found(lake, STEPS)
    assert (lines_found.findings, lines_found.explained, paid_found.explained) == (2, 2, 1)
    assert [(e.key, e.refused) for e in lines_found.largest] == [("shop N100 EUR", 3), ("shop N101 EUR", 1)]
    assert "shop N100 EUR: silver.orders says 20.00, silver.order_lines says nothing (3 rows in quarantine)" in said(
        lake, report
    )
    pages.write(lake, STEPS, tmp_path / "pages")
    page = (tmp_path / "pages" / "ops.html").read_text()
    assert "<code>shop N101 EUR</code> silver.orders says 20.00, silver.order_lines says 10.00 (1 row in quar" in page
    assert (tmp_path / "pages" / f"{NAME}.html").exists()


needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason=f"the cases are not at {CASES}")


@needs_cases
def test_an_order_without_a_line_is_found(spark: SparkSession, tmp_path: Path) -> None:
    lake, inputs = lake_at(spark, tmp_path / "warehouse"), tmp_path / "in"
    shutil.copytree(CASES / "money" / "1", inputs)
    report = promote(lake, inputs)
    what = found(lake)
    assert what["v1", "order_lines"] == ("right_missing", Decimal(90))
    assert what["v1", "payments"] == ("differs", Decimal(80))
    assert ("k3", "payments") not in what, "12.345 of three decimals was paid"
    assert what["x2", "order_lines"] == ("right_missing", Decimal(30))
    assert "Reconciliation order_lines" in said(lake, report)


@needs_cases
def test_an_order_that_says_less_than_its_lines_is_found_until_they_are_delivered_too(
    spark: SparkSession, tmp_path: Path
) -> None:
    lake, inputs = lake_at(spark, tmp_path / "warehouse"), tmp_path / "in"
    shutil.copytree(CASES / "order-edited" / "1", inputs)
    promote(lake, inputs)
    assert ("O1", "order_lines") not in found(lake)
    shutil.copytree(CASES / "order-edited" / "2" / "orders", inputs / "orders", dirs_exist_ok=True)
    promote(lake, inputs)
    assert found(lake)["O1", "order_lines"] == ("differs", Decimal(-30))
    shutil.copytree(CASES / "order-edited" / "2", inputs, dirs_exist_ok=True)
    promote(lake, inputs)
    assert ("O1", "order_lines") not in found(lake)


def test_what_is_found_of_a_shop_with_dirt_was_refused(promoted: Promoted) -> None:
    summed = findings.found(promoted.lake, ALL)
    assert sum(each.findings for each in summed) > 0
    assert [each for each in summed if each.findings > each.explained] == [], "and of others nothing is found"
    assert {"cancelled", "returned"} <= {row["status"] for row in rows(promoted.warehouse, "silver.orders")}
