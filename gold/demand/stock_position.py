"""What is on the shelves now, how long it lasts, and which products run out before a new delivery can come."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.demand import demand_daily as gold_demand_daily
from gold.measures import last_days, main_currencies
from gold.vocabulary import SHOP, as_declared, at_least_zero, count, key, law
from lakehouse.declare.rules import between
from lakehouse.declare.table import MONEY, Field, Read, Step, Table
from silver import stock_levels as silver_stock_levels

DEMAND_DAYS = 28  # four whole weeks, so that each weekday weighs the same

TABLE = Table(
    name="gold.stock_position",
    meaning="What a shop has of a product by its last counts, and how long that lasts.",
    grain=("shop_id", "product_id"),
    fields=(
        SHOP,
        key("product_id", "string", "product, by the shop's code"),
        key("counted_on", "date", "day (UTC) of the product's last count"),
        count("on_hand", "pieces in all warehouses, each by its last count", "pieces"),
        count("on_order", "pieces ordered from suppliers", "pieces"),
        Field("lead_time_days", "int", "time from ordering to arrival, the longest of the warehouses", "days"),
        Field(
            "mean_daily_demand",
            "double",
            f"mean over the last {DEMAND_DAYS} days of demand_daily, less those out of stock; null where none is left",
            "pieces per day",
            (at_least_zero(),),
        ),
        Field(
            "days_of_cover", "double", "on_hand / mean_daily_demand; null without demand", "days", (at_least_zero(),)
        ),
        Field(
            "is_at_risk",
            "boolean",
            "whether the stock runs out before an order placed now arrives: days_of_cover < lead_time_days (null where "
            "that is not known); false without demand; where demand is not known, whether nothing is on hand",
        ),
        Field("currency", "string", "currency of stock_value (ISO 4217): that in which the shop sells most"),
        Field(
            "stock_value",
            MONEY,
            "pieces on hand at the unit cost of their last count; null where a cost is not known",
            "currency of the row",
            (at_least_zero(),),
        ),
        count("counts", "stock counts behind this row", "counts", between(low=1, action="fail")),
    ),
    row_law="One row per product that was ever counted.",
    rules=(
        law(
            "is_at_risk.law",
            "a product with nothing on hand and known demand must be at risk unless it arrives at once",
            "NOT (on_hand = 0 AND mean_daily_demand > 0 AND lead_time_days > 0) OR is_at_risk",
            "is_at_risk",
            "on_hand",
            "mean_daily_demand",
            "lead_time_days",
        ),
    ),
    counts="counts",
    has_lineage=False,
)


def build(stock_levels: DataFrame, demand_daily: DataFrame) -> DataFrame:
    """Take the last count of each warehouse, and set the demand of the last weeks against it."""
    currencies = main_currencies(demand_daily, "lines").withColumnRenamed("main_currency", "currency")
    positions = (
        _last_counts(stock_levels)
        .join(_recent_demand(demand_daily), ["shop_id", "product_id"], "left")
        .join(F.broadcast(currencies), "shop_id", "left")
        .withColumn("days_of_cover", F.try_divide("on_hand", "mean_daily_demand"))
    )
    return as_declared(positions.withColumn("is_at_risk", F.expr(_IS_AT_RISK)), TABLE)


_IS_AT_RISK = """CASE
    WHEN mean_daily_demand IS NULL THEN on_hand = 0
    WHEN mean_daily_demand = 0 THEN false
    ELSE days_of_cover < lead_time_days
END"""


def _last_counts(stock_levels: DataFrame) -> DataFrame:
    last = ("on_hand", "on_order", "lead_time_days", "unit_cost")
    warehouses = stock_levels.groupBy("shop_id", "product_id", "warehouse").agg(
        F.max("counted_at").alias("counted_at"),
        F.max_by(F.struct(*last), "counted_at").alias("last"),
        F.count("*").alias("counts"),
    )
    value = F.col("last.on_hand") * F.col("last.unit_cost")
    # A warehouse without stock needs no cost; one with stock and without cost makes the value unknown, not smaller.
    is_valued = F.bool_and((F.col("last.on_hand") == 0) | F.col("last.unit_cost").isNotNull())
    return warehouses.groupBy("shop_id", "product_id").agg(
        F.to_date(F.max("counted_at")).alias("counted_on"),
        F.sum("last.on_hand").alias("on_hand"),
        F.coalesce(F.sum("last.on_order"), F.lit(0)).alias("on_order"),
        F.max("last.lead_time_days").alias("lead_time_days"),
        F.when(is_valued, F.coalesce(F.sum(value), F.lit(0))).alias("stock_value"),
        F.sum("counts").alias("counts"),
    )


def _recent_demand(demand_daily: DataFrame) -> DataFrame:
    by_day = demand_daily.groupBy("shop_id", "product_id", "demand_on").agg(  # a product may sell in two currencies
        F.sum("quantity").alias("quantity"),
        F.bool_or("is_stockout").alias("is_stockout"),
        F.sum("lines").alias("lines"),
    )
    age = F.date_diff("as_of_on", "demand_on")
    return (
        by_day.join(F.broadcast(last_days(by_day, "demand_on", "greatest(lines, 1)")), "shop_id")
        .where((age >= 0) & (age < DEMAND_DAYS))
        .groupBy("shop_id", "product_id")
        .agg(F.mean(F.when(~F.col("is_stockout"), F.col("quantity"))).alias("mean_daily_demand"))
    )


STEP = Step(
    table=TABLE,
    build=build,
    reads=(
        Read(silver_stock_levels.TABLE, groups={"shop_id": "shop_id"}),
        Read(gold_demand_daily.TABLE, groups={"shop_id": "shop_id"}),
    ),
    recompute=("shop_id",),
)
