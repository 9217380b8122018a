"""What an experiment changed: how many of each variant bought, for how much, and how sure the difference is."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.customers import customers as gold_customers
from gold.measures import last_days
from gold.sales import sales_by_order, shops
from gold.vocabulary import SHOP, as_declared, count, key, law
from lakehouse.declare.rules import between, not_before
from lakehouse.declare.table import MONEY, Field, Read, Step, Table
from silver import exposures as silver_exposures

LEAST_UNITS = 30
"""Units of each variant from which the mean of so skewed a thing as revenue is taken for normal."""
_Z = 1.959964  # the normal quantile .975: two-sided 95 %
_SHARE = (between(0, 1, action="fail"),)

TABLE = Table(
    name="gold.experiment_results",
    meaning="What the units that saw a variant of an experiment bought from then on, against those that saw control.",
    grain=("shop_id", "experiment_id", "variant"),
    fields=(
        SHOP,
        key("experiment_id", "string", "experiment"),
        key("variant", "string", "control or treatment"),
        key("first_exposed_on", "date", "day (UTC) on which the first unit saw it"),
        Field("last_exposed_on", "date", "day of the last", rules=(not_before("first_exposed_on", "fail"),)),
        Field("through_on", "date", "last day whose orders count: the shop's last; null where nothing was sold"),
        count("units", "units that saw the variant", "units", between(low=1, action="fail")),
        count("known_units", "those of them that are customers: what others bought cannot be told", "units"),
        count("converted_units", "known units with an order since they saw it that still counts", "units"),
        Field("converted_share", "double", "converted_units / known_units; null without known units", "share", _SHARE),
        Field("currency", "string", "currency of the amounts (ISO 4217): the shop's; orders in others are left out"),
        Field("net_revenue", MONEY, "net revenue of the known units since they saw it", "currency of the row"),
        Field("revenue_per_unit", "double", "net_revenue / known_units", "currency of the row"),
        Field("conversion_difference", "double", "converted_share less that of control", "share"),
        Field("conversion_low", "double", "lower bound of its 95 % interval", "share"),
        Field("conversion_high", "double", "upper bound of its 95 % interval", "share"),
        Field("revenue_difference", "double", "revenue_per_unit less that of control", "currency of the row"),
        Field("revenue_low", "double", "lower bound of its 95 % interval", "currency of the row"),
        Field("revenue_high", "double", "upper bound of its 95 % interval", "currency of the row"),
        Field("reason", "string", "why there is no difference to tell; null where there is one, and for control"),
    ),
    row_law="One row per experiment and variant that a unit saw.",
    rules=(
        law(
            "reason.law",
            "a treatment without a difference must say why",
            "variant = 'control' OR (conversion_difference IS NULL) = (reason IS NOT NULL)",
            "variant",
            "conversion_difference",
            "reason",
        ),
        law(
            "interval.law",
            "a difference must lie within its interval",
            "conversion_difference BETWEEN conversion_low AND conversion_high"
            " AND revenue_difference BETWEEN revenue_low AND revenue_high",
            "conversion_difference",
            "revenue_difference",
        ),
        law(
            "converted_units.law",
            "units must not be fewer than those known, nor these than those converted",
            "converted_units <= known_units AND known_units <= units",
            "converted_units",
            "known_units",
            "units",
        ),
    ),
    counts="units",
    has_lineage=False,
)


def build(exposures: DataFrame, customers: DataFrame, sales_by_order: DataFrame, shops: DataFrame) -> DataFrame:
    """Sum what each unit bought since it saw its variant, and compare the variants' means.

    The intervals are those of a difference of two independent means with variances of their own (B. L. Welch, 1938),
    by the normal distribution.
    """
    variants = _units(exposures, customers, sales_by_order, shops).groupBy("shop_id", "experiment_id", "variant")
    known = F.col("is_known")
    revenue = F.when(known, F.col("net_revenue").cast("double"))
    rows = variants.agg(
        F.to_date(F.min("exposed_at")).alias("first_exposed_on"),
        F.to_date(F.max("exposed_at")).alias("last_exposed_on"),
        F.count("*").alias("units"),
        F.count_if(known).alias("known_units"),
        F.count_if(known & F.col("has_order")).alias("converted_units"),
        F.max("currency").alias("currency"),
        F.sum(F.when(known, F.col("net_revenue"))).alias("net_revenue"),
        F.var_samp(revenue).alias("revenue_variance"),
    )
    rows = rows.withColumns(
        {
            "converted_share": F.try_divide("converted_units", "known_units"),
            "revenue_per_unit": F.try_divide(F.col("net_revenue").cast("double"), F.col("known_units")),
        }
    ).join(F.broadcast(last_days(sales_by_order, "sold_on", "lines")), "shop_id", "left")
    return as_declared(_compared(rows.withColumnRenamed("as_of_on", "through_on")), TABLE)


def _units(exposures: DataFrame, customers: DataFrame, orders: DataFrame, shops: DataFrame) -> DataFrame:
    """Each unit with what it bought since it saw its variant, in the shop's currency."""
    own = F.broadcast(shops.select("shop_id", "currency"))
    known = customers.select("shop_id", F.col("customer_id").alias("unit_id"), F.lit(True).alias("is_known"))
    bought = orders.where("customer_id IS NOT NULL").select(
        "shop_id",
        F.col("customer_id").alias("unit_id"),
        F.col("currency").alias("order_currency"),
        "sold_at",
        "is_kept",
        F.col("net_revenue").alias("worth"),
    )
    units = exposures.join(own, "shop_id", "left").join(known, ["shop_id", "unit_id"], "left")
    since = F.col("sold_at") >= F.col("exposed_at")
    in_currency = since & (F.col("order_currency") == F.col("currency"))
    unit = ("shop_id", "experiment_id", "unit_id", "variant", "exposed_at", "currency", "is_known")
    return (
        units.join(bought, ["shop_id", "unit_id"], "left")
        .groupBy(*unit)
        .agg(
            F.coalesce(F.bool_or(since & F.col("is_kept")), F.lit(False)).alias("has_order"),
            F.coalesce(F.sum(F.when(in_currency, F.col("worth"))), F.lit(0)).alias("net_revenue"),
        )
        .fillna(False, ["is_known"])
    )


