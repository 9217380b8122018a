"""The catalogue as it stands: every product by name, with its price, its cost, its stock and when it was sold."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.demand import stock_position as gold_stock_position
from gold.measures import SHOP_OF_LINE
from gold.sales import shops as gold_shops
from gold.vocabulary import SHOP, as_declared, at_least_zero, count, key
from lakehouse.declare.rules import between, not_before
from lakehouse.declare.table import MONEY, Field, Read, Step, Table
from silver import order_lines as silver_order_lines
from silver import products as silver_products

_LISTED = (
    "name",
    "category",
    "subcategory",
    "brand",
    "supplier_id",
    "list_price",
    "unit_cost",
    "listed_on",
    "is_active",
)

TABLE = Table(
    name="gold.products",
    meaning="A product as its shop lists it now, with its stock and its first and last sale.",
    grain=("shop_id", "product_id"),
    fields=(
        SHOP,
        key("product_id", "string", "product, by the shop's code"),
        key("name", "string", "name as listed; the code where no line names the product"),
        Field("category", "string", "category; for a code that is no product, its kind (shipping, fee, ...)"),
        Field("subcategory", "string", "category below the category"),
        Field("brand", "string", "brand"),
        Field("item_type", "string", "what the code stands for by its newest line; null for what was never sold"),
        Field("supplier_id", "string", "supplier"),
        Field("currency", "string", "currency of price and cost (ISO 4217): that in which the shop sells most"),
        Field("list_price", MONEY, "price as listed", "currency of the row", (at_least_zero(),)),
        Field("unit_cost", MONEY, "cost of a piece to the shop", "currency of the row", (at_least_zero(),)),
        Field("on_hand", "bigint", "pieces in all warehouses; null where stock is not counted", "pieces"),
        Field("on_order", "bigint", "pieces ordered from suppliers; null where stock is not counted", "pieces"),
        Field("listed_on", "date", "day of listing"),
        Field("first_sold_on", "date", "day of its first sale, before cancellation"),
        Field("last_sold_on", "date", "day of its last", rules=(not_before("first_sold_on", "fail"),)),
        Field("is_active", "boolean", "whether the product is on sale; null where the feed does not say"),
        count("versions", "versions of the listing behind this row", "versions", between(low=1, action="fail")),
    ),
    row_law="One row per product or code that a shop ever listed or sold.",
    counts="versions",
    has_lineage=False,
)


def build(products: DataFrame, order_lines: DataFrame, stock_position: DataFrame, shops: DataFrame) -> DataFrame:
    """Take the newest version of each listing, and put stock and sales beside it."""
    newest = F.max_by(F.struct(*_LISTED), "__START_AT").alias("newest")
    listed = products.groupBy("shop_id", "product_id").agg(newest, F.count("*").alias("versions"))
    sold_on = F.when(F.col("line_type") == "sale", F.col("sold_on"))
    newest_line = F.struct("sold_at", "order_id", "line_id")
    sold = order_lines.groupBy("shop_id", "product_id").agg(
        F.min(sold_on).alias("first_sold_on"),
        F.max(sold_on).alias("last_sold_on"),
        F.max_by("item_type", newest_line).alias("item_type"),
    )
    stock = stock_position.select("shop_id", "product_id", "on_hand", "on_order")
    rows = (
        listed.select("shop_id", "product_id", "newest.*", "versions")
        .join(sold, ["shop_id", "product_id"], "left")
        .join(stock, ["shop_id", "product_id"], "left")
        .join(F.broadcast(shops), "shop_id", "left")
    )
    return as_declared(rows, TABLE)


_GROUPS = {"shop_id": "shop_id", "product_id": "product_id"}

STEP = Step(
    table=TABLE,
    build=build,
    reads=(
        Read(silver_products.TABLE, groups=_GROUPS),
        Read(silver_order_lines.TABLE, groups=_GROUPS),
        Read(gold_stock_position.TABLE, groups=_GROUPS),
        Read(gold_shops.TABLE, joins=SHOP_OF_LINE),
    ),
    recompute=("shop_id", "product_id"),
)
