"""What a shop sold in an order: the grain from which orders and customers are counted over any span of days."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from gold.measures import (
    AMOUNT_LAWS,
    MEASURES,
    ORDER_OF_LINE,
    SHOP_OF_LINE,
    aggregated,
    costed,
    measured,
)
from gold.sales import shops as gold_shops
from gold.vocabulary import CURRENCY, SHOP, as_declared, key, law
from lakehouse.declare.rules import between, not_null
from lakehouse.declare.table import Field, Read, Step, Table
from silver import order_lines as silver_order_lines
from silver import orders as silver_orders

_COUNTED_HERE = ("orders", "cancelled_orders", "customers")
_MEASURES = tuple((field, sql) for field, sql in MEASURES if field.name not in _COUNTED_HERE)
_FLAG = (not_null("fail"),)
_BUYER = "coalesce(customer_id, concat('order ', order_id))"

TABLE = Table(
    name="gold.sales_by_order",
    meaning="What a shop sold in an order on a day, and whether it was the customer's first.",
    grain=("shop_id", "buyer", "order_id", "sold_on", "currency"),
    fields=(
        SHOP,
        key("buyer", "string", "who bought: the customer, or the order itself where nobody has an account"),
        key("order_id", "string", "order, invoice or credit note"),
        key("sold_on", "date", "business day of the lines; a credit note counts on its own day"),
        CURRENCY,
        Field("sold_at", "timestamp", "when the first of the lines was sold (UTC)", rules=(not_null("fail"),)),
        Field("customer_id", "string", "customer; null for an order without an account"),
        Field("country", "string", "country sold to"),
        Field("country_code", "string", "ISO 3166-1 alpha-2 code of the country; ZZ where it is unknown"),
        Field("channel", "string", "channel that brought the order; null where the shop does not say"),
        Field("status", "string", "how far the order got; null where no order is known"),
        Field("cancel_reason", "string", "why it was cancelled; null where nobody said"),
        Field("has_sale", "boolean", "whether a product was sold, before cancellation", rules=_FLAG),
        Field(
            "is_kept", "boolean", "whether that sale still counts: not cancelled or returned as a whole", rules=_FLAG
        ),
        Field(
            "order_number",
            "int",
            "the customer's first order that counts is 1, the next 2; null for one that does not count or has no "
            "account",
            rules=(between(low=1, action="fail"),),
        ),
        *(field for field, _ in _MEASURES),
    ),
    row_law="One row per order, customer, day and currency with an order line.",
    rules=(
        *AMOUNT_LAWS,
        law("is_kept.law", "an order that counts must have a sale", "has_sale OR NOT is_kept", "has_sale", "is_kept"),
        law(
            "order_number.law",
            "exactly a customer's orders that count have a number",
            "(order_number IS NOT NULL) = (is_kept AND customer_id IS NOT NULL)",
            "order_number",
            "is_kept",
            "customer_id",
        ),
    ),
    amount="line_amount",
    counts="lines",
    has_lineage=False,
)


def build(order_lines: DataFrame, orders: DataFrame, shops: DataFrame) -> DataFrame:
    """Sum the lines of each order by what they are, and number the orders of each customer."""
    lines = costed(measured(order_lines, orders), shops).withColumn("buyer", F.expr(_BUYER))
    rows = lines.groupBy(*TABLE.grain).agg(
        F.max("customer_id").alias("customer_id"),
        F.max("country").alias("country"),
        F.max("country_code").alias("country_code"),
        F.max("channel").alias("channel"),
        F.max("order_status").alias("status"),
        F.max("cancel_reason").alias("cancel_reason"),
        F.bool_or(F.col("kind") == "sale").alias("has_sale"),
        F.bool_or("is_kept").alias("is_kept"),
        F.min("sold_at").alias("sold_at"),
        *aggregated(_MEASURES),
    )
    return as_declared(_numbered(rows), TABLE)


def _numbered(rows: DataFrame) -> DataFrame:
    counts = F.col("is_kept") & F.col("customer_id").isNotNull()
    began = F.min("sold_at").over(Window.partitionBy("shop_id", "buyer", "counts", "order_id"))
    in_time = Window.partitionBy("shop_id", "buyer", "counts").orderBy("began", "order_id")
    rows = rows.withColumn("counts", counts).withColumn("began", began)
    return rows.withColumn("order_number", F.when(F.col("counts"), F.dense_rank().over(in_time)))


STEP = Step(
    table=TABLE,
    build=build,
    reads=(
        Read(silver_order_lines.TABLE, groups={"shop_id": "shop_id", "buyer": _BUYER}),
        Read(silver_orders.TABLE, joins=ORDER_OF_LINE),
        Read(gold_shops.TABLE, joins=SHOP_OF_LINE),
    ),
    recompute=("shop_id", "buyer"),
    amount="amount",
)
