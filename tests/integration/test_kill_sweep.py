"""Sweep: a run that is stopped at any moment, whole or in part, is healed by the next: no row or penny differs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyspark.sql import SparkSession

from synthetic.shop import Shop
from tests.integration.warehouse import balances, deliver, done, everything, files_of, lake_at, leftovers, run

ROOT = Path(__file__).resolve().parents[2]
TABLE, FEEDS = "gold.sales_daily", ("orders", "order_lines", "products")
FIRST, LATER, FULL = SCENARIOS = ("first", "later", "full")
MOMENTS, OF_PYTHON, OF_JAVA = 34, 7, 4
"""Of each scenario: stopped as a whole, and its Python or its Java killed."""

pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Scenario:
    """A run to be stopped: the warehouse before it, its input folder, and all tables as they are after it."""

    name: str
    before: Path
    inputs: Path
    expected: dict[str, list[Any]]

    def start(self, warehouse: Path) -> subprocess.Popen[bytes]:
        """The run on a copy of the warehouse, in a group of processes of its own."""
        if self.before.is_dir():
            shutil.copytree(self.before, warehouse)
        job = [sys.executable, "-m", "jobs.run", "--source", "shop", "--table", TABLE, "--input", str(self.inputs)]
        job += ["--warehouse", str(warehouse), *(["--full"] if self.name == FULL else [])]
        quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(job, cwd=ROOT, start_new_session=True, **quiet)

    def check_healed(self, spark: SparkSession, warehouse: Path) -> None:
        """The next run makes of what was left the tables of a run that nothing stopped."""
        lake = lake_at(spark, warehouse)
        done(run(lake, self.inputs, table=TABLE, full=self.name == FULL))
        found = everything(warehouse)
        assert [name for name in self.expected if found.get(name) != self.expected[name]] == []
        assert balances(lake)
        assert leftovers(warehouse) == []


@pytest.fixture(scope="module", params=SCENARIOS)
def scenario(
    request: pytest.FixtureRequest, spark: SparkSession, shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> Scenario:
    root = tmp_path_factory.mktemp(f"killed {request.param}")
    days = files_of(shop.output, *FEEDS)
    inputs, before = root / "in", root / "before"
    if request.param != FIRST:
        deliver(inputs, shop.output, [f for f in days if "2024-01-0" in f.name or "products" in f.name])
        done(run(lake_at(spark, before), inputs, table=TABLE))
    deliver(inputs, shop.output, days)
    if request.param == FULL:
        done(run(lake_at(spark, before), inputs, table=TABLE))
    undisturbed = root / "undisturbed"
    if before.is_dir():
        shutil.copytree(before, undisturbed)
    done(run(lake_at(spark, undisturbed), inputs, table=TABLE, full=request.param == FULL))
    return Scenario(request.param, before, inputs, everything(undisturbed))


def stopped(scenario: Scenario, folder: Path, draw: Random) -> Iterator[Path]:
    """Copies of the warehouse at random moments of one run, all of whose processes stand still meanwhile."""
    started = time.monotonic()
    scenario.start(folder / "timed").wait()
    took = time.monotonic() - started
    process = scenario.start(folder / "running")
    started, paused = time.monotonic(), 0.0
    for number, moment in enumerate(sorted(draw.uniform(0, took) for _ in range(MOMENTS))):
        time.sleep(max(0.0, moment - (time.monotonic() - started - paused)))
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGSTOP)
        halted = time.monotonic()
        if (folder / "running").is_dir():
            yield Path(shutil.copytree(folder / "running", folder / f"at {number}"))
        paused += time.monotonic() - halted
        os.killpg(process.pid, signal.SIGCONT)
    process.wait()


def test_a_run_that_is_stopped_at_any_moment_is_healed(scenario: Scenario, spark: SparkSession, tmp_path: Path) -> None:
    copies = list(stopped(scenario, tmp_path, Random(scenario.name)))
    assert len(copies) > MOMENTS / 3
    for copy in copies:
        scenario.check_healed(spark, copy)


@pytest.mark.parametrize(("victim", "times"), [("python", OF_PYTHON), ("java", OF_JAVA)])
def test_a_run_whose_python_or_java_is_killed_is_healed(
    scenario: Scenario, spark: SparkSession, tmp_path: Path, victim: str, times: int
) -> None:
    draw = Random(f"{scenario.name} {victim}")
    for number in range(times):
        process = scenario.start(tmp_path / f"{number}")
        time.sleep(draw.uniform(6, 40))
        killed = process.pid if victim == "python" else _java_of(process.pid)
        if killed and process.poll() is None:
            os.kill(killed, signal.SIGKILL)
        process.wait()
        while _is_running(process.pid):  # Java ends a moment after its Python
            time.sleep(0.1)
        scenario.check_healed(spark, tmp_path / f"{number}")


def _members(group: int) -> list[tuple[int, str]]:
    told = subprocess.run(["ps", "-eo", "pid,pgid,comm"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in told.splitlines()[1:]]
    return [(int(pid), name) for pid, of_group, name in rows if int(of_group) == group]


def _java_of(group: int) -> int | None:
    return next((pid for pid, name in _members(group) if name.startswith("java")), None)


def _is_running(group: int) -> bool:
    return any("defunct" not in name for _, name in _members(group))
