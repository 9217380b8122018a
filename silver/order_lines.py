"""Lines of orders, cancellations and corrections: the finest grain of what a shop sold, for all shops."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.declare.conform import full_sql
from lakehouse.declare.rules import between, holds, not_null, one_of, references
from lakehouse.declare.table import MONEY, Field, Table
from silver import products
from silver.shared import COUNTRY, COUNTRY_CODE, COUNTRY_KNOWN, CURRENCY, SCOPE, SHOP_ID, not_after_delivery

ITEM_TYPES = ("product", "shipping", "discount", "fee", "adjustment", "sample", "voucher", "donation")
LINE_TYPES = ("sale", "cancellation", "refund", "stock_adjustment", "bad_debt", "free")
GOING_BACK = ("cancellation", "stock_adjustment")

TABLE = Table(
    name="silver.order_lines",
    meaning="A line of an order, cancellation or correction, with what it is worth.",
    grain=("shop_id", "order_id", "line_id"),
    distribute_by=("order_id",),  # an order delivered again says all of its lines anew
    scope=SCOPE,
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
            rules=(between(date(1970, 1, 1)), not_after_delivery()),
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
        Field("discount", MONEY, "discount on the whole line, with the sign of the quantity", "currency"),
        Field(
            "amount",
            MONEY,
            "quantity x unit_price, rounded to cents where the feed has finer prices, less the discount; of a refund "
            "without pieces, the unit_price",
            "currency",
        ),
        Field(
            "unit_cost",
            MONEY,
            "cost of a piece to the shop by the version of the product that held at the sale; null where none tells it",
            "shop's currency",
        ),
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
            "quantity must be negative on cancellations and stock adjustments, 0 on refunds, else positive",
            f"CASE WHEN line_type IN {GOING_BACK} THEN quantity < 0 WHEN line_type = 'refund' THEN quantity = 0 "
            "ELSE quantity > 0 END",
        ),
        holds(
            "unit_price.sign",
            ("unit_price", "line_type"),
            "unit_price must not be negative, except on a refund or a bad debt",
            "unit_price >= 0 OR line_type IN ('refund', 'bad_debt')",
        ),
        holds(
            "discount.sign",
            ("discount", "quantity"),
            "discount must have the sign of the quantity",
            "CASE WHEN quantity < 0 THEN discount <= 0 ELSE discount >= 0 END",
        ),
        holds(
            "discount.within",
            ("discount", "quantity", "unit_price"),
            "discount must not exceed the price of the line on a sale",
            "line_type != 'sale' OR unit_price < 0 OR quantity <= 0 OR discount <= round(quantity * unit_price, 2)",
        ),
        COUNTRY_KNOWN,
    ),
    amount="amount",
    day="sold_on",
    currency="currency",
)


def amount(decimals: int | None = None) -> Column:
    """What a line is worth: quantity x unit_price less the discount, rounded to `decimals` where they are given."""
    pieces = F.when((F.col("quantity") == 0) & (F.col("unit_price") < 0), 1).otherwise(F.col("quantity"))
    gross = pieces * F.col("unit_price")
    gross = gross if decimals is None else F.round(gross, decimals)
    return (gross - F.col("discount")).try_cast(MONEY)


def amount_read(price: str, discount: str = "NULL", decimals: int | None = None) -> str:
    """SQL for the same over delivered text, written apart so that the accounts check it."""
    pieces, each, less = (full_sql(column) for column in ("quantity", price, discount))
    gross = f"CASE WHEN {pieces} = 0 AND {each} < 0 THEN {each} ELSE {pieces} * {each} END"
    gross = gross if decimals is None else f"round({gross}, {decimals})"
    return f"coalesce({gross} - coalesce(CASE WHEN {pieces} < 0 THEN -abs({less}) ELSE {less} END, 0), 0)"
