"""Products with their history: what was sold under which name, category and price, and when."""

from __future__ import annotations

from lakehouse.declare.rules import between, not_null
from lakehouse.declare.table import DELIVERY_ORDER, MONEY, Field, Table
from silver.shared import SCOPE, SHOP_ID, not_after_delivery

TABLE = Table(
    name="silver.products",
    meaning="A version of a product as its shop listed it; also the codes that are no goods, such as postage and fees.",
    grain=("shop_id", "product_id"),
    scope=SCOPE,
    fields=(
        SHOP_ID,
        Field("product_id", "string", "product, by the shop's code", rules=(not_null(),)),
        Field(
            "updated_at",
            "timestamp",
            "when the shop changed the product (UTC)",
            rules=(not_null(), not_after_delivery("time")),
        ),
        Field("name", "string", "name as listed; the code where no line names the product", rules=(not_null(),)),
        Field("description", "string", "text of the listing"),
        Field("category", "string", "category; for a code that is no product, its kind (shipping, fee, ...)"),
        Field("subcategory", "string", "category below the category"),
        Field("brand", "string", "brand"),
        Field("color", "string", "color"),
        Field("material", "string", "material"),
        Field("list_price", MONEY, "price as listed", "shop's currency", rules=(between(0),)),
        Field("unit_cost", MONEY, "cost of a piece to the shop", "shop's currency", rules=(between(0),)),
        Field("supplier_id", "string", "supplier"),
        Field(
            "listed_on", "date", "day of listing; where the feed does not say, of the first sale, or else first line"
        ),
        Field("is_active", "boolean", "whether the product is on sale; null where the feed does not say"),
    ),
    row_law="A delivered change is an event; successive events that say the same fold into one version.",
    write="scd2",
    sequence_by=("updated_at", *DELIVERY_ORDER),
    day="updated_at",
)
