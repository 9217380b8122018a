"""What later deliveries are compared with is kept by real promotions, and only what came new is compared."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from rich.console import Console

from lakehouse.accounts import ops_tables
from lakehouse.accounts.journal import done as noted
from lakehouse.accounts.journal import flush
from lakehouse.clock import Clock
from lakehouse.declare.conform import typed
from lakehouse.declare.rules import not_null, one_of
from lakehouse.declare.table import Field, Read, Step, Table
from lakehouse.intake.feeds import Feed, as_delivered, feed_table
from lakehouse.promotion.watch import SAYS
from lakehouse.run.console import summarise
from lakehouse.run.runner import Report, run_steps
from lakehouse.store.lake import Lake
from tests.integration.warehouse import done, lake_at, rows

NAMES = ("sale_id", "sold_on", "customer", "country", "kind", "amount", "currency")
FEED = Feed("corner", "sales", "sales_*.csv", {name: (name,) for name in NAMES})
BRONZE = feed_table("bronze.corner_sales", "A sale, as delivered.", FEED, dict.fromkeys(NAMES, "as delivered"))
SALES = Table(
    "silver.corner_sales",
    "A sale of a corner shop.",
    ("sale_id",),
    (
        Field("sale_id", "string", "sale", rules=(not_null(),)),
        Field("sold_on", "date", "day", rules=(not_null(),)),
        Field("customer", "string", "customer; null for who is not known"),
        Field("country", "string", "country", unknown="ZZ"),
        Field("kind", "string", "what was sold", rules=(one_of(("tea", "milk")),)),
        Field("amount", "decimal(19,3)", "money"),
        Field("currency", "string", "currency", rules=(not_null(),)),
    ),
    "One row per sale.",
    amount="amount",
    day="sold_on",
    currency="currency",
    max_quarantined=0.5,
)
MONDAY = date(2026, 1, 5)


def sales(corner_sales: DataFrame) -> DataFrame:
    columns: dict[str, Any] = {name: name for name in NAMES}
    return typed(corner_sales, SALES, **columns)


def steps(table: Table = SALES) -> list[Step]:
    return [
        Step(BRONZE, as_delivered, feed=FEED, source="corner"),
        Step(
            table,
            sales,
            (Read(BRONZE, groups={"sale_id": "sale_id"}),),
            recompute=("sale_id",),
            amount="TRY_CAST(amount AS DECIMAL(30,6))",
            source="corner",
        ),
    ]


def line(number: int, day: date, **given: str) -> str:
    usual = {"customer": f"c{number % 7}", "country": "DE", "kind": "tea", "amount": "10.00", "currency": "EUR"}
    row = {"sale_id": f"{day}-{number}", "sold_on": str(day)} | usual | given
    return ",".join(row[name] for name in NAMES)


def deliver(folder: Path, number: int, lines: Callable[[date], list[str]] | None = None) -> Path:
    """The file of a day: 30 sales and some, unless others are given."""
    day = MONDAY + timedelta(number)
    path = folder / f"sales_{day}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    told = lines(day) if lines else [line(n, day) for n in range(30 + number % 4)]
    path.write_text("\n".join([",".join(NAMES), *told, ""]))
    return folder


def fixed(now: datetime) -> Clock:
    return lambda: now


def run(lake: Lake, inputs: Path, days: int, *, full: bool = False, table: Table = SALES) -> Report:
    """A run in the morning after so many days."""
    now = datetime(2026, 1, 5, 6, tzinfo=UTC) + timedelta(days)
    return run_steps(replace(lake, clock=fixed(now), run_id=""), steps(table), full=full, inputs=inputs)


def learnt(report: Report) -> dict[str, str | None]:
    """The kinds that could be judged, each with what was unusual."""
    found = [f for promotion in report.promotions for f in promotion.findings if f.expectation.startswith("learnt.")]
    return {f.expectation.removeprefix("learnt."): f.observed for f in found}


@pytest.fixture(scope="module")
def known(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of four weeks, delivered in one run, and the files beside it."""
    root = tmp_path_factory.mktemp("watch")
    lake = lake_at(spark, root / "warehouse")
    for number in range(28):
        deliver(root / "in", number)
    assert learnt(done(run(lake, root / "in", 28))) == {}, "a young warehouse is silent"
    return root


@pytest.fixture
def lake(spark: SparkSession, known: Path, tmp_path: Path) -> Iterator[Lake]:
    shutil.copytree(known, tmp_path, dirs_exist_ok=True)
    yield lake_at(spark, tmp_path / "warehouse")
    shutil.rmtree(tmp_path / "warehouse")


def spoilt(day: date) -> list[str]:
    """Ten times as many sales, of unknown buyers and countries, some of things that are not sold, one in dollars."""
    lines = [line(n, day, customer="", country="ZZ" if n % 2 else "DE") for n in range(300)]
    refused = [line(n, day, kind="gold") for n in range(300, 350)]
    return [*lines, *refused, line(350, day, currency="USD")]


