"""Running again: nothing new is nothing done, and what is new touches only what it changes, in whatever order."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from pyspark.sql import SparkSession

from gold.sales import sales_daily
from jobs.steps import ALL
from lakehouse.errors import SparkNotStarted
from lakehouse.run.options import choose
from lakehouse.store import delta
from synthetic.shop import Shop
from tests.integration.conftest import Promoted
from tests.integration.warehouse import (
    accounts,
    content,
    deliver,
    deliver_lines,
    differences,
    done,
    everything,
    files_of,
    lake_at,
    leftovers,
    order_line,
    rows,
    run,
    versions,
)


def without_spark() -> SparkSession:
    raise SparkNotStarted("no Java here")


def test_a_second_run_commits_nothing_and_does_without_spark(promoted: Promoted) -> None:
    before = versions(promoted.warehouse)
    report = done(run(replace(promoted.lake, start=without_spark), promoted.shop.output))
    assert report.published == []
    assert versions(promoted.warehouse) == before
    assert leftovers(promoted.warehouse) == []


def test_a_new_day_touches_only_its_own_row(copied: Promoted, tmp_path: Path) -> None:
    inputs = deliver_lines(tmp_path / "new", order_line(1), order_line(2, price="93.98"))
    before = versions(copied.warehouse)
    days = content(copied.warehouse, "gold.sales_daily")
    report = done(run(copied.lake, inputs, table="gold.sales_daily"))
    assert [o.step.table.name for o in report.published] == [
        "bronze.shop_order_lines",
        "silver.order_lines",
        "gold.shops",  # which looks at its lines again, and finds its currency unchanged
        "gold.sales_daily",
    ]
    after = versions(copied.warehouse)
    touched = {name for name, version in after.items() if version != before[name] and not name.startswith("ops.")}
    assert touched == {"bronze.shop_order_lines", "silver.order_lines", "gold.shops", "gold.sales_daily"}
    newest = accounts(copied.warehouse, "gold.sales_daily")[-1]
    assert (newest["rows_read"], newest["rows_inserted"], newest["rows_updated"]) == (2, 1, 0)
    assert newest["amount_inserted"] == Decimal("103.98")
    feed = delta.changes(copied.lake, sales_daily.TABLE, before["gold.sales_daily"], after["gold.sales_daily"])
    assert [(row.sold_on, row["_change_type"]) for row in feed.collect()] == [(date(2024, 1, 21), "insert")]
    assert set(days) < set(content(copied.warehouse, "gold.sales_daily"))
    assert run(copied.lake, inputs, table="gold.sales_daily").published == []


def test_a_late_file_lands_where_it_belongs(spark: SparkSession, promoted: Promoted, tmp_path: Path) -> None:
    shop, lake = promoted.shop.output, lake_at(spark, tmp_path / "warehouse")
    late = promoted.dirt["order_lines"]["kinds"]["late"]["deliveries"]
    names = {entry["file"] for entry in late}
    files = files_of(shop, "orders", "order_lines", "products")
    inputs = deliver(tmp_path / "input", shop, (file for file in files if file.name not in names))
    done(run(lake, inputs, table="gold.sales_daily"))
    before = {row["sold_on"]: row for row in rows(lake.warehouse, "gold.sales_daily")}
    deliver(inputs, shop, (file for file in files if file.name in names))
    done(run(lake, inputs, table="gold.sales_daily"))
    for name in ("silver.order_lines", "silver.orders", "gold.sales_daily"):
        assert content(lake.warehouse, name) == content(promoted.warehouse, name), name
    after = {row["sold_on"]: row for row in rows(lake.warehouse, "gold.sales_daily")}
    changed = {day for day in after if after[day] != before.get(day)}
    assert changed == {date.fromisoformat(entry["day"]) for entry in late}
    arrived = sum(Decimal(entry["amount"]) for entry in late)
    assert sum(after[day]["line_amount"] - before[day]["line_amount"] for day in changed) == arrived
    newest = accounts(lake.warehouse, "gold.sales_daily")[-1]
    assert (newest["rows_inserted"], newest["rows_updated"], newest["rows_deleted"]) == (0, len(late), 0)
    assert newest["rows_read"] == sum(after[day]["lines"] for day in changed)


STEPS = choose(ALL, "shop")


@pytest.fixture(scope="module")
def in_two_deliveries(
    spark: SparkSession, shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, list[int]]:
    """A warehouse that got its files in two deliveries, drawn at random; and its input folder."""
    root = tmp_path_factory.mktemp("deliveries")
    lake, draw, published = lake_at(spark, root / "warehouse"), Random(20260131), []
    parts: list[list[Path]] = [[], []]
    for file in files_of(shop.output):
        # The catalogue comes first: a line whose product is not known yet goes into quarantine, as it should. The
        # second copy of a file comes last, so that the names of the files that are loaded are the same.
        part = 0 if file.parent.name == "products" else 1 if "_copy" in file.name else draw.randrange(2)
        parts[part].append(file)
    for files in parts:
        inputs = deliver(root / "input", shop.output, files)
        published.append(len(done(run(lake, inputs, steps=STEPS)).published))
    return lake.warehouse, root / "input", published


@pytest.mark.long
def test_two_deliveries_in_any_order_make_the_same_tables_as_one(
    in_two_deliveries: tuple[Path, Path, list[int]], promoted: Promoted
) -> None:
    warehouse, _, published = in_two_deliveries
    found, expected = everything(warehouse), everything(promoted.warehouse)
    assert min(published) > 0.75 * len(STEPS)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []
    assert [row["table"] for row in accounts(warehouse) if any(differences(row).values())] == []
    assert leftovers(warehouse) == []


@pytest.mark.long
def test_building_all_of_it_again_changes_no_row(
    spark: SparkSession, in_two_deliveries: tuple[Path, Path, list[int]], promoted: Promoted
) -> None:
    warehouse, inputs, _ = in_two_deliveries
    before = {row["batch_id"] for row in accounts(warehouse)}
    report = done(run(lake_at(spark, warehouse), inputs, steps=STEPS, full=True))
    again = [row for row in accounts(warehouse) if row["batch_id"] not in before]
    assert {row["table"] for row in again} == {step.step.table.name for step in report.published}
    assert len(again) == sum(step.feed is None for step in STEPS)  # bronze is what was delivered
    written = {
        row["table"]: counts
        for row in again
        if any(counts := [row[f"rows_{what}"] for what in ("inserted", "updated", "deleted")])
    }
    assert written == {}
    found, expected = everything(warehouse), everything(promoted.warehouse)
    assert [name for name in expected if found[name] != expected[name]] == []
    assert [row["table"] for row in again if any(differences(row).values())] == []
