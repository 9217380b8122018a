"""Promotions of the shop: CSV files as delivered."""

from lakehouse.declare.table import Step
from lakehouse.intake.feeds import Feed, as_delivered, feed_table

MEANINGS = {
    "promotion_id": "key of the promotion",
    "product_id": "product promoted",
    "name": "name of the promotion",
    "kind": "kind of promotion",
    "discount_pct": "discount in percent of the price",
    "starts_on": "first day",
    "ends_on": "last day",
    "updated_at": "when this state of the promotion was recorded",
}

FEED = Feed(
    source="shop",
    name="promotions",
    pattern="promotions/promotions_*.csv*",
    columns={name: (name,) for name in MEANINGS},
)

TABLE = feed_table(
    "bronze.shop_promotions",
    "Each delivery of a product's promotion by the shop, as delivered.",
    FEED,
    MEANINGS,
)

STEP = Step(TABLE, build=as_delivered, feed=FEED, source=FEED.source)
