"""Orders as they stand now: who ordered, what it came to, and how far it got."""

from __future__ import annotations

from lakehouse.declare.rules import holds, not_before, not_null, one_of
from lakehouse.declare.table import DELIVERY_ORDER, MONEY, Field, Table
from silver.shared import COUNTRY, COUNTRY_CODE, COUNTRY_KNOWN, CURRENCY, SCOPE, SHOP_ID, not_after_delivery

STATUSES = (
    "placed",
    "shipped",
    "delivered",
    "completed",
    "cancelled",
    "returned",
    "refunded",
    "partially_refunded",
    "credit",
)

UNDONE_STATUSES = ("cancelled", "returned", "refunded")
"""Of an order with one of these nothing is left: its lines count for nothing any more."""

TABLE = Table(
    name="silver.orders",
    meaning="An order or credit note in its newest state.",
    grain=("shop_id", "order_id"),
    scope=SCOPE,
    fields=(
        SHOP_ID,
        Field("order_id", "string", "order or invoice", rules=(not_null(),)),
        Field("updated_at", "timestamp", "when this state was reached (UTC)", rules=(not_null(),)),
        Field("ordered_at", "timestamp", "when it was ordered (UTC)", rules=(not_null(), not_after_delivery("time"))),
        Field("ordered_on", "date", "business day of the order where the shop is"),
        Field("customer_id", "string", "customer; null for an order without an account"),
        Field("session_id", "string", "visit in which it was ordered"),
        COUNTRY,
        COUNTRY_CODE,
        Field("channel", "string", "channel that brought the order"),
        CURRENCY,
        Field("status", "string", "how far it got", rules=(not_null(), one_of(STATUSES))),
        Field("cancel_reason", "string", "why it was cancelled"),
        Field("promised_on", "date", "day promised for delivery", rules=(not_before("ordered_on"),)),
        Field("shipped_at", "timestamp", "when it was shipped (UTC)", rules=(not_before("ordered_at"),)),
        Field("delivered_at", "timestamp", "when it was delivered (UTC)", rules=(not_before("shipped_at"),)),
        Field("items_amount", MONEY, "worth of the items", "currency"),
        Field("discount_amount", MONEY, "discount on the order", "currency"),
        Field("shipping_fee", MONEY, "fee for shipping", "currency"),
        Field("order_amount", MONEY, "what the order comes to", "currency", rules=(not_null(),)),
        Field("voucher_code", "string", "voucher used"),
    ),
    row_law="One row per order; the newest updated_at counts. Online Retail: one row per invoice.",
    sequence_by=("updated_at", *DELIVERY_ORDER),
    rules=(
        COUNTRY_KNOWN,
        holds(
            "order_amount.adds_up",
            ("order_amount", "items_amount", "discount_amount", "shipping_fee"),
            "order_amount must be items_amount - discount_amount + shipping_fee",
            "order_amount = items_amount - discount_amount + shipping_fee",
            action="warn",
        ),
    ),
    amount="order_amount",
    day="updated_at",
    currency="currency",
)
