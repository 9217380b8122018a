"""What a shop sold into each country on a day: by day, because countries are forecast by day."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.measures import LAWS, MEASURES, ORDER_OF_LINE, SHOP_OF_LINE, aggregated, costed, measured
from gold.sales import shops as gold_shops
from gold.vocabulary import CURRENCY, SHOP, as_declared, key
from lakehouse.declare.table import Field, Read, Step, Table
from silver import order_lines as silver_order_lines
from silver import orders as silver_orders
from silver.countries import UNKNOWN_NAME

TABLE = Table(
    name="gold.sales_by_country",
    meaning="What a shop sold into a country on a day.",
    grain=("shop_id", "country", "sold_on", "currency"),
    fields=(
        SHOP,
        key("country", "string", f"country sold to; {UNKNOWN_NAME} where the line has none"),
        key("sold_on", "date", "business day of the lines; a credit note counts on its own day"),
        Field("country_code", "string", "ISO 3166-1 alpha-2 code of the country; ZZ where it is unknown"),
        CURRENCY,
        *(field for field, _ in MEASURES),
    ),
    row_law="One row per shop, country, day and currency with at least one order line.",
    rules=LAWS,
    amount="line_amount",
    counts="lines",
    has_lineage=False,
)


def build(order_lines: DataFrame, orders: DataFrame, shops: DataFrame) -> DataFrame:
    """Sum the day's lines of each country by what they are."""
    days = (
        costed(measured(order_lines, orders), shops)
        .withColumn("country", F.coalesce("country", F.lit(UNKNOWN_NAME)))
        .groupBy("shop_id", "country", "sold_on", "currency")
    )
    return as_declared(days.agg(F.max("country_code").alias("country_code"), *aggregated(MEASURES)), TABLE)


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
