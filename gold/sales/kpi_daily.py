"""A shop's day at a glance: visits, orders, revenue and what marketing cost, in numbers that add up over days.

What does not add up, such as rates, and customers over a month, is in `gold/kpis.py`.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from gold.measures import CANCELLED_ORDERS_LAW, MEASURES, ORDER_OF_LINE, aggregated, measured
from gold.sales import sessions as gold_sessions
from gold.vocabulary import SHOP, as_declared, at_least_zero, count, key, law, money
from lakehouse.declare.table import Field, Read, Step, Table
from silver import marketing_spend as silver_marketing_spend
from silver import order_lines as silver_order_lines
from silver import orders as silver_orders

_SHOWN = ("lines", "orders", "cancelled_orders", "units", "net_revenue", "line_amount")
_SALES = tuple((field, sql) for field, sql in MEASURES if field.name in _SHOWN)
_VISITS = (
    count("sessions", "visits that began on the day", "visits"),
    count("visitors", "distinct browsers or apps of these visits: they do not add up over days", "visitors"),
    *(field for field, _ in gold_sessions.EVENTS),
)

TABLE = Table(
    name="gold.kpi_daily",
    meaning="A shop's day at a glance: visits, orders, revenue, and what marketing cost.",
    grain=("shop_id", "kpi_on", "currency"),
    fields=(
        SHOP,
        key("kpi_on", "date", "business day of sales and spend; of visits, the UTC day on which they began"),
        Field("currency", "string", "currency of the amounts (ISO 4217); null on a day with visits alone"),
        *_VISITS,
        *(field for field, _ in _SALES),
        money("marketing_spend", "cost of all campaigns", at_least_zero()),
    ),
    row_law="One row per shop, day and currency with an order line, a visit or marketing spend; visits stand in "
    "that of the currency with the most lines.",
    rules=(
        CANCELLED_ORDERS_LAW,
        law(
            "currency.law",
            "an amount must have its currency",
            "currency IS NOT NULL OR (line_amount = 0 AND marketing_spend = 0)",
            "currency",
            "line_amount",
            "marketing_spend",
        ),
    ),
    amount="line_amount",
    counts="lines",
    has_lineage=False,
)


def build(order_lines: DataFrame, orders: DataFrame, sessions: DataFrame, marketing_spend: DataFrame) -> DataFrame:
    """Put the day's sales, visits and spend side by side; a day that only one of them knows is there too."""
    sales = measured(order_lines, orders).withColumn("kpi_on", F.col("sold_on"))
    sales = sales.groupBy("shop_id", "kpi_on", "currency").agg(*aggregated(_SALES))
    spend = marketing_spend.groupBy("shop_id", F.col("spend_on").alias("kpi_on"), "currency").agg(
        F.sum("spend").alias("marketing_spend")
    )
    money = sales.join(spend, ["shop_id", "kpi_on", "currency"], "full")
    most_lines = Window.partitionBy("shop_id", "kpi_on").orderBy(F.col("lines").desc_nulls_last(), "currency")
    visits = _visits(sessions).withColumn("place", F.lit(1))  # visits have no currency: they stand in one row
    days = money.withColumn("place", F.row_number().over(most_lines)).join(
        visits, ["shop_id", "kpi_on", "place"], "full"
    )
    counted = [field.name for field in (*_VISITS, *(field for field, _ in _SALES))]
    return as_declared(days.fillna(0, [*counted, "marketing_spend"]), TABLE)


def _visits(sessions: DataFrame) -> DataFrame:
    return sessions.groupBy("shop_id", F.col("started_on").alias("kpi_on")).agg(
        F.count("*").alias("sessions"),
        F.count_distinct("visitor_id").alias("visitors"),
        *(F.sum(field.name).alias(field.name) for field, _ in gold_sessions.EVENTS),
    )


STEP = Step(
    table=TABLE,
    build=build,
    reads=(
        Read(silver_order_lines.TABLE, groups={"shop_id": "shop_id", "kpi_on": "sold_on"}),
        Read(silver_orders.TABLE, joins=ORDER_OF_LINE),
        Read(gold_sessions.TABLE, groups={"shop_id": "shop_id", "kpi_on": "started_on"}),
        Read(silver_marketing_spend.TABLE, groups={"shop_id": "shop_id", "kpi_on": "spend_on"}),
    ),
    recompute=("shop_id", "kpi_on"),
    amount="amount",
)
