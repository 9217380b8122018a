"""Releases, files that are taken out again, and tables that are made anew."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from jobs import files as files_job
from jobs.steps import ALL
from lakehouse.accounts import releases
from lakehouse.errors import UsageError
from lakehouse.run.console import run_shown
from lakehouse.run.options import check_rebuild, choose
from lakehouse.store import log
from lakehouse.store.lake import Lake
from tests.integration.warehouse import balances, content, done, lake_at, rows, run

STEPS = choose(ALL, "shop", "silver.payments")
BRONZE, SILVER = "bronze.shop_payments", "silver.payments"


def deliver(folder: Path, day: int) -> Path:
    target = folder / "payments" / f"payments_2024-01-{day:02}.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    line = f"P{day},N{day},2024-01-{day:02} 08:00:00,card,{day}.50,EUR,captured"
    target.write_text(f"payment_id,order_id,paid_at,method,amount,currency,status\n{line}\n")
    return folder


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    made = lake_at(spark, tmp_path / "warehouse")
    for day in (1, 2):
        done(run(made, deliver(tmp_path / "in", day), steps=STEPS))
    return made


def test_a_release_names_tables_that_stand_together(lake: Lake, tmp_path: Path) -> None:
    first = releases.newest(lake)
    assert first is not None
    assert {BRONZE: 1, SILVER: 1}.items() <= first.versions.items()
    assert not run(lake, tmp_path / "in", steps=STEPS).is_release
    report = done(run(lake, deliver(tmp_path / "in", 3), steps=STEPS[:1]))
    assert (report.is_release, releases.newest(lake)) == (False, first), "silver has not taken in what bronze holds"
    assert done(run(lake, tmp_path / "in", steps=STEPS)).is_release
    last = releases.newest(lake)
    assert last is not None
    assert (last.versions[BRONZE], last.versions[SILVER]) == (2, 2)
    assert len(rows(lake.warehouse, "ops.releases")) == 3


def test_a_file_that_was_withdrawn_counts_no_more_until_it_is_restored(lake: Lake, tmp_path: Path) -> None:
    before, file = content(lake.warehouse, SILVER), "payments/payments_2024-01-02.csv"
    where = ["--warehouse", str(lake.warehouse)]
    assert files_job.main(["withdraw", file, "--why", "a test of the till", *where]) == 0
    for full in (False, True):
        done(run(lake, tmp_path / "in", steps=STEPS, full=full))
        assert [row["payment_id"] for row in rows(lake.warehouse, SILVER)] == ["P1"]
    assert len(rows(lake.warehouse, BRONZE)) == 2, "what was delivered stays in bronze"
    with pytest.raises(UsageError, match="it was withdrawn already"):
        files_job.main(["withdraw", file, *where])
    assert files_job.main(["restore", file, *where]) == 0
    done(run(lake, tmp_path / "in", steps=STEPS))
    assert content(lake.warehouse, SILVER) == before
    with pytest.raises(UsageError, match="no such file was loaded"):
        files_job.main(["withdraw", "payments/payments_2024-01-09.csv", *where])
    assert balances(lake)


def test_a_table_is_made_anew_from_what_is_below_it(lake: Lake, tmp_path: Path) -> None:
    before, head = content(lake.warehouse, SILVER), log.head(lake, SILVER)
    assert head is not None
    again = lake_at(lake.spark, lake.warehouse)
    done(run_shown(again, STEPS, Console(file=StringIO()), rebuild=SILVER, inputs=tmp_path / "in"))
    assert content(lake.warehouse, SILVER) == before
    now = log.head(lake, SILVER)
    assert now is not None
    assert now.commit.inserted == 2
    assert now.version == head.version + 1
    done(run(lake, deliver(tmp_path / "in", 3), steps=STEPS))
    assert len(rows(lake.warehouse, SILVER)) == 3
    assert balances(lake)


@pytest.mark.parametrize(
    ("table", "source", "says"),
    [
        ("silver.nothing", None, "unknown table here"),
        (BRONZE, None, "it holds what was delivered"),
        ("silver.order_lines", "shop", "this run leaves out silver.order_lines <- bronze.online_retail"),
    ],
)
def test_what_cannot_be_made_anew_is_refused(table: str, source: str | None, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        check_rebuild(ALL, choose(ALL, source), table)
