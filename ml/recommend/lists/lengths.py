"""How long lists are, and why some are shorter than asked for."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ml.recommend.candidates.pool import TASKS
from ml.recommend.data.history import History

OTHERS = "the other products that may be sold now were not sold for long, or nothing speaks for them"


def lengths(history: History, customers: Sequence[str], lists: pl.DataFrame, asked: int) -> pl.DataFrame:
    """A row per customer and task, in order: customer_id, task, asked, products, is_short, reason.

    `lists` has the rows of `Hybrid.recommend` for these customers and all tasks.
    """
    has = lists.group_by("customer_id", "task").agg(pl.len().cast(pl.Int64).alias("products"))
    everyone = pl.DataFrame({"customer_id": sorted(customers)}, schema={"customer_id": pl.String})
    rows = everyone.join(pl.DataFrame({"task": list(TASKS)}), how="cross")
    rows = rows.join(has, on=["customer_id", "task"], how="left").with_columns(pl.col("products").fill_null(0))
    known = history.products
    sold = known.filter("may_be_sold") if "may_be_sold" in known.columns else known
    had = history.events.select("customer_id", "product_id").unique()
    away = pl.concat(
        [
            history.given_back.with_columns(task=pl.lit("ALL")),
            pl.concat([had, history.given_back]).unique().with_columns(task=pl.lit("NEW")),
        ]
    )
    away = away.join(sold, on="product_id", how="semi").group_by("customer_id", "task").agg(pl.len().alias("away"))
    rows = rows.join(away, on=["customer_id", "task"], how="left").with_columns(pl.col("away").fill_null(0))
    none_left = pl.lit(sold.height) - pl.col("away") <= pl.col("products")
    had_or_not = pl.when(pl.col("task") == "NEW").then(pl.lit("had before")).otherwise(pl.lit("given back"))
    may_be = f"{sold.height} of {known.height} products may be sold now"
    of_all = pl.format(f"{may_be}, {{}} of them {{}}", "away", had_or_not)
    reason = pl.when(none_left).then(of_all).otherwise(pl.lit(OTHERS))
    return rows.sort("customer_id", "task").select(
        "customer_id",
        "task",
        pl.lit(asked, pl.Int64).alias("asked"),
        "products",
        (pl.col("products") < asked).alias("is_short"),
        pl.when(pl.col("products") < asked).then(reason).alias("reason"),
    )
