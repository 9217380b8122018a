"""Why net revenue changed, month against month: the change, told apart in several ways that each add up to it.

Price, volume and mix are those of products sold in both months: price is what their pieces of this month cost more than
then; volume, what the change of all pieces would have brought at the prices and in the shares of then; mix, the rest,
that dearer or cheaper products took a larger share. Products sold in one of the months alone, and what was cancelled or
came back, stand for themselves.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.measures import ORDER_OF_LINE, last_days, measured
from gold.sales import sales_by_order as gold_sales_by_order
from gold.vocabulary import CURRENCY, SHOP, as_declared, key, law, money
from lakehouse.declare.rules import one_of
from lakehouse.declare.table import MONEY, Field, Read, Step, Table
from silver import order_lines as silver_order_lines
from silver import orders as silver_orders
from silver.countries import UNKNOWN_NAME

BASES = {"previous month": 1, "previous year": 12}
"""What a month is compared with, and how many months before it that is."""
CAUSES = ("price", "volume", "mix", "new products", "products no longer sold", "returns and cancellations")
CUSTOMERS = ("new customers", "returning customers", "without account")
DIMENSIONS = ("cause", "customers", "product", "country", "channel")
MOST_PRODUCTS = 20
"""Products told by name: those whose revenue changed most; all others are one row."""
OTHER_PRODUCTS = "other products"
NOT_STATED = "not stated"

_MONTH = ("shop_id", "currency", "month", "basis")

TABLE = Table(
    name="gold.revenue_drivers",
    meaning="One of the parts into which the change of a month's net revenue is told apart.",
    grain=("shop_id", "month", "basis", "currency", "dimension", "driver"),
    fields=(
        SHOP,
        key("month", "date", "first day of the month"),
        key("basis", "string", "what it is compared with", one_of(tuple(BASES), "fail")),
        CURRENCY,
        key("dimension", "string", "how the change is told apart", one_of(DIMENSIONS, "fail")),
        key(
            "driver",
            "string",
            f"the part: of cause {', '.join(CAUSES)}; of customers {', '.join(CUSTOMERS)}; else the product, country "
            f"or channel, with {OTHER_PRODUCTS} than the {MOST_PRODUCTS} that changed most as one",
        ),
        key("through_on", "date", "last day that counts: the month's, or the shop's last in a month that still runs"),
        key("compared_month", "date", "first day of the month before, or a year before"),
        key(
            "compared_through_on", "date", "last day of it that counts: of a running month, as many days as have passed"
        ),
        Field("revenue", MONEY, "net revenue of the driver; null for a cause", "currency of the row"),
        Field("compared_revenue", MONEY, "its net revenue then; null for a cause", "currency of the row"),
        money("effect", "what the driver adds to the change, or takes from it"),
        money("change", "net revenue of the month less that of the month compared with, by gold.sales_by_order"),
        money("unexplained", "change less the effects of all drivers of the dimension"),
    ),
    row_law="One row per driver, for each month but the shop's first (for the year before, its first twelve).",
    rules=(
        law(
            "unexplained.law", "the effects of a dimension must add up to the change", "unexplained = 0", "unexplained"
        ),
        law(
            "effect.law",
            "effect must be revenue - compared_revenue",
            "effect = revenue - compared_revenue",
            "effect",
            "revenue",
            "compared_revenue",
        ),
    ),
    has_lineage=False,
)


def build(sales_by_order: DataFrame, order_lines: DataFrame, orders: DataFrame) -> DataFrame:
    """Sum each month and what it is compared with by product, customer, country and channel, and subtract."""
    known = last_days(sales_by_order, "sold_on", "lines").join(
        sales_by_order.groupBy("shop_id").agg(F.trunc(F.min("sold_on"), "MM").alias("first_month")), "shop_id"
    )
    shops = F.broadcast(known)
    products = _products(measured(order_lines, orders), shops)
    by_order = _by_order(_with_customers(sales_by_order), shops)
    totals = by_order.where("dimension = 'customers'").groupBy(*_MONTH).agg(F.sum("effect").alias("change"))
    parts = _causes(products).unionByName(_most_changed(products)).unionByName(by_order)
    rows = parts.join(totals, [*_MONTH]).join(shops, "shop_id")
    explained = F.sum("effect").over(Window.partitionBy(*_MONTH, "dimension"))
    return as_declared(_spans(rows).withColumn("unexplained", F.col("change") - explained), TABLE)


def _by_month(rows: DataFrame, shops: DataFrame, *by: str, **values: Column) -> DataFrame:
    """Sums by month and whether the day `is_early`: no later in its month than the shop's last day is in its own."""
    dated = rows.join(shops, "shop_id").where("sold_on <= as_of_on")
    is_early = F.dayofmonth("sold_on") <= F.dayofmonth("as_of_on")
    month = F.trunc("sold_on", "MM")
    groups = dated.groupBy("shop_id", "currency", month.alias("sold_month"), is_early.alias("is_early"), *by)
    return groups.agg(*(F.coalesce(F.sum(value), F.lit(0)).alias(name) for name, value in values.items()))


