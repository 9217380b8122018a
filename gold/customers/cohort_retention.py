"""How many of the customers won in a month came back in the months after, and what they spent."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from gold.measures import NO_CUSTOMER, NOT_A_PRODUCT_SALE, ORDER_OF_LINE, measured
from gold.vocabulary import CURRENCY, SHOP, as_declared, at_least_zero, count, key, law, money
from lakehouse.declare.rules import between, not_null
from lakehouse.declare.table import Field, Read, Step, Table
from silver import order_lines as silver_order_lines
from silver import orders as silver_orders

TABLE = Table(
    name="gold.cohort_retention",
    meaning="Of the customers won in a month, how many ordered in the months after, and for how much.",
    grain=("shop_id", "cohort_month", "months_since", "currency"),
    fields=(
        SHOP,
        key("cohort_month", "date", "first day of the month of the first order"),
        Field(
            "months_since", "int", "calendar months since cohort_month", "months", (not_null("fail"), at_least_zero())
        ),
        CURRENCY,
        count("customers", "customers in the cohort", "customers"),
        count(
            "active_customers", "those of them with an order of products in the month that still counts", "customers"
        ),
        Field(
            "retention",
            "double",
            "active_customers / customers; null in a cohort without customers",
            "share",
            (between(0, 1, action="fail"),),
        ),
        money("net_revenue", "product sales less credit notes, without cancelled or returned orders"),
        count("lines", "order lines behind this row", "lines"),
        money("line_amount", "sum of these lines as booked, cancelled orders included; links to silver.order_lines"),
    ),
    row_law="One row per cohort, currency and month up to the shop's last, zeros included. Lines of customers without "
    "an order that counts, and credit notes from before a customer's first order, are in the cohort's first month.",
    rules=(
        law(
            "first_month.law",
            "in its first month all of a cohort are active",
            "months_since > 0 OR active_customers = customers",
            "months_since",
            "active_customers",
            "customers",
        ),
    ),
    amount="line_amount",
    counts="lines",
    has_lineage=False,
)


def build(order_lines: DataFrame, orders: DataFrame) -> DataFrame:
    """Put each customer into a cohort, and count the cohort's activity month by month."""
    lines = measured(order_lines, orders).withColumn("month", F.trunc("sold_on", "MM"))
    customers = _customers(lines)
    rows = _months(customers, lines).join(
        _activity(lines, customers), ["shop_id", "currency", "cohort_month", "months_since"], "left"
    )
    rows = rows.fillna(0, ["active_customers", "net_revenue", "lines", "line_amount"])
    return as_declared(rows.withColumn("retention", F.try_divide("active_customers", "customers")), TABLE)


def _customers(lines: DataFrame) -> DataFrame:
    """Each customer's cohort; without an order that counts it is the month of the first line, and nobody was won."""
    first_kept = F.min(F.when(F.col("is_kept"), F.col("month")))
    return lines.groupBy("shop_id", "currency", "customer_id").agg(
        F.coalesce(first_kept, F.min("month")).alias("cohort_month"), first_kept.isNotNull().alias("is_won")
    )


def _months(customers: DataFrame, lines: DataFrame) -> DataFrame:
    """Every cohort with each month from its own to the shop's last."""
    last = lines.groupBy("shop_id").agg(F.max("month").alias("last_month"))
    cohorts = customers.groupBy("shop_id", "currency", "cohort_month").agg(F.count_if("is_won").alias("customers"))
    span = F.sequence(F.lit(0), _months_between("cohort_month", "last_month"))
    return cohorts.join(F.broadcast(last), "shop_id").withColumn("months_since", F.explode(span))


def _activity(lines: DataFrame, customers: DataFrame) -> DataFrame:
    months_since = F.greatest(F.lit(0), _months_between("cohort_month", "month"))
    return (
        lines.join(customers, ["shop_id", "currency", "customer_id"])
        .groupBy("shop_id", "currency", "cohort_month", months_since.alias("months_since"))
        .agg(
            F.count_distinct(F.when(F.col("is_kept"), F.col("customer_id"))).alias("active_customers"),
            F.sum(F.when(~F.col("is_undone"), F.col("amount"))).alias("net_revenue"),
            F.count("*").alias("lines"),
            F.sum("amount").alias("line_amount"),
        )
    )


def _months_between(start: str, end: str) -> Column:
    return (F.year(end) - F.year(start)) * 12 + F.month(end) - F.month(start)


STEP = Step(
    table=TABLE,
    build=build,
    reads=(
        Read(silver_order_lines.TABLE, groups={"shop_id": "shop_id"}),
        Read(silver_orders.TABLE, joins=ORDER_OF_LINE),
    ),
    recompute=("shop_id",),
    filters=(NO_CUSTOMER, NOT_A_PRODUCT_SALE),
    amount="amount",
)
