"""Property: whatever exports do to files, the same files give the same silver and gold, in any order, and in full."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.steps import ALL
from lakehouse.run.runner import run_steps
from lakehouse.store.lake import Lake
from tests.integration import programs
from tests.integration.programs import Population, Program
from tests.integration.warehouse import balances, everything, lake_at, rows

SEED = 20261127
SHOPS, RETAILERS, ROUNDS = 36, 10, 3


def written(
    seed: int, folder: Path, shops: int = SHOPS, retailers: int = RETAILERS
) -> tuple[Population, list[Program]]:
    """Programs of all sources."""
    people = programs.population(folder / "shop", shops, seed)
    buyers = programs.population(folder / "retail", retailers, seed + 1)
    of_shop = [programs.program(people, number, seed) for number in range(shops)]
    retail = [programs.online_retail(buyers, number, seed) for number in range(retailers)]
    return people, [*of_shop, *retail, *programs.panels(seed)]


def took(spark: SparkSession, folder: Path, rounds: Sequence[dict[str, list[str]]]) -> Lake:
    """The warehouse after a run for each round."""
    lake = lake_at(spark, folder / "warehouse")
    for files in rounds:
        programs.put(folder / "in", files)
        run(lake, folder / "in")
    return lake


def run(lake: Lake, inputs: Path, *, full: bool = False) -> None:
    # Without gates: half of the files here are wrong on purpose, and feeds would be taken for broken.
    again = lake_at(lake.spark, lake.warehouse)
    again.gates = False
    report = run_steps(again, ALL, inputs=inputs, full=full)
    assert report.errors == []
    assert report.unreadable == []


def tables(lake: Lake) -> dict[str, list[Any]]:
    """Silver and gold; bronze holds what was delivered, also what was replaced since."""
    return {name: found for name, found in everything(lake.warehouse).items() if "bronze." not in name}


def unlike(found: dict[str, list[Any]], expected: dict[str, list[Any]]) -> str:
    """What differs, told so that it can be looked for: the tables, and the first rows of each."""
    told = []
    for name in sorted(found.keys() | expected.keys()):
        here, there = map(set, (map(str, found.get(name, [])), map(str, expected.get(name, []))))
        if here != there or len(found.get(name, [])) != len(expected.get(name, [])):
            told.append(f"{name}: only here {sorted(here - there)[:3]}, only there {sorted(there - here)[:3]}")
    return "\n".join(told)


@pytest.fixture(scope="module")
def delivered(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Lake, Path, Population, list[Program]]:
    """A warehouse that took the files of all programs in three runs."""
    root = tmp_path_factory.mktemp("programs")
    people, all_programs = written(SEED, root)
    lake = took(spark, root, programs.schedule(all_programs, ROUNDS, Random(SEED)))
    return lake, root, people, all_programs


def test_in_one_run_or_three_the_tables_are_the_same(
    delivered: tuple[Lake, Path, Population, list[Program]], spark: SparkSession, tmp_path: Path
) -> None:
    lake, root, _, _ = delivered
    programs.copy(root / "in", tmp_path / "in")
    at_once = took(spark, tmp_path, [{}])
    assert unlike(tables(lake), tables(at_once)) == ""
    assert balances(lake)
    assert balances(at_once)


def test_another_order_makes_the_same_tables(
    delivered: tuple[Lake, Path, Population, list[Program]], spark: SparkSession, tmp_path: Path
) -> None:
    lake, _, _, all_programs = delivered
    other = took(spark, tmp_path, programs.schedule(all_programs, ROUNDS - 1, Random(SEED + 1)))
    assert unlike(tables(lake), tables(other)) == ""


def test_in_full_nothing_changes(delivered: tuple[Lake, Path, Population, list[Program]]) -> None:
    lake, root, _, _ = delivered
    before = tables(lake)
    run(lake, root / "in", full=True)
    assert unlike(tables(lake), before) == ""
    assert balances(lake)


def test_what_is_true_in_the_end_is_in_the_tables(
    delivered: tuple[Lake, Path, Population, list[Program]],
) -> None:
    lake, _, people, _ = delivered
    benign = {number for number in range(SHOPS) if number % 2 == 0}
    lines = {(row["order_id"], row["line_id"]): row for row in rows(lake.warehouse, "silver.order_lines")}
    checked = 0
    for line in people.rows["order_lines"]:
        if {people.owner(line["order_id"]), people.owner(line["product_id"])} <= benign:
            stored = lines[line["order_id"], line["line_no"]]
            worth = int(line["quantity"] or 0) * Decimal(line["unit_price"] or 0) - Decimal(line["discount"] or 0)
            assert (stored["amount"], str(stored["sold_on"])) == (worth, (line["ordered_at"] or "")[:10]), line
            checked += 1
    assert checked > len(people.rows["order_lines"]) / 10
    paid = {row["payment_id"]: row["amount"] for row in rows(lake.warehouse, "silver.payments")}
    for payment in people.rows["payments"]:
        if people.owner(payment["order_id"]) in benign:
            assert paid[payment["payment_id"]] == Decimal(payment["amount"] or 0), payment
