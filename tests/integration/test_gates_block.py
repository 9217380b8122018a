"""Every table has a batch that its gate refuses: then nothing is published, and a corrected run goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.steps import ALL
from lakehouse.declare.table import Step
from lakehouse.errors import GateBlocked
from lakehouse.intake.feeds import Feed
from lakehouse.promotion.promote import promote
from lakehouse.store.lake import Lake
from tests.integration.conftest import Promoted
from tests.integration.test_sources import TABLES as OF_OTHERS
from tests.integration.warehouse import (
    Row,
    accounts,
    content,
    deliver_lines,
    done,
    lake_at,
    order_line,
    rows,
    run,
    versions,
)

# A way into each table, of the synthetic shop where there are several.
WAYS = {step.table.name: step for step in reversed(ALL) if step.source in (None, "shop") or step.feed}
BRONZE = [step for step in WAYS.values() if step.feed]
BUILT = [step for step in WAYS.values() if not step.feed and step.table.name not in OF_OTHERS]


@pytest.fixture(scope="module")
def lake(promoted: Promoted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A copy that all tests share in which nothing is published."""
    folder = tmp_path_factory.mktemp("blocked") / "warehouse"
    shutil.copytree(promoted.warehouse, folder)
    yield lake_at(promoted.lake.spark, folder)
    shutil.rmtree(folder)


def name_of(step: Step) -> str:
    return step.table.name


def refused(lake: Lake, step: Step, inputs: Path | None = None) -> tuple[str, Row]:
    """The message of a refusal that left everything as it was, and what the gate wrote down."""
    before = versions(lake.warehouse)
    with pytest.raises(GateBlocked) as blocked:
        promote(lake, step, full=step.feed is None, inputs=inputs)
    assert versions(lake.warehouse) == before
    assert blocked.value.exit_code == 3
    assert list((lake.warehouse / "ops" / "_staging").iterdir()) == []
    (path,) = lake.journal.iterdir()
    journal = json.loads(path.read_text())
    path.unlink()
    assert (journal["table"], journal["state"]) == (step.table.name, "done")
    assert set(journal["rows"]) == {"ops.gate_results"}
    failed = [row for row in journal["rows"]["ops.gate_results"] if not row["passed"] and not row["is_warning"]]
    message = str(blocked.value)
    assert message.startswith(f"{step.table.name}: the gate refused a batch of ")
    assert "nothing was published, the batch stays pending" in message
    assert all(row["expectation"] in message for row in failed)
    return message, failed[0]


def without_a_value(step: Step) -> tuple[Step, str]:
    """The step with a build that leaves out what must be there, in every row; and the rule that it breaks."""
    rule = next(rule for rule in step.table.row_rules if rule.name.endswith(".not_null"))
    column = rule.columns[0]

    def build(**inputs: DataFrame) -> DataFrame:
        return step.build(**inputs).withColumn(column, F.lit(None).cast(step.table.all_columns[column][0]))

    return replace(step, build=build), rule.name


def test_there_is_a_way_into_every_table() -> None:
    assert {*WAYS, *OF_OTHERS} == {step.table.name for step in ALL}


def delivered(folder: Path, feed: Feed, good: int, broken: int) -> Path:
    """A file of a feed of which some lines are no records."""
    names = [names[0] for names in feed.columns.values()]
    if feed.format == "csv":
        header = [feed.delimiter.join(names)] if feed.has_header else []
        lines = [*header, *[feed.delimiter.join("x" for _ in names)] * good, *["x"] * broken]
    else:
        lines = [*[json.dumps(dict.fromkeys(names, "x"))] * good, *['{"x":'] * broken]
    path = folder / _file_of(feed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, ""]))
    return folder


def _file_of(feed: Feed) -> str:
    return feed.pattern.removesuffix("*").replace("*", "2024-02-01")


@pytest.mark.parametrize("step", BRONZE, ids=name_of)
def test_a_feed_with_many_broken_lines_is_refused_by_bronze(lake: Lake, step: Step, tmp_path: Path) -> None:
    message, failed = refused(lake, step, delivered(tmp_path, step.feed, 19, 11))
    assert (failed["expectation"], failed["observed"]) == ("rows_quarantined", "11 of 30 rows rejected")
    assert "11 of 30 rows rejected" in message
    assert message.count(f"{Path(_file_of(step.feed)).name}:") == 5  # examples, by file and line


@pytest.mark.parametrize("step", [step for step in BUILT if step.table.layer == "silver"], ids=name_of)
def test_a_batch_of_mostly_rejected_rows_is_refused_by_silver(lake: Lake, step: Step) -> None:
    bad, rule = without_a_value(step)
    message, failed = refused(lake, bad)
    count = int(failed["observed"].split(" of ")[1].split(" rows")[0])
    assert (failed["expectation"], failed["observed"]) == ("rows_quarantined", f"{count} of {count} rows rejected")
    assert count >= len(rows(lake.warehouse, step.table.name))
    assert f"{count} of {count} rows rejected" in message
    assert f"{rule} {count}" in message
    assert message.count("for example") == 5


