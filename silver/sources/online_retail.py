"""How Online Retail II becomes silver: its one feed of invoice lines, what its stock codes stand for, its clock."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from bronze.online_retail.lines import TABLE as ONLINE_RETAIL
from lakehouse.declare import conform
from lakehouse.declare.conform import typed
from lakehouse.declare.table import LINEAGE_COLUMNS, Filter, Read, Step
from silver import countries
from silver.customers import TABLE as CUSTOMERS
from silver.order_lines import TABLE as ORDER_LINES
from silver.order_lines import amount, delivered_amount
from silver.orders import TABLE as ORDERS
from silver.products import TABLE as PRODUCTS
from silver.shared import completed

SHOP = "online_retail"
_TIMEZONE = "Europe/London"

IS_TEST_CODE = "upper(trim(stock_code)) IN ('TEST001', 'TEST002')"
"""SQL over bronze.online_retail: the shop's people tried out their tills."""

IS_SALE = (
    "coalesce(NOT startswith(trim(invoice), 'C') AND try_cast(trim(quantity) AS INT) > 0"
    " AND try_cast(trim(price) AS DECIMAL(18,4)) > 0, false)"
)
"""SQL over bronze.online_retail: goods went out for money."""

_CODES = {
    "shipping": ("POST", "DOT", "C2", "C3", "23444"),  # 23444 is "Next Day Carriage"
    "adjustment": ("M", "ADJUST", "ADJUST2", "B"),
    "discount": ("D",),
    "sample": ("S",),
    "fee": ("BANK CHARGES", "AMAZONFEE"),
    "donation": ("CRUK",),
    "voucher": ("GIFT", "22016"),  # 22016 is "Gift Voucher £100.00"
}


def utc(local: Column) -> Column:
    """The shop's wall clock, as UTC."""
    return conform.utc(local, _TIMEZONE)


def product_code(stock_code: Column) -> Column:
    """The code in capitals: tills spelt the same product `85123a` and `85123A`."""
    return F.nullif(F.upper(F.trim(stock_code)), F.lit(""))


def item_type(product_id: Column) -> Column:
    """Kind of what a code in capitals stands for; every code that is not special is a product."""
    kind = F.when(product_id.startswith("GIFT_"), "voucher")
    for name, codes in _CODES.items():
        kind = kind.when(product_id.isin(list(codes)), name)
    return kind.otherwise("product")


def line_text(description: Column) -> Column:
    """The description of a line; some pound signs were delivered as UTF-8 that had been read as Latin-1."""
    return F.replace(F.trim(description), F.lit("Â£"), F.lit("£"))


def products(online_retail: DataFrame) -> DataFrame:
    """The feed has no catalogue: each line is an event that says under which name its stock code was sold on the whole.

    The name is the text that most sale lines carry. On lines without a price staff left notes ("damaged", "?") where
    the name should be, so a code that was never sold takes only a text in capitals, as names are written.
    """
    product_id = product_code(F.col("stock_code"))
    at = F.trim("invoice_date").try_cast("timestamp")
    lines = online_retail.withColumns(
        {
            "shop_id": F.lit(SHOP),
            "product_id": product_id,
            "category": F.nullif(item_type(product_id), F.lit("product")),
            "updated_at": utc(at),
        }
    )
    listings = _listings(lines.withColumns({"line_on": at.cast("date"), "is_sale": F.expr(IS_SALE)}))
    return completed(lines.drop("description").join(listings, "product_id", "left"), PRODUCTS)


def _listings(lines: DataFrame) -> DataFrame:
    """One row per stock code: its name, and the day from which it was sold."""
    text = F.nullif(line_text(F.col("description")), F.lit(""))
    is_name = F.col("is_sale") | F.col("category").isNotNull() | ((text == F.upper(text)) & text.rlike("[A-Z]{3}"))
    texts = (
        lines.withColumn("text", F.when(is_name, text))
        .groupBy("product_id", "text")
        .agg(
            F.count_if("is_sale").alias("sales"),
            F.count(F.lit(1)).alias("lines"),
            F.min(F.when(F.col("is_sale"), F.col("line_on"))).alias("first_sale"),
            F.min("line_on").alias("first_line"),
        )
    )
    most_used = F.max_by("text", F.when(F.col("text").isNotNull(), F.struct("sales", "lines", "text")))
    return texts.groupBy("product_id").agg(
        F.coalesce(most_used, "product_id").alias("name"),
        F.coalesce(F.min("first_sale"), F.min("first_line")).alias("listed_on"),
    )


def order_lines(online_retail: DataFrame) -> DataFrame:
    """The feed numbers no lines, so a line is known by its content and by how often that was seen before in its file.

    The lines of 1 to 9 December 2010 are in both files and match one to one: same content, same count, same line.
    Equal lines within a file are scattered through their invoice: goods scanned twice, and both were sold.
    """
    lines = typed(
        online_retail.withColumn("line_id", _line_id()),
        ORDER_LINES,
        shop_id=F.lit(SHOP),
        order_id="invoice",
        line_id="line_id",
        sold_at="invoice_date",
        customer_id=_customer_id(),
        product_id=product_code(F.col("stock_code")),
        description=line_text(F.col("description")),
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
            "sold_at": utc(F.col("sold_at")),
            "amount": amount(),
            "item_type": item_type(F.col("product_id")),
            "line_type": _online_retail_line_type(),
            "promotion_id": F.lit(None).cast("string"),
        }
    )


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
        line_text(F.col("description")),
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


def orders(order_lines: DataFrame) -> DataFrame:
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
    return completed(orders.withColumns(stated), ORDERS)


def customers(order_lines: DataFrame) -> DataFrame:
    """The feed has no accounts: each line is an event that says in which country the customer was."""
    return completed(order_lines.withColumn("updated_at", F.col("sold_at")), CUSTOMERS)


STEPS: tuple[Step, ...] = (
    Step(
        PRODUCTS,
        products,
        (
            Read(
                ONLINE_RETAIL,
                groups={"shop_id": "'online_retail'", "product_id": "nullif(upper(trim(stock_code)), '')"},
            ),
        ),
        recompute=("shop_id", "product_id"),
        filters=(Filter("test_product", IS_TEST_CODE),),
        source="online_retail",
    ),
    Step(
        ORDER_LINES,
        order_lines,
        (Read(ONLINE_RETAIL),),
        filters=(Filter("test_product", IS_TEST_CODE),),
        amount=delivered_amount("price", "0"),
        source="online_retail",
    ),
    Step(
        ORDERS,
        orders,
        (
            Read(
                ORDER_LINES,
                # Written-off stock and bad debts are booked on invoices of their own that nobody ordered.
                where="shop_id = 'online_retail' AND line_type NOT IN ('stock_adjustment', 'bad_debt')",
                groups={"shop_id": "shop_id", "order_id": "order_id"},
            ),
        ),
        recompute=("shop_id", "order_id"),
        amount="amount",
        source="online_retail",
    ),
    Step(
        CUSTOMERS,
        customers,
        (
            Read(
                ORDER_LINES,
                where="shop_id = 'online_retail' AND customer_id IS NOT NULL",
                groups={"shop_id": "shop_id", "customer_id": "customer_id"},
            ),
        ),
        recompute=("shop_id", "customer_id"),
        source="online_retail",
    ),
)
