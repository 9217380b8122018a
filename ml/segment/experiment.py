"""The family of segment models: its tables, and how their rows are made."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.customers import customer_segments, segment_moves, segment_profiles
from gold.customers import customers as gold_customers
from gold.marketing import mail_targets
from gold.measures import NO_CUSTOMER, NOT_A_PRODUCT_SALE
from gold.vocabulary import as_declared
from lakehouse.declare.table import Read
from lakehouse.store.arrow import to_spark
from ml.core.experiment import Experiment, Frames, Output, Served
from ml.core.shop import up_to_today
from ml.segment.features import describe
from ml.segment.model import QuintileSegments, SegmentModel
from ml.segment.training import train
from silver import order_lines, orders


def segments(served: Served, frames: Frames) -> DataFrame:
    """Each customer with segment, tier, expected value and distance, as of the shop's last day."""
    return as_declared(served.stamp(_now(served, frames)), customer_segments.TABLE)


def profiles(served: Served, frames: Frames) -> DataFrame:
    """What is typical of each segment."""
    scored = _now(served, frames)
    means = ("recency_days", "tenure_days", "frequency", "monetary", "products", "return_rate", "value_score")
    grouped = scored.groupBy("shop_id", "segment", "currency", "as_of_on").agg(
        F.count("*").alias("customers"),
        F.sum("monetary").alias("net_revenue"),
        *(F.mean(name).alias(f"mean_{name}") for name in means),
    )
    total = scored.groupBy("shop_id").agg(F.count("*").alias("all_customers"))
    grouped = grouped.join(F.broadcast(total), "shop_id")
    grouped = grouped.withColumn("customer_share", F.col("customers") / F.col("all_customers"))
    return as_declared(served.stamp(grouped), segment_profiles.TABLE)


def moves(served: Served, frames: Frames) -> DataFrame:
    """Customers whose segment is another than a month ago, both looks by this model."""
    lines, orders_ = frames["order_lines"], frames["orders"]
    _, today = up_to_today(lines, "sold_on")
    month_ago = None if today is None else (pd.Timestamp(today) - pd.DateOffset(months=1)).date()
    now, then = _now(served, frames), _scored(served, describe(lines, orders_, month_ago))
    value = now.groupBy("segment").agg(F.mean("standing").alias("value"))
    older = then.select("customer_id", F.col("segment").alias("from_segment")).join(
        value.withColumnsRenamed({"segment": "from_segment", "value": "from_value"}), "from_segment", "left"
    )
    pairs = now.withColumnRenamed("segment", "to_segment").join(older, "customer_id", "left")
    pairs = pairs.join(value.withColumnsRenamed({"segment": "to_segment", "value": "to_value"}), "to_segment")
    direction = (
        F.when(F.col("from_segment").isNull(), "new")
        .when(F.col("to_value") > F.col("from_value"), "up")
        .when(F.col("to_value") < F.col("from_value"), "down")
        .otherwise("sideways")
    )
    changed = pairs.where("from_segment IS NULL OR from_segment != to_segment").withColumns(
        {"direction": direction, "compared_on": F.add_months("as_of_on", -1)}
    )
    return as_declared(served.stamp(changed), segment_moves.TABLE)


def to_mail(served: Served, frames: Frames) -> DataFrame:
    """Who agreed to marketing, each with the one reason to write that fits first."""
    bought = _now(served, frames).drop("country", "net_revenue")
    usual = F.try_divide(F.col("tenure_days") - F.col("recency_days"), F.col("frequency") - 1)
    today = bought.agg(F.max("as_of_on").alias("today"))
    targets = (
        frames["customers"]
        .where("marketing_consent")
        .select("shop_id", "customer_id", "net_revenue", F.col("currency").alias("own_currency"))
        .join(bought, ["shop_id", "customer_id"], "left")
        .crossJoin(F.broadcast(today))
        .withColumns({"usual_interval_days": usual, "as_of_on": F.col("today"), "currency": F.col("own_currency")})
    )
    is_lapsing = F.col("recency_days") > F.greatest(
        F.lit(mail_targets.LAPSING_DAYS), mail_targets.LAPSING_INTERVALS * F.col("usual_interval_days")
    )
    reason = (
        F.when(F.coalesce("frequency", F.lit(0)) == 0, "first order")
        .when(F.col("frequency") == 1, "second order")
        .when(is_lapsing, "win back")
        .when(F.col("tier") == "High", "best customer")
        .otherwise("keep in touch")
    )
    return as_declared(served.stamp(targets.withColumn("reason", reason)), mail_targets.TABLE)


def _now(served: Served, frames: Frames) -> DataFrame:
    """The customers as of the shop's last day, described and scored once for all tables."""
    if "now" not in served.cache:
        served.cache["now"] = _scored(served, describe(frames["order_lines"], frames["orders"]))
    now: DataFrame = served.cache["now"]
    return now


def _scored(served: Served, customers: DataFrame) -> DataFrame:
    """The customers with what the model says of them, computed here and now."""
    known = customers.orderBy("customer_id").toArrow()
    made = pa.Table.from_pandas(served.model.predict(known.to_pandas()), preserve_index=False)
    for name in made.column_names:
        known = known.append_column(name, made[name])
    return to_spark(customers.sparkSession, known)


EXPERIMENT = Experiment(
    name="segment",
    meaning="Customer segments: K-means over expected value, recency, frequency and monetary value.",
    reads=(Read(order_lines.TABLE), Read(orders.TABLE), Read(gold_customers.TABLE)),
    outputs=(
        Output(customer_segments.TABLE, segments),
        Output(segment_profiles.TABLE, profiles),
        Output(segment_moves.TABLE, moves),
        Output(mail_targets.TABLE, to_mail),
    ),
    train=train,
    load=SegmentModel.load,
    baseline=QuintileSegments(),
    baseline_label="RFM quintiles",
    filters=(NO_CUSTOMER, NOT_A_PRODUCT_SALE),
)

EXPERIMENTS = (EXPERIMENT,)
"""Of the family; the first whose tables know a shop serves it."""
