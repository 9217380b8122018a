"""Which products are bought together; written by the scoring job."""

from __future__ import annotations

from gold.vocabulary import MODEL, RUN, SHOP, count, key
from lakehouse.declare.rules import between
from lakehouse.declare.table import Field, Table

TABLE = Table(
    name="gold.item_neighbors",
    meaning="A product that is often in one order with another.",
    grain=("shop_id", "product_id", "rank"),
    fields=(
        SHOP,
        key("product_id", "string", "product"),
        key("neighbor_id", "string", "product that is bought with it, and may be sold now"),
        Field("rank", "int", "place among its neighbours, from 1", rules=(between(low=1, action="fail"),)),
        Field(
            "similarity",
            "double",
            "cosine of the two products' orders of the last year, drawn to 0 where there are few",
            "share",
            (between(0, 1, action="fail"),),
        ),
        count("evidence", "orders of the last year with both", "orders", between(low=2, action="fail")),
        MODEL,
        RUN,
    ),
    row_law="At most twenty neighbours per product, each with at least two orders in common; a product that may not be "
    "sold now has neighbours, and is none.",
    has_lineage=False,
)
