"""What to put beside a product in the cart; written by the scoring job."""

from __future__ import annotations

from gold.vocabulary import MODEL, RUN, SHOP, count, key
from lakehouse.declare.rules import between
from lakehouse.declare.table import Field, Table

TABLE = Table(
    name="gold.cart_suggestions",
    meaning="A product to suggest to a cart with another.",
    grain=("shop_id", "cart_product_id", "rank"),
    fields=(
        SHOP,
        key("cart_product_id", "string", "product in the cart"),
        key("product_id", "string", "product to suggest, which may be sold now"),
        Field("rank", "int", "place, from 1", rules=(between(low=1, action="fail"),)),
        Field(
            "lift",
            "double",
            "how many times more often than by chance both were in one order; 1 for best sellers",
            rules=(between(low=0, action="fail"),),
        ),
        count("evidence", "orders with both", "orders"),
        key("reason", "string", "why, in words"),
        MODEL,
        RUN,
    ),
    row_law="Ten rows per product that was bought with another; fewer only where no more may be sold.",
    has_lineage=False,
)
