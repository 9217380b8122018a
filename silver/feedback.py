"""What people said they like, where no purchase tells it."""

from __future__ import annotations

from lakehouse.declare.rules import between, not_null
from lakehouse.declare.table import DELIVERY_ORDER, Field, Table
from silver.shared import SCOPE, SHOP_ID, not_after_delivery

TABLE = Table(
    name="silver.feedback",
    meaning="A person's rating of a product.",
    grain=("shop_id", "customer_id", "product_id"),
    scope=SCOPE,
    fields=(
        SHOP_ID,
        Field("customer_id", "string", "person", rules=(not_null(),)),
        Field("product_id", "string", "product", rules=(not_null(),)),
        Field("rating", "int", "from 1 (bad) to 5 (good)", "points", rules=(not_null(), between(1, 5))),
        Field("rated_at", "timestamp", "when it was rated (UTC)", rules=(not_null(), not_after_delivery("time"))),
    ),
    row_law="One row per person and product: the newest rating.",
    sequence_by=("rated_at", *DELIVERY_ORDER),
    day="rated_at",
)
