"""What moves the demand of a place in a period: prices, markdowns, events, weather."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.declare.conform import day, in_order, text
from lakehouse.declare.rules import not_null
from lakehouse.declare.table import DELIVERY_ORDER, Field, Table
from silver.shared import SCOPE, SHOP_ID

# Delivered column -> whether it is known before the period. Prices of a period without a sale are left out by the rules
# below, because 0 there would tell the model that nothing was sold.

TABLE = Table(
    name="silver.demand_drivers",
    meaning="A thing that may move demand, with its value for a place, or a product at a place, in a period.",
    grain=("shop_id", "location", "product_id", "period_on", "driver"),
    scope=SCOPE,
    fields=(
        SHOP_ID,
        Field("location", "string", "place: store or agency", rules=(not_null(),)),
        Field("product_id", "string", "product; * for all products of the place", rules=(not_null(),)),
        Field("period_on", "date", "day by which the source names the period", rules=(not_null(),)),
        Field("driver", "string", "what it is", rules=(not_null(),)),
        Field("value", "double", "its value; yes is 1 and no 0", rules=(not_null(),)),
        Field("is_known_ahead", "boolean", "whether the shop knows it before the period", rules=(not_null(),)),
    ),
    row_law="One row per driver with a value; drivers that a source leaves empty have none.",
    has_lineage=False,
    sequence_by=("period_on",),
)


def long(delivered: DataFrame, drivers: dict[str, bool], shop: str, location: Column, product: Column) -> DataFrame:
    """A row per driver with a value, of columns that are delivered side by side; `drivers` says what is known ahead."""
    pairs = F.array(
        *(
            F.struct(F.lit(name).alias("driver"), _number(name).alias("value"), F.lit(known).alias("is_known_ahead"))
            for name, known in drivers.items()
        )
    )
    newest = F.struct(*in_order(DELIVERY_ORDER))
    rows = delivered.select(
        F.lit(shop).alias("shop_id"),
        location.alias("location"),
        product.alias("product_id"),
        day(text(F.col("date"))).alias("period_on"),
        newest.alias("newest"),
        F.explode(pairs).alias("pair"),
    ).select("*", "pair.*")
    told = rows.where("value IS NOT NULL").groupBy("shop_id", "location", "product_id", "period_on", "driver")
    return told.agg(*(F.max_by(name, "newest").alias(name) for name in ("value", "is_known_ahead")))


def _number(name: str) -> Column:
    told = F.upper(text(F.col(name)))
    return F.when(told == "TRUE", 1.0).when(told == "FALSE", 0.0).otherwise(told.try_cast("double"))
