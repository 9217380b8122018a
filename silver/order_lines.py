"""Lines of orders, cancellations and corrections: the finest grain of what a shop sold, for all shops."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from bronze.online_retail.lines import TABLE as ONLINE_RETAIL
from bronze.shop.order_lines import TABLE as SHOP_ORDER_LINES
from lakehouse.declare.conform import typed
from lakehouse.declare.rules import Expectation, between, holds, not_null, one_of, references
from lakehouse.declare.table import Field, Filter, Read, Step, Table
from silver import codes, countries, products
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


def from_shop(shop_order_lines: DataFrame) -> DataFrame:
    """The shop's lines are numbered, and its days are those of UTC. A negative quantity is goods that come back."""
    lines = typed(
        shop_order_lines,
        TABLE,
        shop_id=F.lit("shop"),
        order_id="order_id",
        line_id="line_no",
        sold_at="ordered_at",
        customer_id="customer_id",
        product_id="product_id",
        quantity="quantity",
        unit_price="unit_price",
        discount=F.coalesce(F.nullif(F.trim("discount"), F.lit("")), F.lit("0")),
        currency="currency",
        country=countries.name(F.col("country")),
        country_code=countries.code(F.col("country")),
        promotion_id="promotion_id",
    )
    is_return = F.col("quantity") < 0
    return lines.withColumns(
        {
            "sold_on": F.to_date("sold_at"),
            "description": F.lit(None).cast("string"),
            "amount": _amount(),
            "item_type": F.lit("product"),
            "line_type": F.when(is_return, "cancellation").when(F.col("unit_price") == 0, "free").otherwise("sale"),
        }
    )


def from_online_retail(online_retail: DataFrame) -> DataFrame:
    """The feed numbers no lines, so a line is known by its content and by how often that was seen before in its file.

    The lines of 1 to 9 December 2010 are in both files and match one to one: same content, same count, same line.
    Equal lines within a file are scattered through their invoice: goods scanned twice, and both were sold.
    """
    lines = typed(
        online_retail.withColumn("line_id", _line_id()),
        TABLE,
        shop_id=F.lit(codes.SHOP),
        order_id="invoice",
        line_id="line_id",
        sold_at="invoice_date",
        customer_id=_customer_id(),
        product_id=codes.product_code(F.col("stock_code")),
        description=codes.line_text(F.col("description")),
        quantity="quantity",
        unit_price="price",
        discount=F.lit("0"),
        currency=F.lit("GBP"),
        country=countries.name(F.col("country")),
        country_code=countries.code(F.col("country")),
    )
    return lines.withColumns(
        {
            "sold_on": F.to_date("sold_at"),
            "sold_at": codes.utc(F.col("sold_at")),
            "amount": _amount(),
            "item_type": codes.item_type(F.col("product_id")),
            "line_type": _online_retail_line_type(),
            "promotion_id": F.lit(None).cast("string"),
        }
    )


def _amount() -> Column:
    gross = F.round(F.col("quantity") * F.col("unit_price"), 2)
    return (gross - F.col("discount")).try_cast("decimal(18,2)")


def _online_retail_line_type() -> Column:
    return (
        F.when(F.col("order_id").startswith("C"), "cancellation")
        .when(F.col("order_id").startswith("A"), "bad_debt")
        .when(F.col("quantity") < 0, "stock_adjustment")
        .when(F.col("unit_price") == 0, "free")
        .otherwise("sale")
    )


def _customer_id() -> Column:
    """Customer numbers were once stored as floats: `17850.0` is `17850`."""
    return F.regexp_replace(F.trim("customer_id"), r"\.0$", "")


def _line_id() -> Column:
    """Hash of the content, in 16 hex digits, and the number of its occurrence in its file.

    A key is order and line, so only the contents of one invoice could be mistaken for each other. The longest has
    about 1,100 lines: with 64 bits, the chance of that is below 1e-13.
    """
    content = [
        F.col("stock_code"),
        codes.line_text(F.col("description")),
        _number("quantity", "int"),
        _number("price", "decimal(18,4)"),
        F.col("invoice_date"),
        _customer_id(),
        F.col("country"),
    ]
    # xxhash64 leaves nulls out, so that a missing customer and a missing text would look the same.
    texts = [F.coalesce(F.trim(column), F.lit("")) for column in content]
    content_hash = F.lower(F.lpad(F.hex(F.xxhash64(*texts)), 16, "0"))
    seen_in_file = Window.partitionBy("_source_file", "invoice", content_hash).orderBy("_source_row")
    return F.concat_ws("-", content_hash, F.row_number().over(seen_in_file).cast("string"))


def _number(name: str, kind: str) -> Column:
    """A number in one spelling (`6.95` and `6.9500`); what is none stays as it is."""
    text = F.trim(name)
    return F.coalesce(text.try_cast(kind).cast("string"), text)


def _delivered_amount(price: str, discount: str) -> str:
    gross = f"round(try_cast(trim(quantity) AS INT) * try_cast(trim({price}) AS DECIMAL(18,4)), 2)"
    return f"coalesce(try_cast({gross} - {discount} AS DECIMAL(18,2)), 0)"


STEPS = (
    Step(
        TABLE,
        from_shop,
        (Read(SHOP_ORDER_LINES),),
        amount=_delivered_amount("unit_price", "try_cast(coalesce(nullif(trim(discount), ''), '0') AS DECIMAL(18,2))"),
        source="shop",
    ),
    Step(
        TABLE,
        from_online_retail,
        (Read(ONLINE_RETAIL),),
        filters=(Filter("test_product", codes.IS_TEST_CODE),),
        amount=_delivered_amount("price", "0"),
        source="online_retail",
    ),
)
