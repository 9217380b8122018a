"""What orders, their lines and their payments say of the same money, compared order by order."""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import DataFrame

from lakehouse.declare.reconciliation import Facts, Reconciliation, findings, findings_table
from lakehouse.declare.rules import not_null
from lakehouse.declare.table import Field, Read, Step
from silver import order_lines as silver_order_lines
from silver import orders as silver_orders
from silver import payments as silver_payments
from silver.orders import UNDONE_STATUSES
from silver.shared import CURRENCY, MINOR_UNIT, SCOPE, SHOP_ID

_ORDERS, _LINES, _PAYMENTS = silver_orders.TABLE, silver_order_lines.TABLE, silver_payments.TABLE
_SOLD = "line_type IN ('sale', 'free')"
_CAME_BACK = "line_type IN ('cancellation', 'refund')"
_UNDONE = ", ".join(f"'{status}'" for status in UNDONE_STATUSES)

FACTS = (
    Facts(
        _ORDERS,
        {
            "order_amount": "sum(order_amount)",
            "discount_amount": "sum(discount_amount)",
            "shipping_fee": "sum(shipping_fee)",
            "status": "max(status)",
            "voucher_code": "max(voucher_code)",
        },
    ),
    Facts(
        _LINES,
        {
            "lines": "count(*)",
            "sold": f"coalesce(sum(quantity * unit_price) FILTER (WHERE {_SOLD}), 0)",
            "line_discount": f"coalesce(sum(discount) FILTER (WHERE {_SOLD}), 0)",
            "came_back": f"-coalesce(sum(amount) FILTER (WHERE {_CAME_BACK}), 0)",
        },
    ),
    Facts(_PAYMENTS, {"paid": "sum(amount)"}),
)

_BY_LINES = "sold - coalesce(discount_amount, line_discount) + coalesce(shipping_fee, 0)"
_IS_UNDONE = f"coalesce(status IN ({_UNDONE}), false)"
_SOME_CAME_BACK = f"({_IS_UNDONE} OR coalesce(status = 'partially_refunded', false) OR coalesce(came_back, 0) <> 0)"

RECONCILIATIONS = (
    Reconciliation(
        "order_lines",
        "an order comes to its lines as sold, less its discount, with shipping; some shops empty an order when it is "
        "cancelled",
        left=(_ORDERS, "order_amount"),
        # Of lines whose order is not there, what is left of them after what came back.
        right=(_LINES, f"CASE WHEN order_amount IS NULL THEN sold - line_discount - came_back ELSE {_BY_LINES} END"),
        where="status IS DISTINCT FROM 'cancelled' OR (order_amount <> 0 AND lines > 0)",
        tolerance=f"{MINOR_UNIT} * coalesce(lines, 1)",  # lines may be rounded each
    ),
    Reconciliation(
        "order_discounts",
        "the discount of an order is that of its lines, and more only with a voucher",
        left=(_ORDERS, "discount_amount"),
        right=(
            _LINES,
            "CASE WHEN voucher_code IS NULL THEN line_discount ELSE greatest(line_discount, discount_amount) END",
        ),
        where="lines > 0 AND order_amount IS NOT NULL AND status <> 'cancelled'",
        tolerance=f"{MINOR_UNIT} * lines",
    ),
    Reconciliation(
        "payments",
        "what was paid for an order, less what was given back, is what it comes to",
        left=(_ORDERS, "order_amount"),
        right=(_PAYMENTS, "paid"),
        where=f"NOT {_SOME_CAME_BACK}",
        tolerance=MINOR_UNIT,
    ),
    Reconciliation(
        "refunds",
        "of an order that was cancelled, returned or refunded nothing stays paid; where lines came back, what is left "
        "of it does",
        # How much of a partial refund there should be, only lines that came back tell.
        left=(
            _ORDERS,
            f"CASE WHEN {_IS_UNDONE} THEN 0"
            " WHEN coalesce(came_back, 0) <> 0 THEN greatest(order_amount - came_back, 0) END",
        ),
        right=(_PAYMENTS, "paid"),
        where=_SOME_CAME_BACK,
        tolerance=f"{MINOR_UNIT} * greatest(coalesce(lines, 1), 1)",
    ),
)

TABLE = findings_table(
    (
        replace(SHOP_ID, rules=(not_null("fail"),)),
        Field("order_id", "string", "order, or what lines or payments call one", rules=(not_null("fail"),)),
        replace(CURRENCY, rules=(not_null("fail"),)),
    ),
    SCOPE,
    RECONCILIATIONS,
)


def build(orders: DataFrame, order_lines: DataFrame, payments: DataFrame) -> DataFrame:
    """What the three tables state differently."""
    frames = {"orders": orders, "order_lines": order_lines, "payments": payments}
    return findings(RECONCILIATIONS, FACTS, TABLE, frames)


def step(shop: str) -> Step:
    """The findings of a shop whose orders, lines and payments are delivered each by itself.

    A shop is compared as a whole: its first payment makes a finding of every order that was not paid.
    """
    own = f"shop_id = '{shop}'"
    groups = {"shop_id": "shop_id"}
    reads = tuple(Read(table, where=own, groups=groups) for table in (_ORDERS, _LINES, _PAYMENTS))
    return Step(TABLE, build, reads, recompute=("shop_id",), source=shop, owns={"shop_id": shop})
