"""A run that is killed at any moment loses nothing and counts nothing twice: the next run heals it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.steps import ALL
from lakehouse import job
from synthetic.shop import Shop
from tests.road.killed_run import POINTS
from tests.road.warehouse import (
    accounts,
    deliver,
    differences,
    done,
    everything,
    files_of,
    lake_at,
    leftovers,
    rows,
    run,
    versions,
)

ROOT = Path(__file__).resolve().parents[2]
STEPS = {step.table.name: step for step in job.choose(ALL, "shop", "silver.payments")}
COUNTS = ("rows_read", "rows_accepted", "rows_quarantined", "rows_duplicate", "rows_inserted", "amount_accepted")


@dataclass(frozen=True)
class Base:
    """Warehouses as they are before a step is killed, by the step's table, and as they are when nothing happens."""

    root: Path
    inputs: Path

    def before(self, table: str) -> Path:
        return self.root / f"before {table}"

    def undisturbed(self, table: str) -> Path:
        return self.root / f"undisturbed {table}"


@pytest.fixture(scope="module")
def base(spark: SparkSession, shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Base:
    """Three days have been taken all the way, so that the next seven are merged into what is there."""
    root = tmp_path_factory.mktemp("killed")
    found = Base(root, root / "input")
    days = files_of(shop.output, "payments")
    deliver(found.inputs, shop.output, days[:3])
    work = root / "work"
    done(run(lake_at(spark, work), found.inputs, table="silver.payments"))
    deliver(found.inputs, shop.output, days[3:10])
    for step in STEPS.values():
        shutil.copytree(work, found.before(step.table.name))
        done(run(lake_at(spark, work), found.inputs, steps=[step]))
        shutil.copytree(work, found.undisturbed(step.table.name))
    return found


KILLED = [*(("silver.payments", point) for point in POINTS), ("bronze.shop_payments", "published")]


def killed(base: Base, folder: Path, table: str, point: str) -> Path:
    """The warehouse that a run leaves behind which is killed after a point of a table's step."""
    warehouse = folder / f"{table} {point}"
    shutil.copytree(base.before(table), warehouse)
    command = [sys.executable, "-m", "tests.road.killed_run", str(warehouse), str(base.inputs)]
    ended = subprocess.run(
        [*command, STEPS[table].name, point], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    return warehouse


@pytest.fixture(scope="module")
def left_behind(base: Base, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], Future[Path]]]:
    """The killed runs, one after the other beside the tests that heal what they left."""
    folder = tmp_path_factory.mktemp("left behind")
    with ThreadPoolExecutor(max_workers=1) as workers:
        yield {(table, point): workers.submit(killed, base, folder, table, point) for table, point in KILLED}


@pytest.mark.parametrize(("table", "point"), KILLED)
def test_the_next_run_heals_a_run_that_was_killed(
    spark: SparkSession, base: Base, left_behind: dict[tuple[str, str], Future[Path]], table: str, point: str
) -> None:
    warehouse = left_behind[table, point].result()
    assert point == "flushing" or leftovers(warehouse) != []
    done(run(lake_at(spark, warehouse), base.inputs, steps=[STEPS[table]]))
    found, expected = everything(warehouse), everything(base.undisturbed(table))
    assert [name for name in expected if found[name] != expected[name]] == []
    assert versions(warehouse)[table] == versions(base.undisturbed(table))[table]
    accounted = accounts(warehouse, table)
    assert [row["batch_id"] for row in accounted if any(differences(row).values())] == []
    assert [[row[name] for name in COUNTS] for row in accounted] == [
        [row[name] for name in COUNTS] for row in accounts(base.undisturbed(table), table)
    ]
    for name, key in {
        "gate_results": ("batch_id", "suite", "expectation"),
        "lineage": ("batch_id", "source_table"),
        "files": ("step", "file_id", "file"),
    }.items():
        counts = Counter(tuple(row[column] for column in key) for row in rows(warehouse, f"ops.{name}"))
        assert [where for where, count in counts.items() if count > 1] == [], name
    assert leftovers(warehouse) == []
    assert run(lake_at(spark, warehouse), base.inputs, steps=[STEPS[table]]).published == []