def _sided(sums: DataFrame, shops: DataFrame) -> DataFrame:
    """Each row once for every comparison that it is in, on the side of the month itself (`is_now`) or of the other.

    A month that still runs is compared with as many days of the other.
    """
    sides = [
        F.struct(
            F.add_months("sold_month", ahead).alias("month"),
            F.lit(name).alias("basis"),
            F.lit(ahead == 0).alias("is_now"),
        )
        for name, months in BASES.items()
        for ahead in (0, months)
    ]
    rows = sums.join(shops, "shop_id").withColumn("side", F.explode(F.array(*sides))).select("*", "side.*")
    is_running = (F.col("month") == F.trunc("as_of_on", "MM")) & (F.col("as_of_on") < F.last_day("as_of_on"))
    is_compared = F.add_months("month", -_months_back()) >= F.col("first_month")
    is_known = F.col("month") <= F.col("as_of_on")
    return rows.where(is_compared & is_known & (~is_running | F.col("is_early"))).drop("as_of_on", "first_month")


def _months_back() -> Column:
    months = F.lit(0)
    for name, back in BASES.items():
        months = F.when(F.col("basis") == name, back).otherwise(months)
    return months


def _spans(rows: DataFrame) -> DataFrame:
    """The days that a comparison is of."""
    through = F.least(F.last_day("month"), F.col("as_of_on"))
    compared = F.add_months("month", -_months_back())
    same_days = F.least(F.date_add(compared, F.dayofmonth(through) - 1), F.last_day(compared))
    is_whole = through == F.last_day("month")
    return rows.withColumns(
        {
            "through_on": through,
            "compared_month": compared,
            "compared_through_on": F.when(is_whole, F.last_day(compared)).otherwise(same_days),
        }
    )


def _now_and_then(name: str) -> list[Column]:
    """The sums of a column on both sides of a comparison."""
    now = F.col("is_now")
    return [
        F.coalesce(F.sum(F.when(now, F.col(name))), F.lit(0)).alias(f"{name}_now"),
        F.coalesce(F.sum(F.when(~now, F.col(name))), F.lit(0)).alias(f"{name}_then"),
    ]


def _products(lines: DataFrame, shops: DataFrame) -> DataFrame:
    """Pieces, gross sales and net revenue of each product on both sides."""
    is_sale = F.col("kind") == "sale"
    sums = _by_month(
        lines.where("kind IN ('sale', 'cancellation')"),
        shops,
        "product_id",
        units=F.when(is_sale, F.col("quantity")),
        gross=F.when(is_sale, F.col("amount")),
        revenue=F.when(~F.col("is_undone"), F.col("amount")),
    )
    both_sides = (column for name in ("units", "gross", "revenue") for column in _now_and_then(name))
    return _sided(sums, shops).groupBy(*_MONTH, "product_id").agg(*both_sides)


