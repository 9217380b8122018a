"""Products of the shop: JSON lines files as delivered."""

from lakehouse.declare.table import Step
from lakehouse.intake.feeds import Feed, as_delivered, feed_table

MEANINGS = {
    "product_id": "key of the product",
    "updated_at": "when this state of the product was recorded",
    "name": "name shown to customers",
    "description": "text shown to customers",
    "category": "upper level of the catalogue",
    "subcategory": "lower level of the catalogue",
    "brand": "brand",
    "color": "colour",
    "material": "material",
    "list_price": "price before any discount",
    "unit_cost": "purchase cost of one piece",
    "supplier_id": "supplier who delivers it",
    "listed_on": "day from which it is on offer",
    "is_active": "whether it is on offer",
}

FEED = Feed(
    source="shop",
    name="products",
    pattern="products/products_*.json*",
    columns={name: (name,) for name in MEANINGS},
    format="jsonl",
)

TABLE = feed_table(
    "bronze.shop_products",
    "Each delivery of a product's state by the shop, as delivered.",
    FEED,
    MEANINGS,
)

STEP = Step(TABLE, build=as_delivered, feed=FEED, source=FEED.source)
