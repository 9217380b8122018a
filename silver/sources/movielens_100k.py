"""How MovieLens 100k becomes silver: ratings."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.movielens_100k.ratings import TABLE as MOVIELENS_RATINGS
from lakehouse.declare.conform import text, text_sql, typed
from lakehouse.declare.table import Read, Step
from silver.feedback import TABLE as FEEDBACK

SHOP = "movielens_100k"


def feedback(movielens_ratings: DataFrame) -> DataFrame:
    """A rating as delivered; its time is in seconds since 1970."""
    at = F.timestamp_seconds(F.trim("timestamp").try_cast("bigint")).cast("string")
    return typed(
        movielens_ratings,
        FEEDBACK,
        shop_id=F.lit(SHOP),
        customer_id="user_id",
        product_id="item_id",
        rating="rating",
        rated_at=F.coalesce(at, text(F.col("timestamp"))),
    )


STEPS: tuple[Step, ...] = (
    Step(
        FEEDBACK,
        feedback,
        (Read(MOVIELENS_RATINGS, groups={"shop_id": f"'{SHOP}'", "customer_id": text_sql("user_id")}),),
        recompute=("shop_id", "customer_id"),
        source=SHOP,
        owns={"shop_id": SHOP},
    ),
)
