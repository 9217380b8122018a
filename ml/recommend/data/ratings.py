"""Ratings as feedback: what people said they like, where nothing tells of purchases (MovieLens)."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from lakehouse.errors import UsageError
from ml.recommend.data.history import EVENT_COLUMNS, History
from ml.recommend.settings import Settings

LIKED = 4
"""Points from which a rating says that the product is liked."""
LAST = date(2000, 1, 1)
SETTINGS = Settings(
    window=1,
    step=1,
    cuts=8,
    season_cuts=0,
    warm_up=3,
    active=10_000,
    min_rows=50,
    trees={"ALL": 1, "NEW": 250},  # nobody likes a product twice, so only NEW is asked
)


def history_of_ratings(ratings: pl.DataFrame) -> History:
    """Customers and products from ratings (customer_id, product_id, rating, rated_at), with a day for a place in time.

    Each person's own order stands for time: what was liked last is of the last day, what was liked before it of the day
    before. So a window of one day holds out the last product of everyone. What was rated in the same second is put in
    random order: by their numbers, the last one would have a large number, and that could be learned.
    """
    liked = ratings.filter(pl.col("rating") >= LIKED).sort("customer_id", "product_id")
    if not liked.height:
        raise UsageError(f"recommendations need ratings of {LIKED} points and more, and there are none")
    ties = pl.Series("tie", np.random.default_rng(SETTINGS.seed).permutation(liked.height))
    liked = liked.with_columns(ties).sort("customer_id", "rated_at", "tie")
    back = pl.len().over("customer_id") - 1 - pl.int_range(pl.len()).over("customer_id")
    events = liked.with_columns(back.alias("back")).select(
        "customer_id",
        "product_id",
        (pl.col("customer_id") + "-" + pl.col("back").cast(pl.String)).alias("order_id"),
        (pl.lit(LAST) - pl.duration(days=pl.col("back"))).cast(pl.Date).alias("sold_on"),
        pl.lit(1.0).alias("quantity"),
        pl.lit(1.0).alias("amount"),
        pl.lit("ZZ").alias("country_code"),
    )
    products = events.select("product_id").unique().sort("product_id").with_columns(text=pl.lit(""))
    return History(events.select(EVENT_COLUMNS), products, LAST)
