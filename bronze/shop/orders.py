"""Orders of the shop: CSV files as delivered."""

from lakehouse.declare.table import Step
from lakehouse.intake.feeds import Feed, as_delivered, feed_table

MEANINGS = {
    "order_id": "key of the order",
    "updated_at": "when this state of the order was recorded",
    "ordered_at": "when the order was placed",
    "customer_id": "customer who ordered; empty for a guest",
    "session_id": "visit in which the order was placed",
    "country": "country of delivery",
    "channel": "where the order was placed",
    "currency": "currency of the order's amounts",
    "status": "state of the order",
    "cancel_reason": "why the order was cancelled",
    "promised_on": "day by which delivery was promised",
    "shipped_at": "when the parcel left the warehouse",
    "delivered_at": "when the parcel arrived",
    "items_total": "sum of the lines before discount",
    "discount_total": "discount on the whole order",
    "shipping_fee": "what the customer pays for shipping",
    "order_total": "what the customer pays in all",
    "voucher_code": "voucher that was redeemed",
}

FEED = Feed(
    source="shop",
    name="orders",
    pattern="orders/orders_*.csv*",
    columns={name: (name,) for name in MEANINGS},
)

TABLE = feed_table(
    "bronze.shop_orders",
    "Each delivery of an order's state by the shop, as delivered.",
    FEED,
    MEANINGS,
)

STEP = Step(TABLE, build=as_delivered, feed=FEED, source=FEED.source)
