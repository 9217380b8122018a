"""The family of recommenders: its tables, and how their rows are made."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.recommend import (
    als_item_factors,
    als_user_factors,
    best_sellers,
    cart_suggestions,
    item_neighbors,
    recommend_metrics,
    recommendation_coverage,
    recommendations,
)
from gold.vocabulary import as_declared
from lakehouse.declare.table import Read, Table
from lakehouse.store.arrow import to_spark
from ml.core.experiment import Experiment, Frames, Output, Served
from ml.recommend.candidates.als import Factors, Floats
from ml.recommend.candidates.pool import TASKS
from ml.recommend.data.history import History
from ml.recommend.lists import co_purchases, cold_start, lengths
from ml.recommend.model import PLACES, BuyItAgain, RecommendModel
from ml.recommend.training import history_of, train, train_ratings
from silver import customers, feedback, order_lines, orders, products, stock_levels


@dataclass(frozen=True)
class Known:
    """What is known of a shop as of now: its history, all its customers, their countries, and countries' names.

    All are those that the shop knows, and those who ever bought anything, be it cancelled or given back since.
    """

    shop_id: str
    history: History
    customers: list[str]
    homes: dict[str, str]
    countries: dict[str, str]


def _know(served: Served, frames: Frames) -> Known:
    if "known" not in served.cache:
        history = history_of(frames)
        people = frames["customers"].where("__END_AT IS NULL").select("customer_id", "country_code").collect()
        homes = {row["customer_id"]: row["country_code"] for row in people if row["customer_id"]}
        names = frames["order_lines"].select("shop_id", "country_code", "country").distinct().collect()
        countries = {row["country_code"]: row["country"] for row in names if row["country_code"] and row["country"]}
        bought = frames["order_lines"].where("customer_id IS NOT NULL").select("customer_id").distinct().collect()
        everyone = sorted({*homes, *(row["customer_id"] for row in bought)})
        served.cache["known"] = Known(names[0]["shop_id"], history, everyone, homes, countries)
    known: Known = served.cache["known"]
    return known


def recommended(served: Served, frames: Frames) -> DataFrame:
    """Ten products for every customer, of all and of those never bought."""
    return _table(_lists(served, frames), _know(served, frames), served, frames, recommendations.TABLE)


def _lists(served: Served, frames: Frames) -> pl.DataFrame:
    if "lists" not in served.cache:
        known = _know(served, frames)
        found = [
            served.model.recommend(known.history, known.customers, task, known.homes, known.countries) for task in TASKS
        ]
        served.cache["lists"] = pl.concat(found).with_columns(as_of_on=pl.lit(known.history.cutoff))
    lists: pl.DataFrame = served.cache["lists"]
    return lists


def covered(served: Served, frames: Frames) -> DataFrame:
    """How long each customer's lists are, and why not longer."""
    known = _know(served, frames)
    rows = lengths.lengths(known.history, known.customers, _lists(served, frames), PLACES)
    rows = rows.with_columns(as_of_on=pl.lit(known.history.cutoff))
    return _table(rows, known, served, frames, recommendation_coverage.TABLE)


def customer_factors(served: Served, frames: Frames) -> DataFrame:
    """The customers' ALS factors."""
    known: Factors | None = served.model.factors
    rows = _factors("customer_id", (known.customers, known.customer_factors) if known else None)
    return _table(rows, _know(served, frames), served, frames, als_user_factors.TABLE)


def product_factors(served: Served, frames: Frames) -> DataFrame:
    """The products' ALS factors."""
    known: Factors | None = served.model.factors
    rows = _factors("product_id", (known.products, known.product_factors) if known else None)
    return _table(rows, _know(served, frames), served, frames, als_item_factors.TABLE)


def _factors(key: str, side: tuple[pl.Series, Floats] | None) -> pl.DataFrame:
    """One side of the factorisation as rows; none where the model has no factors."""
    if side is None:
        return pl.DataFrame(schema={key: pl.String, "factors": pl.List(pl.Float64)})
    ids, factors = side
    return pl.DataFrame({key: ids, "factors": factors.tolist()})


def strangers(served: Served, frames: Frames) -> DataFrame:
    """What to show who is not known."""
    known = _know(served, frames)
    rows = cold_start.best_by_country(known.history, known.countries, best_sellers.PLACES)
    rows = rows.with_columns(as_of_on=pl.lit(known.history.cutoff))
    return _table(rows, known, served, frames, best_sellers.TABLE)


def neighbors(served: Served, frames: Frames) -> DataFrame:
    """What goes with what."""
    known = _know(served, frames)
    rows = co_purchases.product_neighbors(known.history)
    return _table(rows, known, served, frames, item_neighbors.TABLE)


def beside_carts(served: Served, frames: Frames) -> DataFrame:
    """What to put beside a product in the cart."""
    known = _know(served, frames)
    rows = co_purchases.cart_suggestions(known.history)
    if not rows.height:
        names = ("product_id", "reason")
        rows = rows.with_columns(*(pl.lit(None, pl.String).alias(name) for name in names)).with_columns(
            rank=pl.lit(None, pl.Int64), lift=pl.lit(None, pl.Float64), evidence=pl.lit(None, pl.Int64)
        )
    return _table(rows, known, served, frames, cart_suggestions.TABLE)


def metrics(served: Served, frames: Frames) -> DataFrame:
    """What was measured when the model was trained."""
    return _table(served.model.measured, _know(served, frames), served, frames, recommend_metrics.TABLE)


def _table(rows: pl.DataFrame, known: Known, served: Served, frames: Frames, table: Table) -> DataFrame:
    spark = frames["order_lines"].sparkSession
    frame = to_spark(spark, rows.to_arrow(compat_level=pl.CompatLevel.oldest()))
    return as_declared(served.stamp(frame.withColumn("shop_id", F.lit(known.shop_id))), table)


RATINGS = Experiment(
    name="recommend",
    meaning="The same for ratings, to be evaluated: nobody is shown what a data set of ratings recommends.",
    reads=(Read(feedback.TABLE),),
    outputs=(),
    train=train_ratings,
    load=RecommendModel.load,
    baseline=BuyItAgain(),
    baseline_label="best sellers",
)

EXPERIMENT = Experiment(
    name="recommend",
    meaning="What to show each customer: candidates from ALS and many other ways, put in order by boosted trees.",
    reads=(
        Read(order_lines.TABLE),
        Read(orders.TABLE),
        Read(products.TABLE),
        Read(stock_levels.TABLE),
        Read(customers.TABLE),
    ),
    outputs=(
        Output(recommendations.TABLE, recommended),
        Output(recommendation_coverage.TABLE, covered),
        Output(best_sellers.TABLE, strangers),
        Output(als_user_factors.TABLE, customer_factors),
        Output(als_item_factors.TABLE, product_factors),
        Output(item_neighbors.TABLE, neighbors),
        Output(cart_suggestions.TABLE, beside_carts),
        Output(recommend_metrics.TABLE, metrics),
    ),
    train=train,
    load=RecommendModel.load,
    baseline=BuyItAgain(),
    baseline_label="buy it again",
)

EXPERIMENTS = (EXPERIMENT, RATINGS)
"""Of the family; the first whose tables know a shop serves it."""
