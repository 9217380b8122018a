"""Sweep: a job that is stopped at any moment, whole or in part, is healed by the next: no row or penny differs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakehouse.errors import UsageError
from synthetic.shop import Shop
from tests.integration.habits import lines_of, publish
from tests.integration.warehouse import (
    balances,
    deliver,
    deliver_lines,
    everything,
    files_of,
    lake_at,
    leftovers,
    order_line,
)

ROOT = Path(__file__).resolve().parents[2]
TABLE, FEEDS = "gold.sales_daily", ("orders", "order_lines", "products")
FIRST, LATER, FULL, TRAIN, SCORE, RESUBMIT = SCENARIOS = ("first", "later", "full", "train", "score", "resubmit")
TRAINING, SCORING = (("train", "segment"), ("score", "segment"))
NEGATIVE = "unit_price.sign"
MOMENTS, OF_PYTHON, OF_JAVA = 17, 4, 2
"""Of each scenario: stopped as a whole, and its Python or its Java killed."""

pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Scenario:
    """A job to be stopped: its name and arguments, the warehouse before it, and all tables as they are after it.

    `run` is the shop's nightly run.
    """

    name: str
    job: tuple[str, ...]
    run: tuple[str, ...]
    before: Path
    expected: dict[str, list[Any]]

    def start(self, warehouse: Path) -> subprocess.Popen[bytes]:
        """The job on a copy of the warehouse, in a group of processes of its own."""
        if self.before.is_dir():
            shutil.copytree(self.before, warehouse)
        name, *arguments = self.job
        command = [sys.executable, "-m", f"jobs.{name}", *arguments, "--warehouse", str(warehouse)]
        quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(command, cwd=ROOT, start_new_session=True, **quiet)

    def check_healed(self, spark: SparkSession, warehouse: Path) -> None:
        """The job once more makes of what was left the tables of a job that nothing stopped."""
        try:
            found = after(warehouse, self.job)
        except UsageError as error:
            if "no row waits in quarantine for" not in str(error):
                raise
            found = after(warehouse, self.run)  # the rows came in: what is left is what any run does
        assert [name for name in self.expected if found.get(name) != self.expected[name]] == []
        assert balances(lake_at(spark, warehouse))
        assert leftovers(warehouse) == []


def after(warehouse: Path, job: tuple[str, ...]) -> dict[str, list[Any]]:
    """All tables after a job in this process; a training shows in what its champion scores."""
    for name, *arguments in (job, SCORING) if job == TRAINING else (job,):
        assert import_module(f"jobs.{name}").main([*arguments, "--warehouse", str(warehouse)]) == 0
    found = everything(warehouse)
    if job != TRAINING:
        return found
    # A training that is made again is another run and another version; when it was does not count.
    told = [json.loads(row) for row in found.pop("gold.model_scorecard")]
    assert len({row["version"] for row in told if row["is_champion"]}) == 1
    return {name: [_without_version(row) for row in rows] for name, rows in found.items()}


def _without_version(row: str) -> str:
    return json.dumps({name: value for name, value in json.loads(row).items() if name not in ("model", "model_run")})


@pytest.fixture(scope="module", params=SCENARIOS)
def scenario(
    request: pytest.FixtureRequest, spark: SparkSession, shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> Scenario:
    name: str = request.param
    root = tmp_path_factory.mktemp(f"killed {name}")
    inputs, before, undisturbed = root / "in", root / "before", root / "undisturbed"
    nightly = ("run", "--source", "shop", "--input", str(inputs))
    run = (*nightly, "--table", TABLE)
    days = files_of(shop.output, *FEEDS)
    job = {
        FULL: (*run, "--full"),
        TRAIN: TRAINING,
        SCORE: SCORING,
        RESUBMIT: (
            "quarantine",
            "resubmit",
            "silver.order_lines",
            "--rule",
            "unit_price.sign",
            "--set",
            "unit_price=9",
        ),
    }.get(name, run)
    if name == LATER:
        deliver(inputs, shop.output, [f for f in days if "2024-01-0" in f.name or "products" in f.name])
        after(before, run)
    deliver(inputs, shop.output, days)
    if name == FULL:
        after(before, run)
    if name == RESUBMIT:
        deliver_lines(inputs, *(order_line(number, price="-9.00") for number in range(1, 6)))
        after(before, run)
    if name in (TRAIN, SCORE):
        publish(lake_at(spark, before), lines_of("big", 240))
    if name == SCORE:
        assert import_module("jobs.train").main(["segment", "--warehouse", str(before)]) == 0
    if before.is_dir():
        shutil.copytree(before, undisturbed)
    return Scenario(name, job, nightly, before, after(undisturbed, job))


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


def test_a_job_that_is_stopped_at_any_moment_is_healed(scenario: Scenario, spark: SparkSession, tmp_path: Path) -> None:
    copies = list(stopped(scenario, tmp_path, Random(scenario.name)))
    assert len(copies) > MOMENTS / 3
    for copy in copies:
        scenario.check_healed(spark, copy)


@pytest.mark.parametrize(("victim", "times"), [("python", OF_PYTHON), ("java", OF_JAVA)])
def test_a_job_whose_python_or_java_is_killed_is_healed(
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
