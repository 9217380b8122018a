"""What a shop sold of each product in a month; the days of a product are in demand_daily."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.measures import LAWS, MEASURES, NOT_A_PRODUCT, ORDER_OF_LINE, SHOP_OF_LINE, aggregated, costed, measured
from gold.sales import shops as gold_shops
from gold.vocabulary import CURRENCY, SHOP, as_declared, key
from lakehouse.declare.table import Field, Read, Step, Table
from silver import order_lines as silver_order_lines
from silver import orders as silver_orders

TABLE = Table(
    name="gold.sales_by_product",
    meaning="What a shop sold of a product in a month.",
    grain=("shop_id", "product_id", "sold_month", "currency"),
    fields=(
        SHOP,
        key("product_id", "string", "product, by the shop's code"),
        key("sold_month", "date", "first day of the month of the lines"),
        Field("product_name", "string", "text of the product's newest line in the month that has one"),
        CURRENCY,
        *(field for field, _ in MEASURES),
    ),
    row_law="One row per shop, product, month and currency with a line of a product; postage, fees and the like are "
    "left out.",
    rules=LAWS,
    amount="line_amount",
    counts="lines",
    has_lineage=False,
)


def build(order_lines: DataFrame, orders: DataFrame, shops: DataFrame) -> DataFrame:
    """Sum the month's lines of each product by what they are."""
    # The text as the last tie-breaker makes the choice the same in every run.
    newest = F.expr("max_by(description, struct(sold_at, description)) FILTER (WHERE description IS NOT NULL)")
    months = (
        costed(measured(order_lines, orders), shops)
        .withColumn("sold_month", F.trunc("sold_on", "MM"))
        .groupBy("shop_id", "product_id", "sold_month", "currency")
    )
    return as_declared(months.agg(newest.alias("product_name"), *aggregated(MEASURES)), TABLE)


STEP = Step(
    table=TABLE,
    build=build,
    reads=(
        Read(silver_order_lines.TABLE, groups={"shop_id": "shop_id", "sold_month": "trunc(sold_on, 'MM')"}),
        Read(silver_orders.TABLE, joins=ORDER_OF_LINE),
        Read(gold_shops.TABLE, joins=SHOP_OF_LINE),
    ),
    recompute=("shop_id", "sold_month"),
    filters=(NOT_A_PRODUCT,),
    amount="amount",
)
