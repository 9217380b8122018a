"""Both contenders make the same tables, and what they cost is measured on all of their processes."""

import json
import sys
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from benchmarks import measure, polars_run
from benchmarks.__main__ import run, shop_of
from benchmarks.facts import differences, facts_of
from benchmarks.report import Measured, text
from benchmarks.words import write_words
from silver import order_lines, products


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop_of(tmp_path_factory.mktemp("shop"), 5000)


@pytest.fixture(scope="module")
def by_polars(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    warehouse = tmp_path_factory.mktemp("polars")
    words = json.loads(write_words(warehouse / "words.json").read_text())
    polars_run.promote_all(polars_run.Work(shop, warehouse, words))
    return warehouse


def test_contenders_make_the_same_tables(shop: Path, by_polars: Path, tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse"
    measured = run("Shoplake", shop, warehouse, tmp_path)
    assert min(measured.stages[layer] for layer in ("bronze", "silver", "gold")) > 0
    made = facts_of(warehouse)
    assert differences(made, facts_of(by_polars)) == []
    assert len(made.days) == 30


def test_polars_takes_as_many_lines_as_the_shop_knows_to_be_good(shop: Path, by_polars: Path) -> None:
    ledger = json.loads((shop / "truth" / "dirt.json").read_text())["order_lines"]["ledger"]
    made = facts_of(by_polars).counts
    assert made["silver.order_lines"] == ledger["clean_distinct_rows"]
    assert made["amount"] == Decimal(ledger["amount"]["clean_distinct"])


def test_polars_judges_by_every_rule_that_quarantines() -> None:
    judged = {"silver.order_lines": set(polars_run.line_rules(pl.Series(["P1"])))}
    judged["silver.products"] = set(polars_run.product_rules())
    for table in (order_lines.TABLE, products.TABLE):
        declared = {rule.name for rule in table.row_rules if rule.action == "quarantine"}
        assert judged[table.name] <= declared
        # Computed from what is typed already, these have no type to fail.
        assert declared - judged[table.name] <= {"sold_on.type", "amount.type", "unit_cost.type"}


def test_a_difference_is_named(by_polars: Path, shop: Path) -> None:
    facts = facts_of(by_polars)
    facts.counts["silver.order_lines"] += 1
    count = facts.counts["silver.order_lines"]
    assert differences(facts, facts_of(by_polars)) == [f"silver.order_lines: {count} and {count - 1}"]


def test_memory_of_child_processes_counts(tmp_path: Path) -> None:
    hold = "import time; held = bytearray(b'x') * (200 * 2**20); time.sleep(1.5)"
    parent = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {hold!r}]) or 7)"
    cost = measure.run([sys.executable, "-c", parent], tmp_path, tmp_path / "log")
    assert cost.exit_code == 7
    assert 200 * 2**20 < cost.peak_bytes < 300 * 2**20


def test_report_tells_ratios_and_shares() -> None:
    def cost(name: str, seconds: float) -> Measured:
        stages = {"bronze": seconds / 2, "silver": seconds / 2, "gold": 0.0, "rest": 0.0}
        return Measured(name, 1.0, stages, seconds, 2 * seconds, 2**30)

    told = text(1000, [cost("Polars", 10), cost("On", 40), cost("Off", 30)])
    assert "| ... times Polars" in told
    assert [cell.strip() for cell in told.split("promotion, s")[1].split("\n")[1].split("|")[2:5]] == [
        "1.00",
        "4.00",
        "3.00",
    ]
    assert "25% of the promotion's time" in told
