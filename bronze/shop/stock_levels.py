"""Stock levels of the shop: CSV files as delivered."""

from lakehouse.declare.table import Step
from lakehouse.intake.feeds import Feed, as_delivered, feed_table

MEANINGS = {
    "product_id": "product counted",
    "counted_at": "when it was counted",
    "warehouse": "warehouse counted in",
    "on_hand": "pieces on the shelf",
    "on_order": "pieces ordered from the supplier",
    "supplier_id": "supplier who refills it",
    "lead_time_days": "days from order to arrival",
    "unit_cost": "purchase cost of one piece",
}

FEED = Feed(
    source="shop",
    name="stock_levels",
    pattern="stock_levels/stock_levels_*.csv*",
    columns={name: (name,) for name in MEANINGS},
)

TABLE = feed_table(
    "bronze.shop_stock_levels",
    "Stock of a product in a warehouse when it was counted, as delivered.",
    FEED,
    MEANINGS,
)

STEP = Step(TABLE, build=as_delivered, feed=FEED, source=FEED.source)
