"""Stock as counted."""

from __future__ import annotations

from lakehouse.declare.rules import between, not_null
from lakehouse.declare.table import MONEY, Field, Table
from silver.shared import SCOPE, SHOP_ID, not_after_delivery

MOST = 10_000_000
"""Pieces that one count may have; more is a barcode in the wrong column."""

TABLE = Table(
    name="silver.stock_levels",
    meaning="What a warehouse had of a product when it was counted.",
    grain=("shop_id", "product_id", "warehouse", "counted_at"),
    scope=SCOPE,
    fields=(
        SHOP_ID,
        Field("product_id", "string", "product", rules=(not_null(),)),
        Field("counted_at", "timestamp", "when it was counted (UTC)", rules=(not_null(), not_after_delivery("time"))),
        Field("warehouse", "string", "warehouse", rules=(not_null(),)),
        Field("on_hand", "int", "pieces in the warehouse", "pieces", rules=(not_null(), between(0, MOST))),
        Field("on_order", "int", "pieces ordered from the supplier", "pieces", rules=(between(0),)),
        Field("supplier_id", "string", "supplier"),
        Field("lead_time_days", "int", "time from ordering to arrival", "days", rules=(between(0),)),
        Field("unit_cost", MONEY, "cost of a piece", "shop's currency", rules=(between(0),)),
    ),
    row_law="One row per product, warehouse and count.",
    day="counted_at",
)
