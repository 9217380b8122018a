"""Every row and every penny has one outcome, from the raw files to gold's revenue; checked without Spark."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from tests.integration.conftest import Promoted
from tests.integration.warehouse import (
    MONEY_PARTS,
    Row,
    account,
    accounts,
    contents_of,
    differences,
    files_of,
    leftovers,
    rows,
    tables,
)

ZERO = Decimal("0.00")
ROOT = Path(__file__).resolve().parents[2]
ONLINE_RETAIL = ROOT.parent / "shared" / "data" / "online_retail"


def test_every_account_balances_in_rows_and_in_money(promoted: Promoted) -> None:
    found = accounts(promoted.warehouse)
    unbalanced = {row["table"]: left for row in found if any((left := differences(row)).values())}
    assert unbalanced == {}
    assert found


def test_every_published_table_has_its_account_and_nothing_is_left_over(promoted: Promoted) -> None:
    published = {name for name in tables(promoted.warehouse, "bronze", "silver", "gold") if "__" not in name}
    assert {row["table"] for row in accounts(promoted.warehouse)} == published
    assert leftovers(promoted.warehouse) == []


def test_an_account_says_what_lies_in_the_tables(promoted: Promoted) -> None:
    for row in accounts(promoted.warehouse):
        assert len(rows(promoted.warehouse, row["table"])) == row["rows_inserted"]
        assert len(rows(promoted.warehouse, f"{row['table']}__quarantine")) == row["rows_quarantined"]


def test_the_money_of_silver_is_the_money_of_gold(promoted: Promoted) -> None:
    lines = sum(row["amount"] for row in rows(promoted.warehouse, "silver.order_lines"))
    accepted = account(promoted.warehouse, "silver.order_lines")["amount_accepted"]
    assert accepted == lines
    for name in ("sales_daily", "sales_by_country", "kpi_daily"):
        assert sum(row["line_amount"] for row in rows(promoted.warehouse, f"gold.{name}")) == lines, name


# --- the same from the raw files, by Python alone ---------------------------------------------------------------------


def raw_lines(shop: Path) -> Iterator[Row | None]:
    """Each record of the order lines; None for a broken one. A file of the same content counts once."""
    for file in contents_of(files_of(shop, "order_lines")).values():
        header, *lines = file.read_text().split("\n")[:-1]
        names = header.split(",")
        for line in lines:
            try:
                (fields,) = csv.reader([line], strict=True)
            except csv.Error:
                yield None
                continue
            yield dict(zip(names, fields, strict=True)) if len(fields) == len(names) else None


def known_products(shop: Path) -> set[str]:
    found = set()
    for file in files_of(shop, "products"):
        for line in file.read_text().splitlines():
            try:
                found.add(json.loads(line)["product_id"])
            except json.JSONDecodeError:
                continue
    return found


def undone_orders(shop: Path) -> set[str]:
    """Orders whose newest sound state is cancelled or returned."""
    newest: dict[str, Row] = {}
    for file in files_of(shop, "orders"):
        for row in csv.DictReader(file.read_text().splitlines()):
            is_sound = row["status"] != "teleported" and row["promised_on"] >= row["ordered_at"][:10]
            if is_sound and row["updated_at"] >= newest.get(row["order_id"], {"updated_at": ""})["updated_at"]:
                newest[row["order_id"]] = row
    return {order_id for order_id, row in newest.items() if row["status"] in ("cancelled", "returned")}


def amount_of(row: Row) -> Decimal | None:
    try:
        return int(row["quantity"]) * Decimal(row["unit_price"]) - Decimal(row["discount"] or "0")
    except (ValueError, ArithmeticError):
        return None


def fault_of(row: Row, products: set[str]) -> str | None:
    if amount_of(row) is None:
        return "not a number"
    try:
        datetime.fromisoformat(row["ordered_at"])
    except ValueError:
        return "no time"
    if row["product_id"] not in products:
        return "unknown product"
    return "negative price" if Decimal(row["unit_price"]) < 0 else None


def test_gold_revenue_is_the_raw_amount_less_named_differences(promoted: Promoted) -> None:
    products, undone = known_products(promoted.shop.output), undone_orders(promoted.shop.output)
    raw = ZERO
    less: defaultdict[str, Decimal] = defaultdict(Decimal)
    kept: dict[tuple[str, str], Row] = {}
    for row in raw_lines(promoted.shop.output):
        if row is None:
            continue  # broken: it has no amount that could be read
        value = amount_of(row) or ZERO
        raw += value
        fault = fault_of(row, products)
        key = (row["order_id"], row["line_no"])
        if fault or key in kept:
            less[fault or "duplicate"] += value
        else:
            kept[key] = row
    days: defaultdict[date, Counter[str]] = defaultdict(Counter)
    for row in kept.values():
        value, quantity = amount_of(row) or ZERO, int(row["quantity"])
        day = days[date.fromisoformat(row["ordered_at"][:10])]
        is_sale = quantity > 0 and Decimal(row["unit_price"]) > 0
        is_undone = row["order_id"] in undone
        cents = int(value * 100)
        day.update({"lines": 1, "line_amount": cents, "gross_sales": cents * is_sale, "units": quantity * is_sale})
        day.update({"status_cancelled_amount": -cents * is_undone, "net_revenue": cents * (not is_undone)})
    names = ("lines", "units")
    money = ("line_amount", "gross_sales", "status_cancelled_amount", "net_revenue")
    gold = {row["sold_on"]: row for row in rows(promoted.warehouse, "gold.sales_daily")}
    assert {day: {name: row[name] for name in names} for day, row in gold.items()} == {
        day: {name: counts[name] for name in names} for day, counts in days.items()
    }
    assert {day: {name: row[name] for name in money} for day, row in gold.items()} == {
        day: {name: Decimal(counts[name]).scaleb(-2) for name in money} for day, counts in days.items()
    }
    assert sum(row["line_amount"] for row in gold.values()) == raw - sum(less.values())
    found = account(promoted.warehouse, "silver.order_lines")
    assert raw == found["amount_read"]
    assert less.pop("duplicate") == found["amount_duplicate"]
    assert sum(less.values()) == found["amount_quarantined"]
    assert set(less) == {"not a number", "no time", "unknown product", "negative price"}
    assert any(row["status_cancelled_amount"] for row in gold.values())


# --- a real shop ------------------------------------------------------------------------------------------------------


# Days in both files, days before and after them, and what is odd elsewhere; all of it is in the README's ledger.
DAYS = ("2009-12-0", "2009-12-1", "2010-12-0", "2010-12-1", "2011-12-0")
ODD = ("C496350,", "TEST00", "Adjust bad debt")


@pytest.fixture(scope="module")
def real_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some days of the files of Online Retail, their lines as they came."""
    folder = tmp_path_factory.mktemp("online_retail")
    for file in sorted(ONLINE_RETAIL.glob("*.csv.gz")):
        header, *lines = gzip.decompress(file.read_bytes()).decode().splitlines(keepends=True)
        kept = [line for line in lines if any(f",{day}" in line for day in DAYS) or any(odd in line for odd in ODD)]
        (folder / file.name).write_bytes(gzip.compress("".join([header, *kept]).encode()))
    return folder


