"""Lines of the shop's orders: CSV files as delivered."""

from lakehouse.declare.table import Step
from lakehouse.intake.feeds import Feed, as_delivered, feed_table

MEANINGS = {
    "order_id": "order that the line belongs to",
    "line_no": "number of the line within its order",
    "ordered_at": "when the order was placed",
    "customer_id": "customer who ordered; empty for a guest",
    "country": "country of delivery",
    "product_id": "product that was ordered",
    "quantity": "pieces ordered",
    "unit_price": "price of one piece",
    "discount": "discount on the line",
    "currency": "currency of the line's amounts",
    "promotion_id": "promotion that applied",
}

FEED = Feed(
    source="shop",
    name="order_lines",
    pattern="order_lines/order_lines_*.csv*",
    columns={name: (name,) for name in MEANINGS},
)

TABLE = feed_table(
    "bronze.shop_order_lines",
    "One product within an order of the shop, as delivered.",
    FEED,
    MEANINGS,
)

STEP = Step(TABLE, build=as_delivered, feed=FEED, source=FEED.source)