def _causes(products: DataFrame) -> DataFrame:
    """Price, volume and mix of the products sold on both sides, and the rest; in decimals, so that nothing is lost."""
    both = (F.col("units_now") > 0) & (F.col("units_then") > 0)
    at_old_price = F.expr("CAST(gross_then * units_now / units_then AS DECIMAL(38, 3))")

    def total(value: Column) -> Column:
        return F.coalesce(F.sum(value), F.lit(0)).cast("decimal(38, 3)")

    back = F.col("revenue_now") - F.col("gross_now") - F.col("revenue_then") + F.col("gross_then")
    sums = products.groupBy(*_MONTH).agg(
        total(F.when(both, F.col("gross_now"))).alias("sold_now"),
        total(F.when(both, F.col("gross_then"))).alias("sold_then"),
        total(F.when(both, at_old_price)).alias("old_price"),
        F.sum(F.when(both, F.col("units_now"))).alias("pieces_now"),
        F.sum(F.when(both, F.col("units_then"))).alias("pieces_then"),
        total(F.when(F.col("units_then") <= 0, F.col("gross_now"))).alias("new"),
        total(F.when(F.col("units_now") <= 0, -F.col("gross_then"))).alias("gone"),
        total(back).alias("back"),
    )
    volume = "coalesce(CAST(sold_then * pieces_now / pieces_then AS DECIMAL(38, 3)), 0) - sold_then"
    effects = ("sold_now - old_price", volume, f"old_price - sold_then - ({volume})", "new", "gone", "back")
    pairs = ", ".join(f"'{cause}', CAST({sql} AS {MONEY})" for cause, sql in zip(CAUSES, effects, strict=True))
    found = sums.selectExpr(*_MONTH, f"stack({len(CAUSES)}, {pairs}) AS (driver, effect)")
    none = F.lit(None).cast(MONEY)
    return found.withColumns({"dimension": F.lit("cause"), "revenue": none, "compared_revenue": none})


def _most_changed(products: DataFrame) -> DataFrame:
    changed = products.withColumn("moved", F.abs(F.col("revenue_now") - F.col("revenue_then")))
    place = F.row_number().over(Window.partitionBy(*_MONTH).orderBy(F.col("moved").desc(), "product_id"))
    told = F.when(place <= MOST_PRODUCTS, F.col("product_id")).otherwise(OTHER_PRODUCTS)
    return _differences(changed.withColumn("driver", told), "product")


def _with_customers(orders: DataFrame) -> DataFrame:
    """The orders, each with whether its customer was won in its month: then all of the month is a new customer's."""
    of_month = Window.partitionBy("shop_id", "buyer", F.trunc("sold_on", "MM"))
    is_new = F.coalesce(F.max(F.col("order_number") == 1).over(of_month), F.lit(False))
    new, returning, guests = CUSTOMERS
    customer = F.when(F.col("customer_id").isNull(), guests).when(is_new, new).otherwise(returning)
    return orders.withColumn("customers", customer)


def _by_order(orders: DataFrame, shops: DataFrame) -> DataFrame:
    """What orders tell: customers, countries and channels."""
    by_month = _by_month(orders, shops, "customers", "country", "channel", revenue=F.col("net_revenue"))
    told = {
        "customers": F.col("customers"),
        "country": F.coalesce("country", F.lit(UNKNOWN_NAME)),
        "channel": F.coalesce("channel", F.lit(NOT_STATED)),
    }
    pairs = F.array(*(F.struct(F.lit(name).alias("dimension"), value.alias("driver")) for name, value in told.items()))
    sums = _sided(by_month, shops).groupBy(*_MONTH, *told).agg(*_now_and_then("revenue"))
    rows = sums.withColumn("pair", F.explode(pairs)).select("*", "pair.*")
    return _differences(rows, F.col("dimension"))


def _differences(rows: DataFrame, dimension: str | Column) -> DataFrame:
    """Net revenue on both sides by driver, and what is between them."""
    of = F.lit(dimension) if isinstance(dimension, str) else dimension
    sums = rows.groupBy(*_MONTH, of.alias("dimension"), "driver").agg(
        F.sum("revenue_now").cast(MONEY).alias("revenue"), F.sum("revenue_then").cast(MONEY).alias("compared_revenue")
    )
    return sums.withColumn("effect", (F.col("revenue") - F.col("compared_revenue")).cast(MONEY))


STEP = Step(
    table=TABLE,
    build=build,
    reads=(
        Read(gold_sales_by_order.TABLE, groups={"shop_id": "shop_id"}),
        Read(silver_order_lines.TABLE, groups={"shop_id": "shop_id"}),
        Read(silver_orders.TABLE, joins=ORDER_OF_LINE),
    ),
    recompute=("shop_id",),
)
