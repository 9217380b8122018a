"""The ALS factors of each customer, for nearest neighbours and look-alikes; written by the scoring job."""

from __future__ import annotations

from gold.vocabulary import MODEL, RUN, SHOP, key
from lakehouse.declare.table import Table

TABLE = Table(
    name="gold.als_user_factors",
    meaning="The place of a customer in the space of the matrix factorisation (ALS).",
    grain=("shop_id", "customer_id"),
    fields=(
        SHOP,
        key("customer_id", "string", "customer"),
        key("factors", "array<double>", "its factors; the product of a customer's and a product's is the affinity"),
        MODEL,
        RUN,
    ),
    row_law="One row per customer that the factorisation has seen; none where the plain baseline serves.",
    has_lineage=False,
)
