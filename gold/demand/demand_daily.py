"""What was asked of each product on each day, days without a sale included: the series that forecasts learn from."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from gold.measures import NOT_A_PRODUCT_SALE, last_days, main_currencies
from gold.vocabulary import CURRENCY, SHOP, as_declared, at_least_zero, count, key, law, money
from lakehouse.declare.rules import between, not_null
from lakehouse.declare.table import Field, Read, Step, Table
from silver import order_lines as silver_order_lines
from silver import products as silver_products
from silver import promotions as silver_promotions
from silver import stock_levels as silver_stock_levels

_SERIES = ("shop_id", "product_id")

TABLE = Table(
    name="gold.demand_daily",
    meaning="What was ordered of a product on a day, zeros included, with price, promotion and stock on that day.",
    grain=("shop_id", "product_id", "demand_on", "currency"),
    fields=(
        SHOP,
        key("product_id", "string", "product, by the shop's code"),
        key("demand_on", "date", "business day"),
        count(
            "quantity", "pieces ordered, before any cancellation: an order that stock could not serve counts", "pieces"
        ),
        count("returned_quantity", "pieces on credit notes of the day", "pieces"),
        count("orders", "distinct orders with the product", "orders"),
        CURRENCY,
        money("sales_amount", "product sales after the discount on the line, before cancellation", at_least_zero()),
        Field(
            "unit_price",
            "decimal(18,4)",
            "mean price paid for a piece; on a day without a sale that of the last one, null before the first",
            "currency of the row",
            (at_least_zero(),),
        ),
        Field("is_promoted", "boolean", "whether a promotion of the product runs", rules=(not_null("fail"),)),
        Field(
            "discount_pct",
            "double",
            "highest discount of the promotions that run; 0 without one",
            "percent",
            (not_null("fail"), between(0, 100, action="fail")),
        ),
        Field(
            "on_hand",
            "bigint",
            "pieces in all warehouses at the close of the day (UTC), by their last counts; null before the first",
            "pieces",
            (at_least_zero(),),
        ),
        Field(
            "is_stockout",
            "boolean",
            "whether the day opened or closed without stock, so that less may have been sold than was wanted; "
            "false where stock is not counted",
            rules=(not_null("fail"),),
        ),
        count("lines", "order lines behind this row", "lines"),
        money("line_amount", "sum of these lines as booked, credit notes included; links to silver.order_lines"),
    ),
    row_law="One row per product, currency and day, from the product's listing or first line to the shop's last day of "
    "sales; a listing counts only where the feed knows listings, and not before the shop's first day.",
    rules=(law("orders.law", "orders must not be more than lines", "orders <= lines", "orders", "lines"),),
    amount="line_amount",
    counts="lines",
    has_lineage=False,
)


def build(order_lines: DataFrame, products: DataFrame, stock_levels: DataFrame, promotions: DataFrame) -> DataFrame:
    """Lay out every day of every product, and put on it what was sold, promoted and on hand."""
    spans = _spans(order_lines, products)
    days = spans.withColumn("demand_on", F.explode(F.sequence("started_on", "ended_on")))
    days = (
        # In full, because a row long after the shop's last day is in no span.
        days.join(_sales(order_lines), [*_SERIES, "currency", "demand_on"], "full")
        .join(_promoted(promotions, spans), [*_SERIES, "demand_on"], "left")
        .join(_stock_changes(stock_levels, spans), [*_SERIES, "demand_on"], "left")
    )
    return as_declared(_carried_forward(days), TABLE)


def _spans(order_lines: DataFrame, products: DataFrame) -> DataFrame:
    """First and last day of each product's series: one per currency that it sold in, or of the shop if it never did."""
    shops = (
        order_lines.groupBy("shop_id")
        .agg(F.min("sold_on").alias("opened_on"))
        .join(main_currencies(order_lines), "shop_id")
        .join(last_days(order_lines, "sold_on").withColumnRenamed("as_of_on", "ended_on"), "shop_id")
    )
    sold = order_lines.groupBy(*_SERIES, "currency").agg(F.min("sold_on").alias("first_sold_on"))
    # A feed without listings (is_active is null) repeats the first line there, and lists codes that are no products.
    listed = products.where("is_active IS NOT NULL").groupBy(*_SERIES).agg(F.min("listed_on").alias("first_listed_on"))
    first_known = F.least("first_sold_on", "first_listed_on")
    return (
        sold.join(listed, [*_SERIES], "full")
        .join(F.broadcast(shops), "shop_id")
        .withColumn("started_on", F.greatest("opened_on", first_known))
        .where(first_known <= F.col("ended_on"))
        .select(*_SERIES, F.coalesce("currency", "main_currency").alias("currency"), "started_on", "ended_on")
    )


