"""Payments of the shop: CSV files as delivered."""

from lakehouse.declare.table import Step
from lakehouse.intake.feeds import Feed, as_delivered, feed_table

MEANINGS = {
    "payment_id": "key of the payment",
    "order_id": "order that is paid",
    "paid_at": "when the payment was booked",
    "method": "way of paying",
    "amount": "amount paid; negative for a refund",
    "currency": "currency of the amount",
    "status": "state of the payment",
}

FEED = Feed(
    source="shop",
    name="payments",
    pattern="payments/payments_*.csv*",
    columns={name: (name,) for name in MEANINGS},
)

TABLE = feed_table(
    "bronze.shop_payments",
    "One payment or refund for an order of the shop, as delivered.",
    FEED,
    MEANINGS,
)

STEP = Step(TABLE, build=as_delivered, feed=FEED, source=FEED.source)
