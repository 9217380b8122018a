"""What orders, lines and payments say of the same money: each case is an order, and what is found about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame

from silver import order_lines, orders, payments
from silver.reconciliation import TABLE, build

Rows = Callable[..., DataFrame]
Row = dict[str, Any]
Found = dict[str, tuple[str, str]]
MONEY = ("order_amount", "discount_amount", "shipping_fee", "unit_price", "discount", "amount")


def order(total: str, **other: Any) -> Row:
    return {"order_amount": total, "discount_amount": "0", "shipping_fee": "0", "status": "placed"} | other


def line(price: str, quantity: int = 1, discount: str = "0", kind: str = "sale", **other: Any) -> Row:
    gross = Decimal(price) * (quantity or 1)
    row = {"unit_price": price, "quantity": quantity, "discount": discount, "line_type": kind}
    return row | {"amount": str(gross - Decimal(discount))} | other


def paid(*amounts: str, **other: Any) -> list[Row]:
    return [{"amount": amount} | other for amount in amounts]


@dataclass(frozen=True)
class Case:
    """What is delivered of an order, and what is found: kind and difference by reconciliation."""

    order: Row | None
    lines: list[Row]
    payments: list[Row]
    found: Found = field(default_factory=dict)


BACK = line("10", -1, kind="cancellation")
CASES = {
    "agrees": Case(order("17", shipping_fee="7"), [line("4"), line("2", 3)], paid("17")),
    "agrees, with a discount on a line": Case(
        order("9", discount_amount="1"), [line("10", discount="1")], paid("4", "5")
    ),
    "agrees, with a voucher": Case(
        order("4", discount_amount="6", voucher_code="V"), [line("10", discount="1")], paid("4")
    ),
    "agrees, without a stated discount": Case(
        order("9", discount_amount=None, shipping_fee=None), [line("10", discount="1")], paid("9")
    ),
    "a cent on each line": Case(order("10.02"), [line("5"), line("5")], paid("10.02")),
    "a cent too much": Case(
        order("10.03"), [line("5"), line("5")], paid("10.03"), {"order_lines": ("differs", "0.03")}
    ),
    "a yen": Case(order("1000", currency="JPY"), [line("999", currency="JPY")], paid("1000", currency="JPY")),
    "three decimals": Case(
        order("12.345", currency="KWD"),
        [line("12.345", currency="KWD")],
        paid("12.34", currency="KWD"),
        {"payments": ("differs", "0.005")},
    ),
    "no line": Case(order("90"), [], paid("90"), {"order_lines": ("right_missing", "90")}),
    "no order": Case(
        None,
        [line("10")],
        paid("10"),
        {"order_lines": ("left_missing", "-10"), "payments": ("left_missing", "-10")},
    ),
    "no order, and all of it came back": Case(None, [line("10"), BACK], []),
    "a line too few": Case(order("30"), [line("10")], paid("30"), {"order_lines": ("differs", "20")}),
    "a discount that the order does not know": Case(
        order("10"), [line("10", discount="1")], paid("10"), {"order_discounts": ("differs", "-1")}
    ),
    "a discount that no line and no voucher gave": Case(
        order("7", discount_amount="3"), [line("10")], paid("7"), {"order_discounts": ("differs", "3")}
    ),
    "less than its lines with a voucher": Case(
        order("9.50", discount_amount="0.50", voucher_code="V"),
        [line("10", discount="1")],
        paid("9.50"),
        {"order_discounts": ("differs", "-0.50")},
    ),
    "not paid": Case(order("10"), [line("10")], [], {"payments": ("right_missing", "10")}),
    "partly paid": Case(order("10"), [line("10")], paid("4"), {"payments": ("differs", "6")}),
    "paid twice": Case(order("10"), [line("10")], paid("10", "10"), {"payments": ("differs", "-10")}),
    "paid twice and given back": Case(order("10"), [line("10")], paid("10", "10", "-10")),
    "paid in another currency": Case(
        order("10"),
        [line("10")],
        paid("10", currency="USD"),
        {"payments": ("right_missing", "10"), "payments USD": ("left_missing", "-10")},
    ),
    "a voucher pays all": Case(order("0", discount_amount="10", voucher_code="V"), [line("10")], []),
    "a guest": Case(order("10", customer_id=None), [line("10")], paid("10")),
    "cancelled before it was paid": Case(order("10", status="cancelled"), [line("10")], []),
    "cancelled and given back": Case(order("10", status="cancelled"), [line("10")], paid("10", "-10")),
    "cancelled and kept": Case(
        order("10", status="cancelled"), [line("10")], paid("10"), {"refunds": ("differs", "-10")}
    ),
    "cancelled and emptied": Case(order("0", status="cancelled"), [line("10")], []),
    "cancelled, its lines taken out": Case(order("10", status="cancelled"), [], paid("10", "-10")),
    "cancelled, another total": Case(
        order("12", status="cancelled"), [line("10")], [], {"order_lines": ("differs", "2")}
    ),
    "returned": Case(order("10", status="returned"), [line("10")], paid("10", "-10")),
    "returned, by a line too": Case(order("10", status="returned"), [line("10"), BACK], paid("10", "-10")),
    "a line came back": Case(order("30"), [line("10", 3), BACK], paid("30", "-10")),
    "a line came back, not all given back": Case(
        order("30"), [line("10", 3), BACK], paid("30", "-4"), {"refunds": ("differs", "-6")}
    ),
    "a line came back, nothing was paid": Case(
        order("30"), [line("10", 3), BACK], [], {"refunds": ("right_missing", "20")}
    ),
    "a refund without pieces": Case(
        order("30", status="partially_refunded"), [line("10", 3), line("-5", 0, kind="refund")], paid("30", "-5")
    ),
    "a partial refund of nobody knows how much": Case(
        order("30", status="partially_refunded"), [line("10", 3)], paid("30", "-3")
    ),
    "money for nothing that is known": Case(None, [], paid("5"), {"payments": ("left_missing", "-5")}),
}


@pytest.fixture(scope="module")
def found(rows: Rows) -> Mapping[str, Found]:
    """What is found of all cases together, by case."""
    heads, lines, money = [], [], []
    for name, case in CASES.items():
        key = {"shop_id": "s", "order_id": name, "currency": "EUR"}
        heads += [_typed(key | case.order)] if case.order else []
        lines += [_typed(key | row) for row in case.lines]
        money += [_typed(key | row) for row in case.payments]
    frames = rows(orders.TABLE, *heads), rows(order_lines.TABLE, *lines), rows(payments.TABLE, *money)
    by_case: dict[str, Found] = {name: {} for name in CASES}
    for row in build(*frames).collect():
        own = {row["currency"] for row in (CASES[row["order_id"]].order or {"currency": "EUR"},) if "currency" in row}
        name = row["reconciliation"] + ("" if row["currency"] in (own or {"EUR"}) else f" {row['currency']}")
        by_case[row["order_id"]][name] = (row["kind"], f"{row['difference']:f}")
    return by_case


def _typed(row: Row) -> Row:
    return {name: Decimal(value) if name in MONEY and value is not None else value for name, value in row.items()}


@pytest.mark.parametrize("name", CASES)
def test_what_does_not_agree_is_found(found: Mapping[str, Found], name: str) -> None:
    expected = {what: (kind, Decimal(difference)) for what, (kind, difference) in CASES[name].found.items()}
    assert {what: (kind, Decimal(n)) for what, (kind, n) in found[name].items()} == expected


def test_only_what_both_tables_were_delivered_for_is_compared(rows: Rows) -> None:
    """Shop a has orders alone, b orders and payments, c lines alone."""
    heads = [_typed({"shop_id": shop, "order_id": "1", "currency": "EUR"} | order("10")) for shop in "ab"]
    lines = [_typed({"shop_id": "c", "order_id": "1", "currency": "EUR"} | line("10"))]
    money = [_typed({"shop_id": "b", "order_id": "2", "currency": "EUR", "amount": "5"})]
    frames = rows(orders.TABLE, *heads), rows(order_lines.TABLE, *lines), rows(payments.TABLE, *money)
    found = {(r["shop_id"], r["order_id"], r["reconciliation"], r["kind"]) for r in build(*frames).collect()}
    assert found == {("b", "1", "payments", "right_missing"), ("b", "2", "payments", "left_missing")}


def test_a_finding_tells_both_amounts_and_the_columns_are_as_declared(rows: Rows) -> None:
    head = _typed({"shop_id": "s", "order_id": "1", "currency": "EUR"} | order("90"))
    other = _typed({"shop_id": "s", "order_id": "2", "currency": "EUR"} | line("12.345"))
    built = build(rows(orders.TABLE, head), rows(order_lines.TABLE, other), rows(payments.TABLE))
    assert [f.name for f in built.schema] == list(TABLE.all_columns)
    assert {row["order_id"]: row["finding"] for row in built.collect()} == {
        "1": "silver.orders says 90.00, silver.order_lines says nothing",
        "2": "silver.orders says nothing, silver.order_lines says 12.345",
    }
