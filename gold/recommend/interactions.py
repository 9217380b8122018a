"""Who bought what: one row per customer and product, for recommendations."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.measures import NO_CUSTOMER, PRODUCT_SALE
from gold.vocabulary import CURRENCY, SHOP, as_declared, at_least_zero, count, key, law, money
from lakehouse.declare.rules import between, not_before
from lakehouse.declare.table import Field, Filter, Read, Step, Table
from silver import order_lines as silver_order_lines

TABLE = Table(
    name="gold.interactions",
    meaning="What a customer bought of a product, over all time; a purchase cancelled later still shows interest.",
    grain=("shop_id", "customer_id", "product_id", "currency"),
    fields=(
        SHOP,
        key("customer_id", "string", "customer who bought"),
        key("product_id", "string", "product, by the shop's code"),
        Field("first_at", "timestamp", "first purchase (UTC)"),
        Field("last_at", "timestamp", "last purchase (UTC)", rules=(not_before("first_at", "fail"),)),
        count("orders", "distinct orders with the product", "orders", between(low=1, action="fail")),
        count("quantity", "pieces bought, before cancellation", "pieces"),
        CURRENCY,
        money("value", "product sales after the discount on the line, before cancellation", at_least_zero()),
        count("lines", "order lines behind this row", "lines", between(low=1, action="fail")),
    ),
    row_law="One row per customer, product and currency with a product sale; sales without a customer are left out.",
    rules=(law("orders.law", "orders must not be more than lines", "orders <= lines", "orders", "lines"),),
    amount="value",
    counts="lines",
    has_lineage=False,
)


def build(order_lines: DataFrame) -> DataFrame:
    """Sum a customer's purchases of each product."""
    bought = order_lines.groupBy("shop_id", "customer_id", "product_id", "currency").agg(
        F.min("sold_at").alias("first_at"),
        F.max("sold_at").alias("last_at"),
        F.count_distinct("order_id").alias("orders"),
        F.sum("quantity").alias("quantity"),
        F.sum("amount").alias("value"),
        F.count("*").alias("lines"),
    )
    return as_declared(bought, TABLE)


STEP = Step(
    table=TABLE,
    build=build,
    reads=(Read(silver_order_lines.TABLE, groups={"shop_id": "shop_id", "customer_id": "customer_id"}),),
    recompute=("shop_id", "customer_id"),
    filters=(NO_CUSTOMER, Filter("not_a_product_sale", f"({PRODUCT_SALE}) IS NOT TRUE")),
    amount="amount",
)
