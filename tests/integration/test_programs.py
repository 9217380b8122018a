"""Property: whatever exports do to files, the same files give the same silver and gold, in any order, and in full."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
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

SEED, SWEEP = 20261127, 40
SHOPS, RETAILERS = 36, 10
"""With the four panels, 50 programs for each seed."""


@dataclass(frozen=True)
class Delivered:
    """A warehouse that took the files of all programs, round by round, and its input folder."""

    lake: Lake
    inputs: Path
    people: Population
    programs: list[Program]


def delivered_by(seed: int, rounds: int, spark: SparkSession, folder: Path) -> Delivered:
    """Programs of all sources, written by a seed and delivered in some rounds."""
    people = programs.population(folder / "shop", SHOPS, seed)
    buyers = programs.population(folder / "retail", RETAILERS, seed + 1)
    written = [programs.program(people, number, seed) for number in range(SHOPS)]
    written += [programs.online_retail(buyers, number, seed) for number in range(RETAILERS)]
    written += programs.panels(seed)
    lake = took(spark, folder, programs.schedule(written, rounds, Random(seed)))
    return Delivered(lake, folder / "in", people, written)


def took(spark: SparkSession, folder: Path, rounds: Sequence[dict[str, list[str]]]) -> Lake:
    """The warehouse after a run for each round."""
    lake = lake_at(spark, folder / "warehouse")
    for files in rounds:
        programs.put(folder / "in", files)
        run(lake, folder / "in")
    return lake


def run(lake: Lake, inputs: Path, *, full: bool = False) -> None:
    """Take all tables of all sources, without gates: so many files here are wrong that feeds would be called broken."""
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


def at_once(spark: SparkSession, delivered: Delivered, folder: Path) -> Lake:
    """A warehouse that found all files in its first run."""
    shutil.copytree(delivered.inputs, folder / "in")
    return took(spark, folder, [{}])


def check_what_is_true(delivered: Delivered) -> None:
    """The lines and payments of programs that end as they truly are stand in silver, each once, with their worth."""
    benign = {number for number in range(SHOPS) if number % 2 == 0}
    people, warehouse = delivered.people, delivered.lake.warehouse
    lines = {(row["order_id"], row["line_id"]): row for row in rows(warehouse, "silver.order_lines")}
    checked = 0
    for line in people.rows["order_lines"]:
        if {people.owner(line["order_id"]), people.owner(line["product_id"])} <= benign:
            stored = lines[line["order_id"], line["line_no"]]
            worth = int(line["quantity"] or 0) * Decimal(line["unit_price"] or 0) - Decimal(line["discount"] or 0)
            assert (stored["amount"], str(stored["sold_on"])) == (worth, (line["ordered_at"] or "")[:10]), line
            checked += 1
    assert checked > len(people.rows["order_lines"]) / 10
    paid = {row["payment_id"]: row["amount"] for row in rows(warehouse, "silver.payments")}
    for payment in people.rows["payments"]:
        if people.owner(payment["order_id"]) in benign:
            assert paid[payment["payment_id"]] == Decimal(payment["amount"] or 0), payment


@pytest.fixture(scope="module")
def delivered(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    return delivered_by(SEED, 2, spark, tmp_path_factory.mktemp("programs"))


def test_in_one_run_or_two_the_tables_are_the_same(delivered: Delivered, spark: SparkSession, tmp_path: Path) -> None:
    other = at_once(spark, delivered, tmp_path)
    assert unlike(tables(delivered.lake), tables(other)) == ""
    assert balances(delivered.lake)
    assert balances(other)


def test_in_full_nothing_changes(delivered: Delivered) -> None:
    before = tables(delivered.lake)
    run(delivered.lake, delivered.inputs, full=True)
    assert unlike(tables(delivered.lake), before) == ""
    assert balances(delivered.lake)


def test_what_is_true_in_the_end_is_in_the_tables(delivered: Delivered) -> None:
    check_what_is_true(delivered)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(SWEEP))
def test_two_thousand_programs(seed: int, spark: SparkSession, tmp_path: Path) -> None:
    delivered = delivered_by(seed, 4, spark, tmp_path / "in four")
    found = tables(delivered.lake)
    assert unlike(found, tables(at_once(spark, delivered, tmp_path / "at once"))) == ""
    in_another_order = programs.schedule(delivered.programs, 3, Random(seed + 1))
    assert unlike(found, tables(took(spark, tmp_path / "another order", in_another_order))) == ""
    run(delivered.lake, delivered.inputs, full=True)
    assert unlike(tables(delivered.lake), found) == ""
    assert balances(delivered.lake)
    check_what_is_true(delivered)
