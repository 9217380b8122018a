"""What customers say about products."""

from __future__ import annotations

from lakehouse.declare.rules import between, not_null
from lakehouse.declare.table import Field, Table
from silver.shared import SCOPE, SHOP_ID, not_after_delivery

TABLE = Table(
    name="silver.reviews",
    meaning="A customer's review of a product.",
    grain=("shop_id", "review_id"),
    scope=SCOPE,
    fields=(
        SHOP_ID,
        Field("review_id", "string", "review", rules=(not_null(),)),
        Field("order_id", "string", "order that is reviewed"),
        Field("product_id", "string", "product that is reviewed", rules=(not_null(),)),
        Field("customer_id", "string", "customer who wrote it"),
        Field("rating", "int", "from 1 (bad) to 5 (good)", "stars", rules=(not_null(), between(1, 5))),
        Field("title", "string", "headline"),
        Field("text", "string", "what was written"),
        Field("reviewed_at", "timestamp", "when it was written (UTC)", rules=(not_null(), not_after_delivery("time"))),
    ),
    row_law="One row per review.",
    day="reviewed_at",
)
