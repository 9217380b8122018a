"""Promotions: which product was cheaper, by how much and when."""

from __future__ import annotations

from lakehouse.declare.rules import between, not_before, not_null
from lakehouse.declare.table import DELIVERY_ORDER, Field, Table
from silver.shared import SCOPE, SHOP_ID

TABLE = Table(
    name="silver.promotions",
    meaning="A promotion of a product in its newest state.",
    grain=("shop_id", "promotion_id"),
    scope=SCOPE,
    fields=(
        SHOP_ID,
        Field("promotion_id", "string", "promotion", rules=(not_null(),)),
        Field("product_id", "string", "product that is promoted; null for all"),
        Field("name", "string", "name"),
        Field("kind", "string", "kind of promotion"),
        Field("discount_pct", "decimal(5,2)", "discount", "percent", rules=(not_null(), between(0, 100))),
        Field("starts_on", "date", "first day", rules=(not_null(),)),
        Field("ends_on", "date", "last day", rules=(not_before("starts_on"),)),
        Field("updated_at", "timestamp", "when it was changed (UTC)", rules=(not_null(),)),
    ),
    row_law="One row per promotion; of several deliveries the newest updated_at counts.",
    sequence_by=("updated_at", *DELIVERY_ORDER),
    day="updated_at",
)
