"""Sources without order lines: weekly and monthly series with what drives them, and ratings."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console

import bronze
from jobs.steps import ALL
from lakehouse.declare.table import Step
from lakehouse.errors import GateBlocked
from lakehouse.promotion.promote import promote
from lakehouse.run.console import run_shown
from lakehouse.store.lake import Lake
from tests.integration.warehouse import accounts, differences, done, lake_at, refusals, rows

SOURCES = ("walmart_weekly", "stallion_beverages", "movielens_100k")
TABLES = ("silver.period_sales", "silver.demand_drivers", "silver.feedback", "gold.demand_periods")
FRIDAY = date(2011, 11, 4)


def weeks(count: int) -> list[date]:
    return [FRIDAY + timedelta(7 * n) for n in range(count)]


def deliver(folder: Path) -> Path:
    """Two stores with two departments, an agency with two products, and three viewers."""
    folder.mkdir()
    places = [(store, dept) for store in (1, 2) for dept in (1, 2)]
    sales = [f"{store},{dept},{week},{100 * store + dept}.25,FALSE" for store, dept in places for week in weeks(6)]
    sales.append(f"2,1,{weeks(7)[6]},not known,FALSE")
    header = "Store,Dept,Date,Weekly_Sales,IsHoliday"
    (folder / "train.csv.gz").write_bytes(gzip.compress("\n".join([header, *sales, ""]).encode()))
    names = (
        "Store,Date,Temperature,Fuel_Price,MarkDown1,MarkDown2,MarkDown3,MarkDown4,MarkDown5,CPI,Unemployment,IsHoliday"
    )
    known = [f"{store},{week},42.3,2.57,NA,5.5,NA,NA,NA,211.1,8.1,TRUE" for store in (1, 2) for week in weeks(9)]
    (folder / "features.csv").write_text("\n".join([names, *known, ""]))
    stallion = next(step for step in bronze.STEPS if step.table.name == "bronze.stallion").feed
    columns = list(stallion.columns)
    months = []
    for sku, volume, price in (("SKU_01", "52.272", "1069.17"), ("SKU_02", "0", "0")):
        row = dict.fromkeys(columns, "0") | {
            "agency": "Agency_22",
            "sku": sku,
            "volume": volume,
            "date": "2013-01-01",
            "price_regular": "1168.9",
            "price_actual": price,
        }
        months.append(",".join(row[name] for name in columns))
    (folder / "stallion.csv").write_text("\n".join([",".join(columns), *months, ""]))
    (folder / "u.data").write_text("196\t242\t3\t881250949\n196\t243\t6\t881250950\n" + "7\t242\t4\t881250951\n" * 30)
    return folder


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    root = tmp_path_factory.mktemp("sources")
    inputs, made = deliver(root / "in"), lake_at(spark, root / "warehouse")
    steps = [step for step in ALL if step.source in SOURCES or step.table.name == "gold.demand_periods"]
    done(run_shown(made, steps, Console(file=StringIO()), inputs=inputs))
    return lake_at(spark, root / "warehouse")


def test_every_row_and_cent_is_accounted_for(lake: Lake) -> None:
    for account in accounts(lake.warehouse):
        assert set(differences(account).values()) == {0}, account["table"]
    (walmart,) = (a for a in accounts(lake.warehouse, "silver.period_sales") if "walmart" in a["step"])
    assert (walmart["rows_read"], walmart["rows_accepted"], walmart["rows_quarantined"]) == (25, 24, 1)
    expected = sum(Decimal(f"{100 * store + dept}.25") * 6 for store in (1, 2) for dept in (1, 2))
    assert walmart["amount_accepted"] == expected


def test_what_cannot_be_read_is_refused_with_its_line(lake: Lake) -> None:
    ((_, file, line, row, rules),) = refusals(lake.warehouse, "silver.period_sales")
    assert (file, line) == ("train.csv.gz", 26)
    assert "not known" in row
    assert "amount.type" in rules
    assert [found[4] for found in refusals(lake.warehouse, "silver.feedback")] == [("rating.between",)]


def test_weeks_to_come_are_there_with_what_is_known_of_them(lake: Lake) -> None:
    series = [row for row in rows(lake.warehouse, "gold.demand_periods") if row["series_id"] == "1/2"]
    assert [row["period_on"] for row in sorted(series, key=lambda row: row["period_on"])] == weeks(9)
    assert sorted(row["demand"] or 0 for row in series) == [0, 0, 0, *[102.25] * 6]
    assert {tuple((d["driver"], d["value"]) for d in row["drivers"]) for row in series} == {
        (("is_holiday", 1.0), ("markdown_2", 5.5))
    }
    assert {row["unit"] for row in series} == {"USD"}


def test_a_price_that_is_only_known_after_a_sale_is_no_driver(lake: Lake) -> None:
    months = {row["product_id"]: row for row in rows(lake.warehouse, "gold.demand_periods") if row["frequency"] == "M"}
    named = {sku: {d["driver"] for d in row["drivers"]} for sku, row in months.items()}
    assert named["SKU_01"] - named["SKU_02"] == {"price_actual", "discount", "discount_in_percent"}
    assert "price_regular" in named["SKU_02"]


@pytest.mark.parametrize("table", TABLES)
def test_the_gates_of_these_tables_block(lake: Lake, table: str) -> None:
    step: Step = next(step for step in ALL if step.table.name == table)
    rule = next(rule for rule in step.table.row_rules if rule.name.endswith(".not_null"))
    column = rule.columns[0]

    def build(**inputs: DataFrame) -> DataFrame:
        return step.build(**inputs).withColumn(column, F.lit(None).cast(step.table.all_columns[column][0]))

    before = rows(lake.warehouse, table)
    with pytest.raises(GateBlocked, match="nothing was published"):
        promote(lake, replace(step, build=build), full=True)
    assert rows(lake.warehouse, table) == before