def real_lines(folder: Path) -> pl.DataFrame:
    """All delivered lines with their amount in pennies, and what must become of each."""
    names = ["invoice", "code", "text", "quantity", "at", "price", "customer", "country"]
    frames = []
    for file in sorted(folder.glob("*.csv.gz")):
        frame = pl.read_csv(file, infer_schema=False).fill_null("")
        frames.append(frame.rename(dict(zip(frame.columns, names, strict=True))).with_columns(file=pl.lit(file.name)))
    clean = {name: pl.col(name).str.strip_chars() for name in names}
    clean["text"] = clean["text"].str.replace_all("Â£", "£")
    clean["customer"] = clean["customer"].str.replace(r"\.0$", "")
    lines = pl.concat(frames).with_columns(**clean)
    # In ten-thousandths of a pound: whole numbers, so that nothing is lost.
    price = (pl.col("price").cast(pl.Float64) * 10_000).round().cast(pl.Int64)
    lines = lines.with_columns(price=price, quantity=pl.col("quantity").cast(pl.Int64), day=pl.col("at").str.head(10))
    whole = pl.col("quantity") * pl.col("price")
    pence = ((whole.abs() + 50) // 100) * whole.sign()
    seen = pl.int_range(pl.len()).over("file", *names)
    lines = lines.with_columns(pence=pence, seen=seen)
    is_cancelled, is_bad_debt = (pl.col("invoice").str.starts_with(letter) for letter in "CA")
    wrong_sign = pl.when(is_cancelled).then(pl.col("quantity") >= 0).otherwise(pl.col("quantity") == 0)
    wrong_price = (pl.col("price") < 0) & ~is_bad_debt
    is_test = pl.col("code").str.to_uppercase().is_in(["TEST001", "TEST002"])
    again = ~pl.struct(*names, "seen").is_first_distinct()
    outcome = (
        pl.when(is_test)
        .then(pl.lit("filtered"))
        .when(wrong_sign | wrong_price)
        .then(pl.lit("quarantined"))
        .when(again)
        .then(pl.lit("duplicate"))
        .otherwise(pl.lit("accepted"))
    )
    return lines.with_columns(outcome=outcome)


def pounds(pence: int) -> Decimal:
    return Decimal(pence).scaleb(-2)


@pytest.mark.real_data
@pytest.mark.skipif(not ONLINE_RETAIL.is_dir(), reason="needs shared/data/online_retail beside the repository")
def test_a_real_shop_ties_out_to_the_penny(real_shop: Path, tmp_path: Path) -> None:
    """By the command that a user gives, with the settings for data of this size."""
    warehouse = tmp_path / "warehouse"
    options = ["--source", "online_retail", "--table", "gold.sales_daily", "--warehouse", str(warehouse)]
    command = [sys.executable, "-m", "jobs.run", "--input", str(real_shop), *options]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = real_lines(real_shop)
    found = account(warehouse, "silver.order_lines")
    outcomes = {outcome: (count, pounds(pence)) for outcome, count, pence in _outcomes(lines)}
    assert found["rows_read"] == len(lines)
    assert found["amount_read"] == pounds(int(lines["pence"].sum()))
    assert {part: (found[f"rows_{part}"], found[f"amount_{part}"]) for part in MONEY_PARTS} == {
        part: outcomes[part] for part in MONEY_PARTS
    }
    assert (found["rows_filtered"], found["amount_filtered"]) == (
        {"test_product": outcomes["filtered"][0]},
        {"test_product": outcomes["filtered"][1]},
    )
    # As in all of the two files, which overlap in these days.
    assert (outcomes["duplicate"][0], outcomes["filtered"][0], outcomes["quarantined"][0]) == (22_523, 17, 1)
    assert outcomes["accepted"][0] > 80_000
    (refused,) = rows(warehouse, "silver.order_lines__quarantine")
    assert json.loads(refused["_row"])["invoice"] == "C496350"
    assert [error["rule"] for error in refused["_errors"]] == ["quantity.sign"]
    days = lines.filter(outcome="accepted").group_by("day").agg(pl.len().alias("lines"), pl.col("pence").sum())
    gold = {str(row["sold_on"]): (row["lines"], row["line_amount"]) for row in rows(warehouse, "gold.sales_daily")}
    assert gold == {day: (count, pounds(pence)) for day, count, pence in days.iter_rows()}
    assert [left for row in accounts(warehouse) for left in differences(row).values() if left] == []


def _outcomes(lines: pl.DataFrame) -> list[tuple[str, int, int]]:
    return list(lines.group_by("outcome").agg(pl.len(), pl.col("pence").sum()).iter_rows())
