"""One small shop with planted dirt, taken all the way once; tests that change the warehouse get a copy of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from jobs.steps import ALL
from lakehouse.run.console import run_shown
from lakehouse.run.options import choose
from lakehouse.run.runner import Report
from lakehouse.store.lake import Lake
from ml.core import lifecycle, scoring
from ml.core.tracking import Store
from ml.families import FAMILIES
from synthetic.base import Options
from synthetic.shop import Shop, make_shop
from tests.integration.warehouse import done, lake_at, run


@dataclass(frozen=True)
class Promoted:
    """A warehouse made of a shop; `dirt` is the shop's truth about what it delivered."""

    lake: Lake
    shop: Shop

    @property
    def warehouse(self) -> Path:
        return self.lake.warehouse

    @property
    def dirt(self) -> dict[str, Any]:
        return self.shop.dirt


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    output = tmp_path_factory.mktemp("road") / "shop"
    return make_shop(Options(output, days=20, customers=150, products=40, orders_per_day=12))


@pytest.fixture(scope="session")
def promoted(spark: SparkSession, shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Promoted:
    """Shared by many tests, which only read it."""
    lake = lake_at(spark, tmp_path_factory.mktemp("road") / "warehouse")
    report: Report = done(run(lake, shop.output))
    assert {promotion.step.table.name for promotion in report.published} == _fed()
    return Promoted(lake, shop)


def _fed() -> set[str]:
    """The tables that a shop fills: those it delivers, those made of nothing, and those that are made of these."""
    fed: set[str] = set()
    for step in choose(ALL, "shop"):
        if not step.reads or step.reads[0].table.name in fed:
            fed.add(step.table.name)
    return fed


@pytest.fixture(scope="session")
def scored(promoted: Promoted, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The same shop with what the plain baselines of all families say of it. Shared by tests, which only read it."""
    folder = tmp_path_factory.mktemp("road") / "scored"
    shutil.copytree(promoted.warehouse, folder)
    lake = lake_at(promoted.lake.spark, folder)
    store = Store(lake)
    found = [pair for family in FAMILIES.values() for pair in lifecycle.pairs(lake, family, "shop")]
    steps = [step for e, name in found for step in scoring.steps(e, name, lifecycle.serving(store, e, name))]
    done(run_shown(lake, steps, Console(file=StringIO())))
    return lake


@pytest.fixture
def copied(promoted: Promoted, tmp_path: Path) -> Iterator[Promoted]:
    """A copy of the promoted warehouse that a test may change."""
    folder = tmp_path / "copied"
    shutil.copytree(promoted.warehouse, folder)
    yield Promoted(lake_at(promoted.lake.spark, folder), promoted.shop)
    shutil.rmtree(folder)
