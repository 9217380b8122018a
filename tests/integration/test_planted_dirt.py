"""The accounts are graded by the truth that was planted in the shop's files, row by row and cent by cent."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from synthetic.dirt import KINDS
from synthetic.layout import FEEDS
from tests.integration.conftest import Promoted
from tests.integration.warehouse import account, rows, rules_of

BROKEN = ("truncated_line", "unclosed_quote", "cut_off_json")
"""Kinds of dirt that are no records: bronze refuses them."""

RULES = {
    "unknown_status": ("status.one_of",),
    "promised_before_ordered": ("promised_on.not_before_ordered_on",),
    "quantity_not_a_number": ("quantity.type",),
    "price_not_a_number": ("unit_price.type",),
    "impossible_time": ("sold_at.type",),
    "unknown_product": ("product_id.known",),
    "negative_price": ("unit_price.sign",),
    "amount_not_a_number": ("amount.type",),
    "unknown_method": ("method.one_of",),
    "malformed_email": ("email.matches",),
    "negative_list_price": ("list_price.between",),
    "unknown_event_type": ("event_type.one_of",),
    "negative_on_hand": ("on_hand.between",),
    "rating_out_of_range": ("rating.between",),
    "discount_over_100": ("discount_pct.between",),
    "negative_spend": ("spend.between",),
    "unknown_variant": ("variant.one_of",),
}
"""The rules of silver that each kind of dirt breaks, all of them and no others."""

by_feed = pytest.mark.parametrize("feed", FEEDS)


def planted(promoted: Promoted, feed: str, *names: str) -> dict[str, Any]:
    """The planted kinds of a feed: those named, or those that a rule of silver must find."""
    kinds = promoted.dirt[feed]["kinds"]
    wanted = names or [kind.name for kind in KINDS[feed] if kind.name in RULES]
    return {name: kinds[name] for name in wanted if name in kinds}


def places(kind: dict[str, Any], feed: str) -> set[tuple[str, int]]:
    return {(f"{feed}/{place['file']}", place["line"]) for place in kind["places"]}


def test_every_kind_of_dirt_has_its_rules() -> None:
    known = {*RULES, *BROKEN, "duplicate"}
    assert {kind.name for kinds in KINDS.values() for kind in kinds} == known


@by_feed
def test_bronze_reads_every_physical_record_and_refuses_exactly_the_broken_lines(promoted: Promoted, feed: str) -> None:
    found = account(promoted.warehouse, f"bronze.shop_{feed}")
    broken = planted(promoted, feed, *BROKEN)
    refused = rows(promoted.warehouse, f"bronze.shop_{feed}__quarantine")
    assert found["rows_read"] == promoted.dirt[feed]["ledger"]["physical_records"]
    assert found["rows_quarantined"] == sum(kind["rows"] for kind in broken.values()) == len(refused)
    assert found["rows_duplicate"] == 0
    assert found["rows_filtered"] == {}
    expected = set().union(*(places(kind, feed) for kind in broken.values()))
    assert {(row["_source_file"], row["_source_row"]) for row in refused} == expected


@by_feed
def test_silver_refuses_exactly_the_planted_rows_by_the_rule_of_each_kind(promoted: Promoted, feed: str) -> None:
    found = account(promoted.warehouse, f"silver.{feed}")
    kinds = planted(promoted, feed)
    expected: Counter[str] = Counter()
    for name, kind in kinds.items():
        expected.update(dict.fromkeys(RULES[name], kind["rows"]))
    assert found["rows_rejected_by_rule"] == dict(expected)
    assert found["rows_quarantined"] == sum(kind["rows"] for kind in kinds.values())


@by_feed
def test_each_refused_row_of_silver_is_the_planted_line_with_its_reasons(promoted: Promoted, feed: str) -> None:
    expected = {(*place, RULES[name]) for name, kind in planted(promoted, feed).items() for place in places(kind, feed)}
    refused = rows(promoted.warehouse, f"silver.{feed}__quarantine")
    # A file that was delivered twice stands under its last name, which is that of the copy.
    found = [(row["_source_file"].replace("_copy", ""), row["_source_row"], tuple(rules_of(row))) for row in refused]
    assert set(found) == expected
    assert len(found) == len(expected)


@by_feed
def test_what_is_clean_and_distinct_is_accepted_and_what_came_twice_is_counted(promoted: Promoted, feed: str) -> None:
    found = account(promoted.warehouse, f"silver.{feed}")
    duplicates = planted(promoted, feed, "duplicate").get("duplicate", {"rows": 0})["rows"]
    superseded = found["rows_filtered"].get("superseded", 0)
    assert found["rows_duplicate"] == duplicates
    # Older states of an order and versions that say nothing new are clean rows too, and not lines of the table.
    distinct = promoted.dirt[feed]["ledger"]["clean_distinct_rows"]
    assert found["rows_accepted"] + superseded + found["rows_folded"] == distinct
    assert set(found["rows_filtered"]) <= {"superseded"}
    assert len(rows(promoted.warehouse, f"silver.{feed}")) == found["rows_accepted"] == found["rows_inserted"]


def test_only_states_of_orders_are_superseded(promoted: Promoted) -> None:
    found = {feed: account(promoted.warehouse, f"silver.{feed}") for feed in FEEDS}
    assert [feed for feed, row in found.items() if row["rows_filtered"]] == ["orders"]
    assert [feed for feed, row in found.items() if row["rows_folded"]] == []


@pytest.mark.parametrize("feed", ["order_lines", "payments", "marketing_spend"])
def test_money_is_accounted_for_to_the_cent(promoted: Promoted, feed: str) -> None:
    found = account(promoted.warehouse, f"silver.{feed}")
    amounts = promoted.dirt[feed]["ledger"]["amount"]
    refused = sum(Decimal(value) for value in amounts["quarantined"].values() if value)
    assert found["amount_read"] == Decimal(amounts["parseable"])
    assert found["amount_accepted"] == found["amount_inserted"] == Decimal(amounts["clean_distinct"])
    assert found["amount_duplicate"] == Decimal(amounts["duplicates"])
    assert found["amount_quarantined"] == refused


def test_a_file_that_comes_twice_is_counted_and_not_loaded_again(promoted: Promoted) -> None:
    known = [row for row in rows(promoted.warehouse, "ops.files") if row["status"] == "known"]
    deliveries = promoted.dirt["order_lines"]["kinds"]["redelivered"]["deliveries"]
    loaded = {row["_source_file"] for row in rows(promoted.warehouse, "bronze.shop_order_lines")}
    assert sorted(row["file"] for row in known) == sorted(f"order_lines/{entry['file']}" for entry in deliveries)
    assert len(known) >= 2
    assert loaded.isdisjoint(row["file"] for row in known)


@by_feed
def test_each_file_is_on_record_with_all_its_lines(promoted: Promoted, feed: str) -> None:
    found = [row for row in rows(promoted.warehouse, "ops.files") if row["table"] == f"bronze.shop_{feed}"]
    loaded = [row for row in found if row["status"] == "loaded"]
    ledger = promoted.dirt[feed]["ledger"]
    assert len(loaded) == ledger["files"]
    assert sum(row["records"] + row["broken"] for row in loaded) == ledger["physical_records"]
    for row in loaded:
        told = ("header_lines", "blank_lines", "continuation_lines", "records", "broken")
        assert row["lines"] == sum(row[name] for name in told)


def test_a_new_column_is_reported_once_and_its_values_are_kept(promoted: Promoted) -> None:
    change = promoted.dirt["order_lines"]["kinds"]["schema_change"]
    drift = [(row["file"], row["column"], row["change"]) for row in rows(promoted.warehouse, "ops.schema_drift")]
    assert drift == [(f"order_lines/{change['first_file']}", "warehouse", "new")]
    broken = planted(promoted, "order_lines", *BROKEN).values()
    refused = [place for kind in broken for place in kind["places"] if place["file"] >= change["first_file"]]
    delivered = rows(promoted.warehouse, "bronze.shop_order_lines")
    rescued = [row["_rescued_data"] for row in delivered if row["_rescued_data"]]
    assert len(rescued) == change["rows"] - len(refused)
    assert all(text.startswith('{"warehouse":') for text in rescued)


def test_a_renamed_column_goes_on_under_its_own_name(promoted: Promoted) -> None:
    changed = promoted.dirt["customers"]["kinds"]["schema_change"]
    assert "postal_code" in changed["columns_after"]
    delivered = rows(promoted.warehouse, "bronze.shop_customers")
    since = [row for row in delivered if row["_source_file"] >= f"customers/{changed['first_file']}"]
    assert len(since) == changed["rows"]
    assert all(row["postcode"] for row in since)
