"""What a shop sold on a day, and how the day's revenue comes about."""

from __future__ import annotations

from pyspark.sql import DataFrame

from gold.measures import (
    CHARGES,
    CHARGES_LAW,
    LAWS,
    MEASURES,
    ORDER_OF_LINE,
    SHOP_OF_LINE,
    aggregated,
    costed,
    measured,
)
from gold.sales import shops as gold_shops
from gold.vocabulary import CURRENCY, SHOP, as_declared, key
from lakehouse.declare.table import Read, Step, Table
from silver import order_lines as silver_order_lines
from silver import orders as silver_orders

TABLE = Table(
    name="gold.sales_daily",
    meaning="What a shop sold on a day: orders, pieces, and money from gross sales to net revenue and charges.",
    grain=("shop_id", "sold_on", "currency"),
    fields=(
        SHOP,
        key("sold_on", "date", "business day of the lines; a credit note counts on its own day"),
        CURRENCY,
        *(field for field, _ in (*MEASURES, *CHARGES)),
    ),
    row_law="One row per shop, day and currency with at least one order line.",
    rules=(*LAWS, CHARGES_LAW),
    amount="line_amount",
    counts="lines",
    has_lineage=False,
)


def build(order_lines: DataFrame, orders: DataFrame, shops: DataFrame) -> DataFrame:
    """Sum the day's lines by what they are."""
    days = costed(measured(order_lines, orders), shops).groupBy("shop_id", "sold_on", "currency")
    return as_declared(days.agg(*aggregated((*MEASURES, *CHARGES))), TABLE)


STEP = Step(
    table=TABLE,
    build=build,
    reads=(
        Read(silver_order_lines.TABLE, groups={"shop_id": "shop_id", "sold_on": "sold_on"}),
        Read(silver_orders.TABLE, joins=ORDER_OF_LINE),
        Read(gold_shops.TABLE, joins=SHOP_OF_LINE),
    ),
    recompute=("shop_id", "sold_on"),
    amount="amount",
)
