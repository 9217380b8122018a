"""Lines of orders, cancellations and corrections: the finest grain of what a shop sold, for all shops."""

from __future__ import annotations

from datetime import date

from lakehouse.rules import Expectation, between, not_null, one_of, references
from lakehouse.table import Field, Table
from silver import products
from silver.items import ITEM_TYPES
from silver.shared import COUNTRY, COUNTRY_CODE, COUNTRY_KNOWN, CURRENCY, SHOP_ID, holds

LINE_TYPES = ("sale", "cancellation", "stock_adjustment", "bad_debt", "free")

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
            "product, by the shop's code in capitals",
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
            "quantity_fits",
            ("quantity", "line_type"),
            "quantity must be negative on cancellations and stock adjustments, positive on all other lines",
        ),
        holds("unit_price_fits", ("unit_price", "line_type"), "unit_price must not be negative except on a bad debt"),
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
