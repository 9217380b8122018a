"""Payments and refunds of orders."""

from __future__ import annotations

from lakehouse.declare.rules import holds, not_null, one_of
from lakehouse.declare.table import MONEY, Field, Table
from silver.shared import CURRENCY, SCOPE, SHOP_ID, not_after_delivery

METHODS = ("card", "paypal", "invoice", "bank_transfer", "gift_card", "voucher", "cash", "direct_debit", "wallet")
STATUSES = ("captured", "refunded")

TABLE = Table(
    name="silver.payments",
    meaning="A payment taken or given back.",
    grain=("shop_id", "payment_id"),
    scope=SCOPE,
    fields=(
        SHOP_ID,
        Field("payment_id", "string", "payment", rules=(not_null(),)),
        Field(
            "order_id", "string", "order that is paid; it may be delivered later than its payment", rules=(not_null(),)
        ),
        Field("paid_at", "timestamp", "when the money moved (UTC)", rules=(not_null(), not_after_delivery("time"))),
        Field("method", "string", "means of payment", rules=(not_null(), one_of(METHODS))),
        Field("amount", MONEY, "money moved; negative when given back", "currency", rules=(not_null(),)),
        CURRENCY,
        Field("status", "string", "captured or refunded", rules=(not_null(), one_of(STATUSES))),
    ),
    row_law="One row per payment.",
    rules=(
        holds(
            "amount.sign",
            ("amount", "status"),
            "amount must be negative on a refund, and not negative on a capture",
            "CASE status WHEN 'refunded' THEN amount < 0 WHEN 'captured' THEN amount >= 0 END",
        ),
    ),
    amount="amount",
    day="paid_at",
    currency="currency",
)
