"""Customers keep their history, in the order in which things happened, and their secrets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from bronze.shop.customers import MEANINGS
from jobs.steps import ALL
from lakehouse.run.console import run_shown
from lakehouse.run.options import choose
from lakehouse.run.runner import Report
from lakehouse.store.lake import Lake
from synthetic.layout import FEEDS
from tests.integration.conftest import Promoted
from tests.integration.test_planted_dirt import planted
from tests.integration.warehouse import accounts, content, done, lake_at, rows, run, tables

PERSONAL = ("email", "first_name", "last_name", "phone", "birth_date", "street")
ANNA = {
    "customer_id": "C1",
    "email": "anna@example.com",
    "first_name": "Anna",
    "last_name": "Schmidt-Rottluff",
    "phone": "+49301234567",
    "birth_date": "1980-02-29",
    "street": "Nordring 5",
    "city": "Berlin",
    "postcode": "10115",
    "country": "DE",
    "registered_at": "2024-01-01 09:00:00",
    "acquisition_channel": "social",
    "marketing_consent": "false",
}
BERT = ANNA | {"customer_id": "C2", "first_name": "Bert", "phone": ""}


def deliver(folder: Path, name: str, *states: dict[str, str]) -> None:
    path = folder / "customers" / f"customers_{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([",".join(MEANINGS), *(",".join(state[c] for c in MEANINGS) for state in states), ""]))


def at(day: int) -> dict[str, str]:
    return {"updated_at": f"2024-01-{day:02} 09:00:00"}


def moment(day: int) -> datetime:
    return datetime(2024, 1, day, 9, tzinfo=UTC)


def history(warehouse: Path, customer_id: str) -> list[dict[str, Any]]:
    found = [row for row in rows(warehouse, "silver.customers") if row["customer_id"] == customer_id]
    return sorted(found, key=lambda row: row["__START_AT"])


@pytest.fixture(scope="module")
def customers(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three changes and one that says nothing new; then, late, one that happened in the middle."""
    root = tmp_path_factory.mktemp("history")
    lake, inputs = lake_at(spark, root / "warehouse"), root / "in"
    deliver(inputs, "1", ANNA | at(1), BERT | at(2), ANNA | {"city": "Köln"} | at(5))
    deliver(inputs, "2", ANNA | {"city": "Köln"} | at(7), ANNA | {"city": "Köln", "marketing_consent": "true"} | at(9))
    done(run(lake, inputs, table="silver.customers"))
    assert [row["city"] for row in history(lake.warehouse, "C1")] == ["Berlin", "Köln", "Köln"]
    deliver(inputs, "3", ANNA | {"city": "Bonn"} | at(3))
    done(run(lake, inputs, table="silver.customers"))
    return lake.warehouse


def test_a_late_change_lands_in_the_middle_of_the_history(customers: Path) -> None:
    versions = history(customers, "C1")
    assert [(row["city"], row["marketing_consent"], row["__START_AT"], row["__END_AT"]) for row in versions] == [
        ("Berlin", False, moment(1), moment(3)),
        ("Bonn", False, moment(3), moment(5)),
        ("Köln", False, moment(5), moment(9)),
        ("Köln", True, moment(9), None),
    ]


def test_a_change_that_says_nothing_new_is_folded(customers: Path) -> None:
    first, second = accounts(customers, "silver.customers")
    assert (first["rows_read"], first["rows_accepted"], first["rows_folded"]) == (5, 4, 1)
    # The late event: all five events of the customer are read again, one version is new and one ends earlier.
    assert (second["rows_read"], second["rows_accepted"], second["rows_folded"]) == (5, 4, 1)
    assert (second["rows_inserted"], second["rows_updated"], second["rows_unchanged"]) == (1, 1, 2)
    assert second["rows_deleted"] == 0


def test_building_the_history_again_changes_nothing(spark: SparkSession, customers: Path, tmp_path: Path) -> None:
    before = content(customers, "silver.customers")
    tmp_path.joinpath("customers").mkdir()
    done(run(lake_at(spark, customers), tmp_path, table="silver.customers", full=True))
    assert content(customers, "silver.customers") == before


def test_versions_follow_each_other_and_one_is_current(promoted: Promoted, customers: Path) -> None:
    by_key: dict[str, list[dict[str, Any]]] = {}
    found = rows(promoted.warehouse, "silver.products") + rows(customers, "silver.customers")
    for row in sorted(found, key=lambda row: row["__START_AT"]):
        by_key.setdefault(row.get("customer_id") or row["product_id"], []).append(row)
    for versions in by_key.values():
        ends = [version["__END_AT"] for version in versions]
        assert ends == [*(version["__START_AT"] for version in versions[1:]), None]
    assert sum(len(versions) > 1 for versions in by_key.values()) > 2


def test_personal_data_is_pseudonymised_and_equal_values_stay_equal(customers: Path) -> None:
    anna, bert = history(customers, "C1")[-1], history(customers, "C2")[-1]
    assert anna["email"] == bert["email"]
    assert anna["first_name"] != bert["first_name"]
    assert bert["phone"] is None
    for name in PERSONAL:
        assert len(anna[name]) == 64
        assert anna[name] != ANNA[name]


def test_no_raw_value_of_a_person_is_in_silver_or_gold(promoted: Promoted) -> None:
    header = FEEDS["customers"].columns
    bad = {place["file"] for kind in planted(promoted, "customers").values() for place in kind["places"]}
    raw = set()
    for row in rows(promoted.warehouse, "bronze.shop_customers"):
        raw |= {row[name] for name in PERSONAL if name in header and row[name]}
    assert len(raw) > 500
    assert bad  # a refused row is kept as it came: only quarantine has it
    for name in tables(promoted.warehouse, "silver", "gold"):
        if "__quarantine" in name:
            continue
        texts = {value for row in rows(promoted.warehouse, name) for value in row.values() if isinstance(value, str)}
        # A brand may be called like a person.
        assert {text for text in texts & raw if "@" in text or len(text) > 12} == set(), name
    texts = {v for row in rows(promoted.warehouse, "silver.customers") for v in row.values() if isinstance(v, str)}
    assert texts & raw == set()


def test_personal_data_is_not_published_by_another_key(spark: SparkSession, tmp_path: Path) -> None:
    def take_in(key: str) -> Report:
        settings = replace(lake_at(spark, tmp_path / "warehouse").settings, pseudonym_key=key)
        lake = Lake(lambda: spark, tmp_path / "warehouse", settings)
        steps = choose(ALL, "shop", "silver.customers")
        return run_shown(lake, steps, Console(file=StringIO()), inputs=tmp_path / "input")

    deliver(tmp_path / "input", "1", ANNA | at(1))
    done(take_in("one key"))
    (anna,) = history(tmp_path / "warehouse", "C1")
    deliver(tmp_path / "input", "2", ANNA | at(2) | {"city": "Bonn"})
    report = take_in("another key")
    assert report.exit_code == 2
    assert "pseudonym_key in conf/ has the fingerprint " in report.errors[0][1]
    assert history(tmp_path / "warehouse", "C1") == [anna]
    done(take_in("one key"))
    assert {row["email"] for row in history(tmp_path / "warehouse", "C1")} == {anna["email"]}
    assert len(history(tmp_path / "warehouse", "C1")) == 2