def _sales(order_lines: DataFrame) -> DataFrame:
    is_sale = F.col("line_type") == "sale"
    return order_lines.groupBy(*_SERIES, "currency", F.col("sold_on").alias("demand_on")).agg(
        F.sum(F.when(is_sale, F.col("quantity"))).alias("quantity"),
        F.sum(F.when(~is_sale, -F.col("quantity"))).alias("returned_quantity"),
        F.count_distinct(F.when(is_sale, F.col("order_id"))).alias("orders"),
        F.sum(F.when(is_sale, F.col("amount"))).alias("sales_amount"),
        F.count("*").alias("lines"),
        F.sum("amount").alias("line_amount"),
    )


def _promoted(promotions: DataFrame, spans: DataFrame) -> DataFrame:
    """Product days with a promotion, and the highest discount; a promotion without a product is one of all products."""
    spans = spans.drop("currency").distinct()
    of_one = promotions.where("product_id IS NOT NULL").join(spans, [*_SERIES])
    of_all = promotions.where("product_id IS NULL").drop("product_id").join(spans, "shop_id")
    first = F.greatest("starts_on", "started_on")
    last = F.least("ends_on", "ended_on")  # an open end is null, and least() passes over it
    return (
        of_one.unionByName(of_all)
        .where(first <= last)
        .select(*_SERIES, "discount_pct", F.explode(F.sequence(first, last)).alias("demand_on"))
        .groupBy(*_SERIES, "demand_on")
        .agg(F.max("discount_pct").alias("discount_pct"))
    )


def _stock_changes(stock_levels: DataFrame, spans: DataFrame) -> DataFrame:
    """Pieces that each product gained or lost by day.

    Changes add up: over warehouses, where one that was not counted on a day keeps what it had, and over days, so that
    what was counted before a series starts is its opening stock.
    """
    counts = Window.partitionBy(*_SERIES, "warehouse").orderBy("counted_at")
    change = F.col("on_hand") - F.coalesce(F.lag("on_hand").over(counts), F.lit(0))
    return (
        stock_levels.withColumn("change", change)
        .join(spans.drop("currency").distinct(), [*_SERIES])
        .groupBy(*_SERIES, F.greatest(F.to_date("counted_at"), "started_on").alias("demand_on"))
        .agg(F.sum("change").alias("change"))
    )


def _carried_forward(days: DataFrame) -> DataFrame:
    in_order = Window.partitionBy(*_SERIES, "currency").orderBy("demand_on")
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    price = F.try_divide("sales_amount", "quantity")
    is_empty = F.col("on_hand") == 0
    was_empty = F.coalesce(F.lag("on_hand").over(in_order) == 0, F.lit(False))
    counted = ["quantity", "returned_quantity", "orders", "sales_amount", "lines", "line_amount"]
    return (
        days.withColumns(
            {
                "unit_price": F.last(price, ignorenulls=True).over(so_far),
                "on_hand": F.sum("change").over(so_far),
                "is_promoted": F.col("discount_pct").isNotNull(),
            }
        )
        .withColumn("is_stockout", F.coalesce(is_empty, F.lit(False)) | was_empty)
        .fillna(0, [*counted, "discount_pct"])
    )


STEP = Step(
    table=TABLE,
    build=build,
    reads=(
        Read(silver_order_lines.TABLE, groups={"shop_id": "shop_id"}),
        Read(silver_products.TABLE, groups={"shop_id": "shop_id"}),
        Read(silver_stock_levels.TABLE, groups={"shop_id": "shop_id"}),
        Read(silver_promotions.TABLE, groups={"shop_id": "shop_id"}),
    ),
    recompute=("shop_id",),
    filters=(NOT_A_PRODUCT_SALE,),
    amount="amount",
)
