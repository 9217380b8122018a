"""`truth/dirt.json` says exactly what is in the files."""

import json
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from synthetic.dirt import KINDS, parse
from synthetic.layout import FEEDS
from synthetic.shop import Shop
from tests.synthetic.conftest import lines_of

Row = dict[str, Any]
FAULTS: dict[str, Callable[[Row], bool]] = {
    "unknown_status": lambda row: row["status"] == "teleported",
    "promised_before_ordered": lambda row: row["promised_on"] < row["ordered_at"][:10],
    "quantity_not_a_number": lambda row: row["quantity"] == "two",
    "price_not_a_number": lambda row: row["unit_price"] == "n/a",
    "impossible_time": lambda row: row["ordered_at"] == "2024-13-45 99:00:00",
    "unknown_product": lambda row: row["product_id"] == "P99999999",
    "negative_price": lambda row: row["unit_price"].startswith("-"),
    "amount_not_a_number": lambda row: row["amount"] == "see invoice",
    "unknown_method": lambda row: row["method"] == "barter",
    "malformed_email": lambda row: "@" not in row["email"],
    "negative_list_price": lambda row: row["list_price"].startswith("-"),
    "unknown_event_type": lambda row: row["event_type"] == "stare",
    "negative_on_hand": lambda row: row["on_hand"].startswith("-"),
    "rating_out_of_range": lambda row: row["rating"] == 9,
    "discount_over_100": lambda row: row["discount_pct"] == "150",
    "negative_spend": lambda row: row["spend"].startswith("-"),
    "unknown_variant": lambda row: row["variant"] == "purple",
}
BROKEN = {"truncated_line", "unclosed_quote", "cut_off_json"}


@cache
def records(output: Path, feed: str) -> dict[tuple[str, int], Row | None]:
    """Every delivered record by its place; None for a broken line. Redelivered copies are left out."""
    found: dict[tuple[str, int], Row | None] = {}
    for file in sorted((output / feed).iterdir()):
        if "_copy" in file.name:
            continue
        layout = FEEDS[feed]
        columns = layout.columns
        if layout.format == "csv":
            columns = tuple(file.read_text().split("\n", 1)[0].split(","))
        for number, line in enumerate(lines_of(file), start=1 if layout.format == "json" else 2):
            row = parse(line, columns)
            renamed = {new: old for old, new in layout.renamed}
            if row is not None:
                row = {renamed.get(name, name): value for name, value in row.items()}
                # The lines' new column is not part of the rows that are compared across the change.
                row = {name: value for name, value in row.items() if name in layout.columns}
            found[file.name, number] = row
    return found


def faults(feed: str, row: Row | None) -> list[str]:
    """The names of the kinds of dirt that a record shows."""
    if row is None:
        return ["broken"]
    return [kind.name for kind in KINDS[feed] if kind.name in FAULTS and FAULTS[kind.name](row)]


@pytest.mark.parametrize("feed", FEEDS)
def test_every_planted_row_is_where_it_is_said_to_be(dirty: Shop, feed: str) -> None:
    found = records(dirty.output, feed)
    kinds = dirty.dirt[feed]["kinds"]
    for kind in KINDS[feed]:
        if kind.name == "duplicate":
            continue
        expected = ["broken"] if kind.name in BROKEN else [kind.name]
        entry = kinds[kind.name]
        assert entry["rows"] == len(entry["places"]) >= 3
        assert entry["files"] == len({place["file"] for place in entry["places"]})
        for place in entry["places"]:
            assert faults(feed, found[place["file"], place["line"]]) == expected


@pytest.mark.parametrize("feed", FEEDS)
def test_rows_balance(dirty: Shop, feed: str) -> None:
    found = records(dirty.output, feed)
    entry = dirty.dirt[feed]
    sound = [tuple(sorted(row.items())) for row in found.values() if row is not None and not faults(feed, row)]
    duplicates = entry["kinds"].get("duplicate", {"rows": 0})["rows"]
    assert entry["ledger"]["physical_records"] == len(found)
    assert entry["ledger"]["clean_distinct_rows"] == len(set(sound)) == len(sound) - duplicates
    assert duplicates >= 3 or "duplicate" not in {kind.name for kind in KINDS[feed]}


@pytest.mark.parametrize("feed", ["order_lines", "payments", "marketing_spend"])
def test_amounts_balance(dirty: Shop, feed: str) -> None:
    def amount(row: Row | None) -> Decimal | None:
        if row is None or set(faults(feed, row)) & {
            "quantity_not_a_number",
            "price_not_a_number",
            "amount_not_a_number",
        }:
            return None
        if feed == "order_lines":
            return int(row["quantity"]) * Decimal(row["unit_price"]) - Decimal(row["discount"])
        return Decimal(row["amount" if feed == "payments" else "spend"])

    found = records(dirty.output, feed)
    ledger = dirty.dirt[feed]["ledger"]["amount"]
    readable = [(row, value) for row in found.values() if row is not None and (value := amount(row)) is not None]
    distinct = {tuple(sorted(row.items())): value for row, value in readable if not faults(feed, row)}
    assert Decimal(ledger["parseable"]) == sum(value for _, value in readable)
    assert Decimal(ledger["clean_distinct"]) == sum(distinct.values())
    for kind, expected in ledger["quarantined"].items():
        values = [amount(found[place["file"], place["line"]]) for place in dirty.dirt[feed]["kinds"][kind]["places"]]
        known = [value for value in values if value is not None]
        assert (Decimal(expected) if expected else None) == (sum(known) if known else None)
    parts = [ledger["clean_distinct"], ledger["duplicates"], *ledger["quarantined"].values()]
    assert Decimal(ledger["parseable"]) == sum(Decimal(part) for part in parts if part)


def test_whole_files_come_twice_and_late(dirty: Shop) -> None:
    kinds, folder = dirty.dirt["order_lines"]["kinds"], dirty.output / "order_lines"
    for entry in kinds["redelivered"]["deliveries"]:
        assert (folder / entry["file"]).read_bytes() == (folder / entry["same_as"]).read_bytes()
    for entry in kinds["late"]["deliveries"]:
        late = lines_of(folder / entry["file"])
        assert len(late) == entry["rows"] > 0
        assert entry["file"] == f"order_lines_{entry['arrives']}_late_{entry['day']}.csv"
        assert all(entry["day"] in line for line in late)
    assert len(kinds["redelivered"]["deliveries"]) >= 2
    assert len(kinds["late"]["deliveries"]) >= 2


@pytest.mark.parametrize("feed", ["order_lines", "customers"])
def test_the_schema_changes_half_way(dirty: Shop, feed: str) -> None:
    change = dirty.dirt[feed]["kinds"]["schema_change"]
    for file in (dirty.output / feed).iterdir():
        changed = file.name[len(feed) + 1 :][:10] >= change["from_day"]
        expected = change["columns_after" if changed else "columns_before"]
        assert file.read_text().split("\n", 1)[0] == ",".join(expected)


def test_the_first_row_of_a_parent_is_sound(dirty: Shop) -> None:
    for feed, key in {"orders": "order_id", "products": "product_id", "customers": "customer_id"}.items():
        rows = [row for row in records(dirty.output, feed).values() if row is not None]
        assert {row[key] for row in rows} == {row[key] for row in rows if not faults(feed, row)}


def test_the_ledger_is_on_disk(dirty: Shop) -> None:
    assert json.loads((dirty.output / "truth" / "dirt.json").read_text()) == dirty.dirt
