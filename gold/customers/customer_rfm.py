"""How recently, how often and for how much each customer bought.

Recency, frequency and monetary value in quintiles, each cut by sorting all customers of the shop and dividing them into
five equal groups: A. M. Hughes, "Strategic Database Marketing", Probus 1994.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.measures import NO_CUSTOMER, NOT_A_PRODUCT_SALE, ORDER_OF_LINE, last_days, measured
from gold.vocabulary import CURRENCY, SHOP, as_declared, count, key, law, money
from lakehouse.declare.rules import between, matches, not_before
from lakehouse.declare.table import Field, Read, Step, Table
from silver import order_lines as silver_order_lines
from silver import orders as silver_orders

_QUINTILE = (between(1, 5, action="fail"),)
_UNSCORED = "; null without an order that still counts"

TABLE = Table(
    name="gold.customer_rfm",
    meaning="How recently, how often and for how much a customer bought, as of the shop's last day.",
    grain=("shop_id", "customer_id", "currency"),
    fields=(
        SHOP,
        key("customer_id", "string", "customer"),
        key(
            "as_of_on",
            "date",
            "last day of the shop's product sales to known customers (not an odd row long after); ages count back",
        ),
        Field("first_order_on", "date", "first order that still counts: not cancelled or returned as a whole"),
        Field("last_order_on", "date", "last such order", rules=(not_before("first_order_on", "fail"),)),
        Field("recency_days", "int", "age of the last order", "days", (between(low=0, action="fail"),)),
        Field("tenure_days", "int", "age of the first order", "days", (between(low=0, action="fail"),)),
        count("frequency", "distinct orders of products that still count", "orders"),
        CURRENCY,
        money("monetary", "net revenue: product sales less credit notes, without cancelled or returned orders"),
        count("products", "distinct products in those orders", "products"),
        Field(
            "return_rate",
            "double",
            "share of the product sales that was cancelled or credited; above 1 when goods of earlier years come back",
            "share",
            (between(low=0, action="fail"),),
        ),
        Field("r_score", "int", "quintile of recency, 5 the most recent" + _UNSCORED, rules=_QUINTILE),
        Field("f_score", "int", "quintile of frequency, 5 the most frequent" + _UNSCORED, rules=_QUINTILE),
        Field("m_score", "int", "quintile of monetary, 5 the highest" + _UNSCORED, rules=_QUINTILE),
        Field(
            "rfm_score",
            "string",
            "the three scores side by side, 555 the best" + _UNSCORED,
            rules=(matches("^[1-5]{3}$", "three digits from 1 to 5", "fail"),),
        ),
        count("lines", "order lines behind this row", "lines"),
        money("line_amount", "sum of these lines as booked, cancelled orders included; links to silver.order_lines"),
    ),
    row_law="One row per customer and currency with a line of a product; other lines are left out.",
    rules=(
        law(
            "frequency.law",
            "a customer has scores exactly with an order that counts",
            "(frequency > 0) = (rfm_score IS NOT NULL)",
            "frequency",
            "rfm_score",
        ),
    ),
    amount="line_amount",
    counts="lines",
    has_lineage=False,
)


def build(order_lines: DataFrame, orders: DataFrame) -> DataFrame:
    """Describe each customer by what was bought and kept, and rank the customers of a shop."""
    return as_declared(_scored(_described(measured(order_lines, orders))), TABLE)


def _described(lines: DataFrame) -> DataFrame:
    kept = F.col("is_kept")
    sold = F.sum(F.when(F.col("kind") == "sale", F.col("amount")))
    monetary = F.coalesce(F.sum(F.when(~F.col("is_undone"), F.col("amount"))), F.lit(0))
    shops = last_days(lines, "sold_on")
    customers = lines.groupBy("shop_id", "customer_id", "currency").agg(
        F.min(F.when(kept, F.col("sold_on"))).alias("first_order_on"),
        F.max(F.when(kept, F.col("sold_on"))).alias("last_order_on"),
        F.count_distinct(F.when(kept, F.col("order_id"))).alias("frequency"),
        monetary.alias("monetary"),
        F.count_distinct(F.when(kept, F.col("product_id"))).alias("products"),
        F.try_divide(sold - monetary, sold).alias("return_rate"),
        F.count("*").alias("lines"),
        F.sum("amount").alias("line_amount"),
    )
    return customers.join(F.broadcast(shops), "shop_id").withColumns(
        {
            "recency_days": _age("last_order_on"),
            "tenure_days": _age("first_order_on"),
        }
    )


def _age(day: str) -> Column:
    """Days before the shop's last day; an odd day after it counts as that day."""
    return F.when(F.col(day).isNotNull(), F.greatest(F.date_diff("as_of_on", day), F.lit(0)))


def _scored(customers: DataFrame) -> DataFrame:
    scores = {
        # Many customers tie, above all on one order: the other two values decide, then the key, so that no run differs.
        "r_score": _quintile("last_order_on", "frequency", "monetary"),
        "f_score": _quintile("frequency", "last_order_on", "monetary"),
        "m_score": _quintile("monetary", "frequency", "last_order_on"),
    }
    return customers.withColumns(scores).withColumn(
        "rfm_score", F.when(F.col("frequency") > 0, F.concat(*[F.col(name).cast("string") for name in scores]))
    )


def _quintile(*by: str) -> Column:
    is_scored = F.col("frequency") > 0
    ranked = Window.partitionBy("shop_id", "currency", is_scored).orderBy(*by, "customer_id")
    return F.when(is_scored, F.ntile(5).over(ranked))


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
