"""How Online Retail II becomes silver: its one feed of invoice lines, what its stock codes stand for, its clock."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from bronze.online_retail.lines import TABLE as ONLINE_RETAIL
from lakehouse.declare.conform import (
    RESTATED,
    carried,
    local_day,
    said_anew,
    text,
    text_sql,
    typed,
)
from lakehouse.declare.table import DELIVERY_ORDER, LINEAGE_COLUMNS, MONEY, Filter, Read, Step
from silver import countries
from silver.customers import TABLE as CUSTOMERS
from silver.order_lines import TABLE as ORDER_LINES
from silver.order_lines import amount, amount_read
from silver.orders import TABLE as ORDERS
from silver.products import TABLE as PRODUCTS
from silver.shared import completed, known_customer

SHOP = "online_retail"
TIMEZONE = "Europe/London"
DAY_FORMATS: tuple[str, ...] = ()
"""Patterns of the feed's times beside `YYYY-MM-DD hh:mm[:ss]`, such as `M/d/yyyy H:mm` where months come first."""
PRICE_DECIMALS = 3
CENTS = 2
"""Prices have up to three decimals; lines were invoiced in whole pence."""

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


def product_code(stock_code: Column) -> Column:
    """The code in capitals: tills spelt the same product `85123a` and `85123A`."""
    return F.upper(text(stock_code))


def item_type(product_id: Column) -> Column:
    """Kind of what a code in capitals stands for; every code that is not special is a product."""
    kind = F.when(product_id.startswith("GIFT_"), "voucher")
    for name, codes in _CODES.items():
        kind = kind.when(product_id.isin(list(codes)), name)
    return kind.otherwise("product")


def line_text(description: Column) -> Column:
    """The description of a line; some pound signs were delivered as UTF-8 that had been read as Latin-1."""
    return F.replace(text(description), F.lit("Â£"), F.lit("£"))


def products(online_retail: DataFrame) -> DataFrame:
    """The feed has no catalogue: each line is an event that says under which name its stock code was sold on the whole.

    The name is the text that most sale lines carry. On lines without a price staff left notes ("damaged", "?") where
    the name should be, so a code that was never sold takes only a text in capitals, as names are written.
    """
    lines = typed(
        online_retail,
        PRODUCTS,
        timezone=TIMEZONE,
        day_formats={"updated_at": DAY_FORMATS},
        shop_id=F.lit(SHOP),
        product_id=product_code(F.col("stock_code")),
        updated_at="invoice_date",
    ).withColumn("category", F.nullif(item_type(F.col("product_id")), F.lit("product")))
    line_on = local_day(F.col("updated_at"), TIMEZONE)
    listings = _listings(lines.withColumns({"line_on": line_on, "is_sale": F.expr(IS_SALE)}))
    return completed(lines.drop("description").join(listings, "product_id", "left"), PRODUCTS)