# One way into gold is as any other here; tests/gold sees the gate of every gold table block.
@pytest.mark.parametrize("step", [step for step in BUILT if step.table.layer == "gold"][::4], ids=name_of)
def test_a_wrong_aggregate_is_refused_by_gold(lake: Lake, step: Step) -> None:
    bad, rule = without_a_value(step)
    message, failed = refused(lake, bad)
    count = len(rows(lake.warehouse, step.table.name))
    assert (failed["expectation"], failed["failing_rows"]) == (rule, count)
    assert f"fails on {count} rows; for example {rule.split('.')[0]}=None" in message
    assert 1 <= len(failed["examples"]) <= 5


# --- a whole run ------------------------------------------------------------------------------------------------------


def blocked_at(copied: Promoted, inputs: Path, table: str, held: list[str]) -> None:
    """Run to gold.sales_daily; the gate of `table` refuses its batch, and what needs it is held back."""
    quarantine = content(copied.warehouse, f"{table}__quarantine")
    before = versions(copied.warehouse)
    report = run(copied.lake, inputs, table="gold.sales_daily")
    assert report.exit_code == 3
    assert [(step.table.name, code) for step, _, code in report.errors] == [(table, 3)]
    assert [step.table.name for step in report.held] == held
    after = versions(copied.warehouse)
    assert [name for name in (table, f"{table}__quarantine", *held) if after.get(name) != before.get(name)] == []
    assert content(copied.warehouse, f"{table}__quarantine") == quarantine
    last_run = max(rows(copied.warehouse, "ops.runs"), key=lambda row: row["started_at"])
    assert last_run["exit_code"] == 3
    assert last_run["message"].startswith(f"{table}: the gate refused")
    verdicts = [row for row in rows(copied.warehouse, "ops.gate_results") if row["run_id"] == last_run["run_id"]]
    assert {row["table"] for row in verdicts if not row["passed"]} == {table}
    assert [row for row in accounts(copied.warehouse, table) if row["run_id"] == last_run["run_id"]] == []


def sales_of(copied: Promoted, day: str) -> Decimal:
    found: Decimal = sum(
        (row["line_amount"] for row in rows(copied.warehouse, "gold.sales_daily") if str(row["sold_on"]) == day),
        Decimal(0),
    )
    return found


def test_a_broken_file_stays_pending_until_it_is_delivered_again(copied: Promoted, tmp_path: Path) -> None:
    inputs = deliver_lines(tmp_path / "in", *(order_line(n) for n in range(19)), *["cut"] * 11)
    for _ in range(2):  # the batch stays pending: the same file is refused again
        blocked_at(copied, inputs, "bronze.shop_order_lines", ["silver.order_lines", "gold.shops", "gold.sales_daily"])
    deliver_lines(tmp_path / "in", *(order_line(n) for n in range(30)))
    done(run(copied.lake, inputs, table="gold.sales_daily"))
    assert sales_of(copied, "2024-01-21") == Decimal("300.00")


def test_lines_of_an_unknown_catalogue_wait_for_it(copied: Promoted, tmp_path: Path) -> None:
    inputs = deliver_lines(tmp_path / "in", *(order_line(n, product="P90001") for n in range(12)))
    blocked_at(copied, inputs, "silver.order_lines", ["gold.shops", "gold.sales_daily"])
    product = next(row for row in rows(copied.warehouse, "bronze.shop_products") if row["product_id"] == "P00013")
    new = {name: value for name, value in product.items() if not name.startswith("_")} | {"product_id": "P90001"}
    (inputs / "products").mkdir()
    (inputs / "products" / "products_2024-01-22.json").write_text(json.dumps(new) + "\n")
    done(run(copied.lake, inputs, table="gold.sales_daily"))
    assert sales_of(copied, "2024-01-21") == Decimal("120.00")
    assert accounts(copied.warehouse, "silver.order_lines")[-1]["rows_inserted"] == 12


def test_two_currencies_on_a_day_stand_apart_until_they_are_corrected(copied: Promoted, tmp_path: Path) -> None:
    def of_day() -> dict[str, Decimal]:
        found = [row for row in rows(copied.warehouse, "gold.sales_daily") if str(row["sold_on"]) == "2024-01-20"]
        return {row["currency"]: row["net_revenue"] for row in found}

    before = of_day()
    inputs = deliver_lines(tmp_path / "in", order_line(1, day="2024-01-20", currency="GBP"))
    done(run(copied.lake, inputs, table="gold.sales_daily"))
    assert of_day() == before | {"GBP": Decimal(10)}
    deliver_lines(tmp_path / "in", order_line(1, day="2024-01-20"))
    done(run(copied.lake, inputs, table="gold.sales_daily"))
    assert of_day() == {"EUR": before["EUR"] + 10}