def _compared(rows: DataFrame) -> DataFrame:
    of_experiment = Window.partitionBy("shop_id", "experiment_id")

    def of_control(column: str) -> Column:
        return F.max(F.when(F.col("variant") == "control", F.col(column))).over(of_experiment)

    share = F.col("converted_share")
    rows = rows.withColumn("conversion_variance", share * (1 - share))
    compared = ("known_units", "converted_share", "revenue_per_unit", "conversion_variance", "revenue_variance")
    rows = rows.withColumns({f"control_{name}": of_control(name) for name in compared})
    is_control = F.col("variant") == "control"
    reason = (
        F.when(is_control, F.lit(None))
        .when(F.col("control_known_units").isNull(), "no unit saw control")
        .when(
            (F.col("known_units") == 0) | (F.col("control_known_units") == 0), "its units are no customers of the shop"
        )
        .when(
            F.least("known_units", "control_known_units") < LEAST_UNITS,
            f"fewer than {LEAST_UNITS} customers saw one of the variants",
        )
    )
    rows = rows.withColumn("reason", reason)
    is_told = ~is_control & F.col("reason").isNull()
    for name, value in (("conversion", "converted_share"), ("revenue", "revenue_per_unit")):
        difference = F.when(is_told, F.col(value) - F.col(f"control_{value}"))
        error = F.sqrt(
            F.col(f"{name}_variance") / F.col("known_units")
            + F.col(f"control_{name}_variance") / F.col("control_known_units")
        )
        rows = rows.withColumns(
            {
                f"{name}_difference": difference,
                f"{name}_low": difference - _Z * error,
                f"{name}_high": difference + _Z * error,
            }
        )
    return rows


STEP = Step(
    table=TABLE,
    build=build,
    reads=(
        Read(silver_exposures.TABLE, groups={"shop_id": "shop_id"}),
        Read(gold_customers.TABLE, groups={"shop_id": "shop_id"}),
        Read(sales_by_order.TABLE, groups={"shop_id": "shop_id"}),
        Read(shops.TABLE, groups={"shop_id": "shop_id"}),
    ),
    recompute=("shop_id",),
)
