"""What is known of each customer on a day: RFM as gold has it, and how active the customer has been of late."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from gold.customers import customer_rfm
from gold.measures import last_days, measured
from ml.core.compare import Floats
from ml.core.shop import in_main_currency

DECAYS = (60, 120, 240)
SEASON = (275, 365)

# Column -> how it is put on a scale on which customers differ evenly; logs, since a few buy a hundred times the rest.
SCALED = {
    "recency_days": "log",
    "frequency": "log",
    "monetary": "log",
    "tenure_days": "log",
    "products": "log",
    "return_rate": "share",
    **{f"orders_{days}": "log" for days in DECAYS},
    **{f"amount_{days}": "log" for days in DECAYS},
    "season_orders": "log",
}
RFM = ("recency_days", "frequency", "monetary")
QUINTILES = ("r_score", "f_score", "m_score")


def describe(order_lines: DataFrame, orders: DataFrame, on: date | None = None) -> DataFrame:
    """One row per customer as of the end of a day, the last of the shop by default, from lines up to that day.

    Orders count in every currency, money in the shop's main one alone. By default an odd row after the shop's last day
    counts as of that day, so that its customer is not lost. The columns of gold.customer_rfm, and: `orders_60`...,
    `amount_60`...: orders and their net revenue, each counted as exp(-age / 60 days); `season_orders`: orders in the
    same quarter a year ago (ages of 275 to 364 days).
    """
    lines = in_main_currency(order_lines)
    lines = lines if on is None else lines.where(F.col("sold_on") <= F.lit(on))
    last = last_days(lines, "sold_on").withColumnRenamed("as_of_on", "last_on")
    age = F.date_diff(F.lit(on) if on else F.col("last_on"), "sold_on")
    recent = (
        measured(lines, orders)
        .join(F.broadcast(last), "shop_id")
        .withColumn("age", F.greatest(age, F.lit(0)))
        .where("is_kept")
        .groupBy("shop_id", "customer_id", "order_id")
        .agg(F.min("age").alias("age"), F.sum("amount").cast("double").alias("amount"))
        .groupBy("shop_id", "customer_id")
        .agg(
            *(F.sum(_decay(days)).alias(f"orders_{days}") for days in DECAYS),
            *(F.sum(_decay(days) * F.col("amount")).alias(f"amount_{days}") for days in DECAYS),
            F.count_if(F.col("age").between(SEASON[0], SEASON[1] - 1)).alias("season_orders"),
        )
    )
    return customer_rfm.build(lines, orders).join(recent, ["shop_id", "customer_id"], "left")


def revenue_between(order_lines: DataFrame, orders: DataFrame, after: date, until: date) -> DataFrame:
    """Net revenue by customer in `after` < day <= `until`, as `describe` counts it."""
    lines = in_main_currency(order_lines).where((F.col("sold_on") > F.lit(after)) & (F.col("sold_on") <= F.lit(until)))
    spent = measured(lines, orders).where("NOT is_undone").groupBy("customer_id")
    return spent.agg(F.sum("amount").cast("double").alias("revenue"))


def scaled(customers: pd.DataFrame) -> Floats:
    """The features as numbers, customers x features in the order of `SCALED`; nothing known is 0."""
    columns = []
    for name, how in SCALED.items():
        values = customers[name].astype("float64").fillna(0.0).to_numpy()
        columns.append(np.clip(values, 0, 1) if how == "share" else np.log1p(np.clip(values, 0, None)))
    return np.column_stack(columns)


def _decay(days: int) -> Column:
    return F.exp(-F.col("age") / F.lit(days))
