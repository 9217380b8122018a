"""Orders as they stand now: who ordered, what it came to, and how far it got."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.shop.orders import TABLE as SHOP_ORDERS
from lakehouse.declare.conform import typed
from lakehouse.declare.rules import Expectation, holds, not_before, not_null, one_of
from lakehouse.declare.table import LINEAGE_COLUMNS, Field, Read, Step, Table
from silver import countries, order_lines
from silver.shared import COUNTRY, COUNTRY_CODE, COUNTRY_KNOWN, CURRENCY, SHOP_ID, completed

STATUSES = ("placed", "shipped", "delivered", "cancelled", "returned", "completed", "credit")

TABLE = Table(
    name="silver.orders",
    meaning="An order or credit note in its newest state.",
    grain=("shop_id", "order_id"),
    fields=(
        SHOP_ID,
        Field("order_id", "string", "order or invoice", rules=(not_null(),)),
        Field("updated_at", "timestamp", "when this state was reached (UTC)", rules=(not_null(),)),
        Field("ordered_at", "timestamp", "when it was ordered (UTC)", rules=(not_null(),)),
        Field("ordered_on", "date", "business day of the order where the shop is"),
        Field("customer_id", "string", "customer; null for an order without an account"),
        Field("session_id", "string", "visit in which it was ordered"),
        COUNTRY,
        COUNTRY_CODE,
        Field("channel", "string", "channel that brought the order"),
        CURRENCY,
        Field("status", "string", "how far it got", rules=(not_null(), one_of(STATUSES))),
        Field("cancel_reason", "string", "why it was cancelled"),
        Field("promised_on", "date", "day promised for delivery", rules=(not_before("ordered_on"),)),
        Field("shipped_at", "timestamp", "when it was shipped (UTC)", rules=(not_before("ordered_at"),)),
        Field("delivered_at", "timestamp", "when it was delivered (UTC)", rules=(not_before("shipped_at"),)),
        Field("items_amount", "decimal(18,2)", "worth of the items", "currency"),
        Field("discount_amount", "decimal(18,2)", "discount on the order", "currency"),
        Field("shipping_fee", "decimal(18,2)", "fee for shipping", "currency"),
        Field("order_amount", "decimal(18,2)", "what the order comes to", "currency", rules=(not_null(),)),
        Field("voucher_code", "string", "voucher used"),
    ),
    row_law="One row per order; the newest updated_at counts. Online Retail: one row per invoice.",
    sequence_by=("updated_at", "_ingested_at", "_source_file", "_source_row"),
    rules=(
        COUNTRY_KNOWN,
        holds(
            "order_amount.adds_up",
            ("order_amount", "items_amount", "discount_amount", "shipping_fee"),
            "order_amount must be items_amount - discount_amount + shipping_fee",
            lambda: F.col("order_amount") == F.col("items_amount") - F.col("discount_amount") + F.col("shipping_fee"),
            action="warn",
        ),
    ),
    expectations=(
        Expectation(
            "expect_column_sum_to_be_between",
            {"column": "order_amount", "min_value": -1e9, "max_value": 1e9},
            "a batch moves less than a billion; more is a wrong unit or a lost decimal point",
        ),
    ),
    amount="order_amount",
)


def from_shop(shop_orders: DataFrame) -> DataFrame:
    """A delivered state of an order; the shop's days are those of UTC."""
    same = ("order_id", "updated_at", "ordered_at", "customer_id", "session_id", "channel", "currency", "status")
    also = ("cancel_reason", "promised_on", "shipped_at", "delivered_at", "shipping_fee", "voucher_code")
    orders = typed(
        shop_orders,
        TABLE,
        shop_id=F.lit("shop"),
        country=countries.name(F.col("country")),
        country_code=countries.code(F.col("country")),
        items_amount="items_total",
        discount_amount="discount_total",
        order_amount="order_total",
        **{name: name for name in (*same, *also)},
    )
    return orders.withColumn("ordered_on", F.to_date("ordered_at"))


def from_online_retail(order_lines: DataFrame) -> DataFrame:
    """An invoice is an order that was completed, or a credit note where it cancels. The feed knows no other state."""
    of_type = {kind: F.when(F.col("item_type") == kind, F.col("amount")) for kind in ("shipping", "discount")}
    sums = {
        "order_amount": F.sum("amount"),
        "shipping_fee": F.coalesce(F.sum(of_type["shipping"]), F.lit(0)),
        "discount_amount": F.coalesce(-F.sum(of_type["discount"]), F.lit(0)),
    }
    newest = F.struct("_ingested_at", "_source_file", "_source_row")
    facts = ("customer_id", "country", "country_code", "currency", *LINEAGE_COLUMNS)
    orders = order_lines.groupBy("shop_id", "order_id").agg(
        F.max("sold_at").alias("updated_at"),
        F.min("sold_at").alias("ordered_at"),
        F.min("sold_on").alias("ordered_on"),
        *[F.max_by(name, newest).alias(name) for name in facts],
        *[total.try_cast("decimal(18,2)").alias(name) for name, total in sums.items()],
    )
    items = F.col("order_amount") + F.col("discount_amount") - F.col("shipping_fee")
    stated = {
        "items_amount": items.try_cast("decimal(18,2)"),
        "status": F.when(F.col("order_id").startswith("C"), "credit").otherwise("completed"),
        "channel": F.lit("web"),
    }
    return completed(orders.withColumns(stated), TABLE)


STEPS = (
    Step(
        TABLE,
        from_shop,
        (Read(SHOP_ORDERS),),
        amount="coalesce(try_cast(trim(order_total) AS DECIMAL(18,2)), 0)",
        source="shop",
    ),
    Step(
        TABLE,
        from_online_retail,
        (
            Read(
                order_lines.TABLE,
                # Written-off stock and bad debts are booked on invoices of their own that nobody ordered.
                where="shop_id = 'online_retail' AND line_type NOT IN ('stock_adjustment', 'bad_debt')",
                groups={"shop_id": "shop_id", "order_id": "order_id"},
            ),
        ),
        recompute=("shop_id", "order_id"),
        amount="amount",
        source="online_retail",
    ),
)
