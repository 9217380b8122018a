"""The ALS factors of each product, for nearest neighbours and look-alikes; written by the scoring job."""

from __future__ import annotations

from gold.vocabulary import MODEL, RUN, SHOP, key
from lakehouse.declare.table import Table

TABLE = Table(
    name="gold.als_item_factors",
    meaning="The place of a product in the space of the matrix factorisation (ALS).",
    grain=("shop_id", "product_id"),
    fields=(
        SHOP,
        key("product_id", "string", "product"),
        key("factors", "array<double>", "its factors; the product of a customer's and a product's is the affinity"),
        MODEL,
        RUN,
    ),
    row_law="One row per product that the factorisation has seen; none where the plain baseline serves.",
    has_lineage=False,
)