def _listings(lines: DataFrame) -> DataFrame:
    """One row per stock code: its name, and the day from which it was sold."""
    found = line_text(F.col("description"))
    is_name = F.col("is_sale") | F.col("category").isNotNull() | ((found == F.upper(found)) & found.rlike("[A-Z]{3}"))
    texts = (
        lines.withColumn("text", F.when(is_name, found))
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
    """The feed numbers no lines, so a line is known by its content, and by how often that stands in one delivery.

    The lines of 1 to 9 December 2010 are in both files and match one to one: same content, same count, same line.
    Equal lines within a file are scattered through their invoice: goods scanned twice, and both were sold. A delivery
    that names a product of an invoice again says the invoice anew.
    """
    lines = typed(
        online_retail,
        ORDER_LINES,
        timezone=TIMEZONE,
        day_formats={"sold_at": DAY_FORMATS},
        decimals={"unit_price": PRICE_DECIMALS},
        shop_id=F.lit(SHOP),
        order_id="invoice",
        sold_at="invoice_date",
        customer_id=known_customer(F.col("customer_id")),
        product_id=product_code(F.col("stock_code")),
        description=line_text(F.col("description")),
        quantity="quantity",
        unit_price="price",
        discount=F.lit("0"),
        currency=F.lit("GBP"),
        country=countries.name(F.col("country")),
        country_code=countries.code(F.col("country")),
    )
    lines = lines.withColumns(
        {
            "sold_on": local_day(F.col("sold_at"), TIMEZONE),
            "amount": amount(CENTS),
            "item_type": item_type(F.col("product_id")),
            "line_type": _line_type(),
            "promotion_id": F.lit(None).cast("string"),
            "unit_cost": F.lit(None).cast(MONEY),
        }
    )
    lines = lines.withColumn("_content_hash", _content_hash())
    needed = ["order_id", "product_id", "_content_hash", *DELIVERY_ORDER, "_batch_id"]
    return carried(lines, needed, lambda known: _restated(_numbered(known))).drop("_content_hash")


def _line_type() -> Column:
    return (
        F.when(F.col("order_id").startswith("C"), "cancellation")
        .when(F.col("order_id").startswith("A"), "bad_debt")
        .when(F.col("quantity") < 0, "stock_adjustment")
        .when(F.col("unit_price") == 0, "free")
        .otherwise("sale")
    )


def _content_hash() -> Column:
    """Hash of what a line says, in 16 hex digits.

    A key is order and line, so only the contents of one invoice could be mistaken for each other. The longest has
    about 1,100 lines: with 64 bits, the chance of that is below 1e-13.
    """
    content = ("product_id", "description", "quantity", "unit_price", "sold_at", "customer_id", "country")
    # xxhash64 leaves nulls out, so that a missing customer and a missing text would look the same. What could not be
    # read is told apart by its text.
    texts = [F.coalesce(F.col(name).cast("string"), F.col("_unread")[name], F.lit("")) for name in content]
    return F.lower(F.lpad(F.hex(F.xxhash64(*texts)), 16, "0"))


def _numbered(lines: DataFrame) -> DataFrame:
    """Add line_id: the hash of the content, and the number of its occurrence in its delivery."""
    in_delivery = Window.partitionBy("order_id", "_content_hash", "_source_file", "_batch_id").orderBy("_source_row")
    number = F.row_number().over(in_delivery).cast("string")
    return lines.withColumn("line_id", F.concat_ws("-", "_content_hash", number))


def _restated(lines: DataFrame) -> DataFrame:
    """Mark the lines of older deliveries of an invoice where a later one names one of its products again.

    One that names only others adds to it, as the parts of an export that was cut in two do, or a row delivered again
    from quarantine.
    """
    lines = said_anew(lines, Window.partitionBy("order_id", "product_id"), Window.partitionBy("order_id"))
    is_old = F.coalesce(F.col("_delivery") < F.col("_anew"), F.lit(False))
    return lines.withColumn(RESTATED, is_old).drop("_delivery", "_anew")


def orders(order_lines: DataFrame) -> DataFrame:
    """An invoice is an order that was completed, or a credit note where it cancels. The feed knows no other state."""
    of_type = {kind: F.when(F.col("item_type") == kind, F.col("amount")) for kind in ("shipping", "discount")}
    sums = {
        "order_amount": F.sum("amount"),
        "shipping_fee": F.coalesce(F.sum(of_type["shipping"]), F.lit(0)),
        "discount_amount": F.coalesce(-F.sum(of_type["discount"]), F.lit(0)),
    }
    # By what the lines say alone: which of the deliveries that brought a line stands beside it depends on their order.
    last = F.struct(F.col("customer_id").isNotNull(), "sold_at", "line_id")
    facts = ("customer_id", "country", "country_code", "currency", *LINEAGE_COLUMNS)
    orders = order_lines.groupBy("shop_id", "order_id").agg(
        F.max("sold_at").alias("updated_at"),
        F.min("sold_at").alias("ordered_at"),
        F.min("sold_on").alias("ordered_on"),
        *[F.max_by(name, last).alias(name) for name in facts],
        *[total.try_cast(MONEY).alias(name) for name, total in sums.items()],
    )
    items = F.col("order_amount") + F.col("discount_amount") - F.col("shipping_fee")
    stated = {
        "items_amount": items.try_cast(MONEY),
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
                groups={"shop_id": f"'{SHOP}'", "product_id": f"upper({text_sql('stock_code')})"},
            ),
        ),
        recompute=("shop_id", "product_id"),
        filters=(Filter("test_product", IS_TEST_CODE),),
        source=SHOP,
        owns={"shop_id": SHOP},
    ),
    Step(
        ORDER_LINES,
        order_lines,
        (Read(ONLINE_RETAIL, groups={"shop_id": f"'{SHOP}'", "order_id": text_sql("invoice")}),),
        recompute=("shop_id", "order_id"),
        filters=(Filter("test_product", IS_TEST_CODE),),
        amount=amount_read("price", decimals=CENTS),
        source=SHOP,
        owns={"shop_id": SHOP},
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
        source=SHOP,
        owns={"shop_id": SHOP},
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
        source=SHOP,
        owns={"shop_id": SHOP},
    ),
)
