"""The weekly and monthly series that forecasts learn from, dense, with what is known ahead of each period."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.vocabulary import SHOP, as_declared, count, key
from lakehouse.declare.rules import one_of
from lakehouse.declare.table import Field, Read, Step, Table
from silver import demand_drivers as silver_demand_drivers
from silver import period_sales as silver_period_sales

TABLE = Table(
    name="gold.demand_periods",
    meaning="What a place sold of a product in a week or a month, with the drivers known ahead; also periods to come.",
    grain=("shop_id", "series_id", "period_on"),
    fields=(
        SHOP,
        key("series_id", "string", "place and product, with a slash between"),
        key("period_on", "date", "day by which the source names the period"),
        Field("frequency", "string", "W: weeks, M: months", rules=(one_of(("W", "M"), "fail"),)),
        key("location", "string", "place that sells"),
        key("product_id", "string", "product, or department"),
        Field(
            "demand", "double", "what was sold, in the unit; null where nothing was reported, and in periods to come"
        ),
        Field("unit", "string", "unit of the demand: a currency or a measure"),
        Field(
            "drivers",
            "array<struct<driver: string, value: double>>",
            "values of the drivers that are known ahead, by name; those without a value are left out",
        ),
        count("reports", "reports of sales behind this row: 1, or 0 where nothing was reported", "reports"),
    ),
    row_law="One row per series and period from the first sale of the series to the last period that drivers are known "
    "for, at most a year after the last sale of the place.",
    counts="reports",
    has_lineage=False,
)


def build(period_sales: DataFrame, demand_drivers: DataFrame) -> DataFrame:
    """Lay out every period of every series, and put on it what was sold and what is known ahead."""
    known = demand_drivers.where("is_known_ahead")
    last = period_sales.groupBy("shop_id", "location").agg(F.add_months(F.max("period_on"), 12).alias("until_on"))
    periods = (
        period_sales.select("shop_id", "location", "period_on")
        .unionByName(known.select("shop_id", "location", "period_on"))
        .distinct()
    )
    series = period_sales.groupBy("shop_id", "series_id", "location", "product_id", "frequency").agg(
        F.min("period_on").alias("first_on"), F.min(F.coalesce("unit", "currency")).alias("unit")
    )
    rows = (
        series.join(periods, ["shop_id", "location"])
        .join(F.broadcast(last), ["shop_id", "location"])
        .where("period_on >= first_on AND period_on <= until_on")
    )
    sold = period_sales.select(
        "shop_id",
        "series_id",
        "period_on",
        F.coalesce("quantity", F.col("amount").cast("double")).alias("demand"),
        F.lit(1).alias("reports"),
    )
    rows = rows.join(sold, ["shop_id", "series_id", "period_on"], "left").fillna(0, ["reports"])
    return as_declared(_driven(rows, known), TABLE)


def _driven(rows: DataFrame, known: DataFrame) -> DataFrame:
    """The drivers of the place, and those of the product at the place."""
    pair = F.struct("driver", "value")
    by_period = known.groupBy("shop_id", "location", "product_id", "period_on").agg(F.collect_list(pair).alias("pairs"))
    of_all = by_period.where("product_id = '*'").drop("product_id").withColumnRenamed("pairs", "of_place")
    of_one = by_period.where("product_id != '*'").withColumnRenamed("pairs", "of_product")
    joined = rows.join(of_all, ["shop_id", "location", "period_on"], "left").join(
        of_one, ["shop_id", "location", "product_id", "period_on"], "left"
    )
    none = F.array().cast("array<struct<driver: string, value: double>>")
    both = F.concat(F.coalesce("of_place", none), F.coalesce("of_product", none))
    return joined.withColumn("drivers", F.sort_array(both))


STEP = Step(
    table=TABLE,
    build=build,
    reads=(
        Read(silver_period_sales.TABLE, groups={"shop_id": "shop_id", "location": "location"}),
        Read(silver_demand_drivers.TABLE, groups={"shop_id": "shop_id", "location": "location"}),
    ),
    recompute=("shop_id", "location"),
)
