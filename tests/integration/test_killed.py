"""A run that is killed at any moment loses nothing and counts nothing twice: the next run heals it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.steps import ALL
from lakehouse.run.options import choose
from synthetic.shop import Shop
from tests.integration.killed_run import POINTS
from tests.integration.warehouse import (
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
STEPS = {step.table.name: step for step in choose(ALL, "shop", "silver.payments")}
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


def killed(base: Base, folder: Path, table: str, point: str, java: Mapping[str, str]) -> Path:
    """The warehouse that a run leaves behind which is killed after a point of a table's step."""
    warehouse = folder / "killed"
    shutil.copytree(base.before(table), warehouse)
    command = [
        sys.executable,
        "-m",
        "tests.integration.killed_run",
        str(warehouse),
        str(base.inputs),
        STEPS[table].name,
        point,
    ]
    ended = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **java}, capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    return warehouse


def java_of(spark: SparkSession, table: str) -> dict[str, str]:
    """Where a run finds the Java of the tests; bronze starts its own, and dies with it."""
    if table.startswith("bronze."):
        return {}
    gateway = spark.sparkContext._gateway
    assert gateway is not None  # a session without Spark Connect has one
    known = gateway.gateway_parameters
    return {"PYSPARK_GATEWAY_PORT": str(known.port), "PYSPARK_GATEWAY_SECRET": known.auth_token}


@pytest.mark.parametrize(("table", "point"), KILLED)
def test_the_next_run_heals_a_run_that_was_killed(
    spark: SparkSession, base: Base, tmp_path: Path, table: str, point: str
) -> None:
    warehouse = killed(base, tmp_path, table, point, java_of(spark, table))
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
        "profiles": ("step", "delivery"),
        "files": ("step", "file_id", "file"),
    }.items():
        counts = Counter(tuple(row[column] for column in key) for row in rows(warehouse, f"ops.{name}"))
        assert [where for where, count in counts.items() if count > 1] == [], name
    assert leftovers(warehouse) == []
    assert run(lake_at(spark, warehouse), base.inputs, steps=[STEPS[table]]).published == []
