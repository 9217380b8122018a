"""Lines of orders, cancellations and corrections: the finest grain of what a shop sold, for all shops."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.declare.rules import Expectation, between, holds, not_null, one_of, references
from lakehouse.declare.table import Field, Table
from silver import products
from silver.shared import COUNTRY, COUNTRY_CODE, COUNTRY_KNOWN, CURRENCY, SHOP_ID

ITEM_TYPES = ("product", "shipping", "discount", "fee", "adjustment", "sample", "voucher", "donation")
LINE_TYPES = ("sale", "cancellation", "stock_adjustment", "bad_debt", "free")
GOING_BACK = ("cancellation", "stock_adjustment")

TABLE = Table(
    name="silver.order_lines",
    meaning="A line of an order, cancellation or correction, with what it is worth.",
    grain=("shop_id", "order_id", "line_id"),
    fields=(
        SHOP_ID,
        Field("order_id", "string", "order or invoice that the line belongs to", rules=(not_null(),)),
        Field(
            "line_id",
            "string",
            "line within the order: its number, or hash of its content and occurrence",
            rules=(not_null(),),
        ),
        Field("sold_at", "timestamp", "when it was sold (UTC)", rules=(not_null(),)),
        Field(
            "sold_on",
            "date",
            "business day of the sale where the shop is",
            rules=(between(date(2000, 1, 1), date(2099, 12, 31)),),
        ),
        Field("customer_id", "string", "customer; null for a sale without an account"),
        Field(
            "product_id",
            "string",
            "product, by the shop's code",
            rules=(not_null(), references(products.TABLE)),
        ),
        Field("description", "string", "text of the line, where the feed has one"),
        Field(
            "quantity",
            "int",
            "pieces; negative when they come back or are written off",
            "pieces",
            rules=(not_null(), between(-1_000_000, 1_000_000)),
        ),
        Field(
            "unit_price",
            "decimal(18,4)",
            "price of a piece before the discount",
            "currency",
            rules=(not_null(), between(-10_000_000, 10_000_000)),
        ),
        Field("discount", "decimal(18,2)", "discount on the whole line", "currency", rules=(between(0),)),
        Field("amount", "decimal(18,2)", "quantity x unit_price, rounded to cents, less the discount", "currency"),
        CURRENCY,
        COUNTRY,
        COUNTRY_CODE,
        Field("item_type", "string", "what the code stands for", rules=(one_of(ITEM_TYPES),)),
        Field("line_type", "string", "what the line does", rules=(one_of(LINE_TYPES),)),
        Field("promotion_id", "string", "promotion that gave the discount"),
    ),
    row_law="One row per delivered line; a line in two files is one row, a second scan in one file a second row.",
    rules=(
        holds(
            "quantity.sign",
            ("quantity", "line_type"),
            "quantity must be negative on cancellations and stock adjustments, and positive on all other lines",
            lambda: F.when(F.col("line_type").isin(*GOING_BACK), F.col("quantity") < 0).otherwise(
                F.col("quantity") > 0
            ),
        ),
        holds(
            "unit_price.sign",
            ("unit_price", "line_type"),
            "unit_price must not be negative, except on a bad debt",
            lambda: (F.col("unit_price") >= 0) | (F.col("line_type") == "bad_debt"),
        ),
        holds(
            "discount.within",
            ("discount", "quantity", "unit_price"),
            "discount must not exceed the price of the line on a sale",
            lambda: (
                (F.col("line_type") != "sale")
                | (F.col("unit_price") < 0)
                | (F.col("quantity") <= 0)
                | (F.col("discount") <= F.round(F.col("quantity") * F.col("unit_price"), 2))
            ),
        ),
        COUNTRY_KNOWN,
    ),
    expectations=(
        Expectation(
            "expect_column_sum_to_be_between",
            {"column": "amount", "min_value": -1e9, "max_value": 1e9},
            "a batch moves less than a billion; more is a wrong unit or a lost decimal point",
        ),
    ),
    amount="amount",
)


def amount() -> Column:
    """What a line is worth: quantity x unit_price, rounded to cents, less the discount."""
    gross = F.round(F.col("quantity") * F.col("unit_price"), 2)
    return (gross - F.col("discount")).try_cast("decimal(18,2)")


def delivered_amount(price: str, discount: str) -> str:
    """SQL for the same over delivered text, written apart so that the accounts check it."""
    gross = f"round(try_cast(trim(quantity) AS INT) * try_cast(trim({price}) AS DECIMAL(18,4)), 2)"
    return f"coalesce(try_cast({gross} - {discount} AS DECIMAL(18,2)), 0)"