def test_files_are_described_one_by_one(known: Path) -> None:
    found = sorted(rows(known / "warehouse", "ops.profiles"), key=lambda row: row["file"])
    assert len(found) == 28
    assert {row["step"] for row in found} == {"silver.corner_sales <- bronze.corner_sales"}
    assert [(row["newest_on"], row["rows_accepted"]) for row in found] == [
        (MONDAY + timedelta(number), 30 + number % 4) for number in range(28)
    ]
    assert found[1]["amounts"] == {"EUR": Decimal("310.000000")}
    assert all((row["missing"], row["unknown"], row["rows_quarantined"]) == ({}, {}, 0) for row in found)


def test_a_usual_day_passes_and_a_spoilt_one_is_told_with_its_numbers(lake: Lake, tmp_path: Path) -> None:
    inputs = tmp_path / "in"
    usual = done(run(lake, deliver(inputs, 28), 29))
    assert learnt(usual) == dict.fromkeys(set(SAYS) - {"freshness"})
    assert usual.warnings == []

    report = done(run(lake, deliver(inputs, 29, spoilt), 30))
    found = learnt(report)
    file = "sales_2026-02-03.csv"
    assert found == {
        "volume": f"{file} (2026-02-03): 351 rows, usually 32 (4 Tuesdays, from 30 to 33)",
        "missing": f"{file}: customer is missing in 300 of 301 rows (100%), usually in 0% (4 Tuesdays)",
        "unknown": f"{file}: country is unknown in 150 of 351 rows (43%), usually in 0% (4 Tuesdays), and 1 more",
        "amount": f"{file} (2026-02-03): 3,000.00 EUR, usually 315.00 (4 Tuesdays, from 300.00 to 330.00)",
        "currency": f"{file} has 10.00 USD, never seen in 29 files (EUR)",
    }
    screen = io.StringIO()
    summarise(lake, report, Console(file=screen, width=400))
    for kind, says in SAYS.items():
        if kind in found:
            assert f"warning: silver.corner_sales: {says}; {found[kind]}\n" in screen.getvalue()
    noted_rows = [r for r in rows(lake.warehouse, "ops.gate_results") if r["suite"] == "silver.corner_sales.learnt"]
    assert {r["expectation"].removeprefix("learnt.") for r in noted_rows if not r["passed"]} == set(found)
    assert all(r["is_warning"] for r in noted_rows)

    described = rows(lake.warehouse, "ops.profiles")
    for again in (False, True):  # the same files, and all of silver anew
        report = done(run(lake, inputs, 31, full=again))
        assert len(report.published) == again
        assert learnt(report) == {}
    corrected = done(run(lake, deliver(inputs, 28, lambda day: [line(n, day, amount="11.00") for n in range(30)]), 32))
    assert {kind for kind, observed in learnt(corrected).items() if observed} == set()
    assert len(rows(lake.warehouse, "ops.profiles")) == len(described) + 1


def test_a_declaration_lets_it_block_and_nothing_is_learnt_of_what_was_blocked(lake: Lake, tmp_path: Path) -> None:
    before = rows(lake.warehouse, "ops.profiles")
    table = replace(SALES, blocks_on=("currency",))
    report = run(lake, deliver(tmp_path / "in", 28, spoilt), 29, table=table)
    ((_, message, code),) = report.errors
    assert code == 3
    assert "learnt.currency (a delivered file has only currencies that came before), observed" in message
    assert "10.00 USD, never seen in 28 files (EUR)" in message
    assert "learnt.volume" not in message
    assert rows(lake.warehouse, "ops.profiles") == before
    done(run(lake, deliver(tmp_path / "in", 28), 30, table=table))
    assert len(rows(lake.warehouse, "ops.profiles")) == 29


def test_a_feed_that_falls_silent_is_told_of_once_it_waits_longer_than_ever(lake: Lake, tmp_path: Path) -> None:
    """Ten mornings, each with the file of the day before, as `ops.profiles` has them."""
    for number in range(28, 38):
        at = datetime(2026, 1, 5, 6, tzinfo=UTC) + timedelta(number + 1)
        file = f"sales_{number}.csv"
        row: dict[str, Any] = {"table": SALES.name, "step": steps()[1].name, "at": at.isoformat()}
        row |= {"delivery": f"b{number}|{file}", "file": file, "newest_on": str(MONDAY + timedelta(number))}
        row |= {"rows_accepted": 30, "rows_quarantined": 0, "missing": {}, "unknown": {}, "amounts": {"EUR": "300"}}
        noted(replace(lake, clock=fixed(at)), ops_tables.PROFILES, row["step"], row).save()
    flush(lake)
    inputs = tmp_path / "in"
    assert run(lake, inputs, 40).warnings == []
    (warning,) = run(lake, inputs, 45).warnings
    assert warning.startswith(
        "silver.corner_sales: a feed brings its newest day about as late as ever; the newest day is 2026-02-11, 8.2 "
        "days ago; usually the next came after 2.2 days"
    )
    assert learnt(done(run(lake, deliver(inputs, 45), 46)))["freshness"] is None
