"""A shop's day at a glance: visits, orders, revenue and what marketing cost."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from gold.measures import CANCELLED_ORDERS_LAW, MEASURES, ORDER_OF_LINE, aggregated, measured
from gold.vocabulary import SHOP, as_declared, at_least_zero, count, key, law, money
from lakehouse.declare.rules import between
from lakehouse.declare.table import MONEY, Field, Read, Step, Table
from silver import marketing_spend as silver_marketing_spend
from silver import order_lines as silver_order_lines
from silver import orders as silver_orders
from silver import page_events as silver_page_events

_SHOWN = ("lines", "orders", "cancelled_orders", "units", "net_revenue", "line_amount")
_SALES = tuple((field, sql) for field, sql in MEASURES if field.name in _SHOWN)
_VISITS = (
    count("sessions", "distinct visits with an event on the day", "visits"),
    count("visitors", "distinct browsers or apps with an event on the day", "visitors"),
    count("views", "products viewed", "events"),
    count("add_to_carts", "products put into a cart", "events"),
    count("checkouts", "checkouts begun", "events"),
    count("purchases", "purchases seen on the pages", "events"),
)
_NOT_NEGATIVE = (at_least_zero(),)

TABLE = Table(
    name="gold.kpi_daily",
    meaning="A shop's day at a glance: visits, orders, revenue, and what marketing cost.",
    grain=("shop_id", "kpi_on", "currency"),
    fields=(
        SHOP,
        key("kpi_on", "date", "business day of sales and spend; of page events, the UTC day"),
        Field("currency", "string", "currency of the amounts (ISO 4217); null on a day with visits alone"),
        *_VISITS,
        *(field for field, _ in _SALES),
        Field(
            "average_order_value",
            MONEY,
            "net_revenue / orders that are not cancelled; null without such an order",
            "currency of the row",
        ),
        Field(
            "conversion_rate", "double", "orders / sessions; null without sessions", "orders per visit", _NOT_NEGATIVE
        ),
        Field(
            "cancelled_share",
            "double",
            "cancelled_orders / orders; null without orders",
            "share",
            (between(0, 1, action="fail"),),
        ),
        money("marketing_spend", "cost of all campaigns", at_least_zero()),
        Field(
            "return_on_ad_spend",
            "double",
            "net_revenue / marketing_spend, of all sales whether led by ads or not; null without spend",
            "ratio",
        ),
    ),
    row_law="One row per shop, day and currency with an order line, a page event or marketing spend; visits stand in "
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


def build(order_lines: DataFrame, orders: DataFrame, page_events: DataFrame, marketing_spend: DataFrame) -> DataFrame:
    """Put the day's sales, visits and spend side by side; a day that only one of them knows is there too."""
    sales = measured(order_lines, orders).withColumn("kpi_on", F.col("sold_on"))
    sales = sales.groupBy("shop_id", "kpi_on", "currency").agg(*aggregated(_SALES))
    spend = marketing_spend.groupBy("shop_id", F.col("spend_on").alias("kpi_on"), "currency").agg(
        F.sum("spend").alias("marketing_spend")
    )
    money = sales.join(spend, ["shop_id", "kpi_on", "currency"], "full")
    most_lines = Window.partitionBy("shop_id", "kpi_on").orderBy(F.col("lines").desc_nulls_last(), "currency")
    visits = _visits(page_events).withColumn("place", F.lit(1))  # visits have no currency: they stand in one row
    days = money.withColumn("place", F.row_number().over(most_lines)).join(
        visits, ["shop_id", "kpi_on", "place"], "full"
    )
    counted = [field.name for field in (*_VISITS, *(field for field, _ in _SALES))]
    return as_declared(_with_ratios(days.fillna(0, [*counted, "marketing_spend"])), TABLE)


def _visits(page_events: DataFrame) -> DataFrame:
    def events(event_type: str) -> str:
        return f"count_if(event_type = '{event_type}')"

    return page_events.groupBy("shop_id", F.to_date("event_at").alias("kpi_on")).agg(
        F.count_distinct("session_id").alias("sessions"),
        F.count_distinct("visitor_id").alias("visitors"),
        F.expr(events("view")).alias("views"),
        F.expr(events("add_to_cart")).alias("add_to_carts"),
        F.expr(events("checkout")).alias("checkouts"),
        F.expr(events("purchase")).alias("purchases"),
    )


def _with_ratios(days: DataFrame) -> DataFrame:
    return days.withColumns(
        {
            "average_order_value": F.expr("try_divide(net_revenue, orders - cancelled_orders)"),
            "conversion_rate": F.try_divide("orders", "sessions"),
            "cancelled_share": F.try_divide("cancelled_orders", "orders"),
            "return_on_ad_spend": F.try_divide("net_revenue", "marketing_spend"),
        }
    )


STEP = Step(
    table=TABLE,
    build=build,
    reads=(
        Read(silver_order_lines.TABLE, groups={"shop_id": "shop_id", "kpi_on": "sold_on"}),
        Read(silver_orders.TABLE, joins=ORDER_OF_LINE),
        Read(silver_page_events.TABLE, groups={"shop_id": "shop_id", "kpi_on": "CAST(event_at AS DATE)"}),
        Read(silver_marketing_spend.TABLE, groups={"shop_id": "shop_id", "kpi_on": "spend_on"}),
    ),
    recompute=("shop_id", "kpi_on"),
    amount="amount",
)
