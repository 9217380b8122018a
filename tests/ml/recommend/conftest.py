"""A small shop with structure: families of products, customers loyal to one, staples bought again and again."""

from __future__ import annotations

import random
from datetime import date, timedelta
from functools import partial

import polars as pl
import pytest

from ml.recommend.candidates.als import Als, fit_als
from ml.recommend.data.history import History
from ml.recommend.hybrid import Hybrid, train
from ml.recommend.settings import Settings

CUTOFF = date(2024, 8, 31)
FAMILIES = ("red candle", "blue mug", "green garden", "white heart", "steel kitchen", "paper party")
SMALL = Settings(
    cuts=3,
    step=15,
    trees={"ALL": 15, "NEW": 15},
    binary_trees=10,
    leaves=7,
    min_rows=20,
    tower=False,
    network=False,
)


def made_events(customers: int = 80, days: int = 240, seed: int = 1, until: date = CUTOFF) -> pl.DataFrame:
    chance = random.Random(seed)
    rows = []
    for number in range(customers):
        family, every, start = number % len(FAMILIES), chance.randint(10, 30), chance.randint(0, 25)
        staples = [f"P{family}{item}" for item in chance.sample(range(10), 2)]
        for day in range(start, days, every):
            extra = [f"P{family}{chance.randint(0, 9)}" for _ in range(3)] + [f"P{chance.randint(0, 5)}0"]
            for product in sorted({*staples, *extra}):
                rows.append(
                    (f"C{number:03}", product, f"O{number:03}-{day:03}", until - timedelta(days=days - 1 - day))
                )
    frame = pl.DataFrame(rows, schema=["customer_id", "product_id", "order_id", "sold_on"], orient="row")
    germans = pl.col("customer_id") >= "C060"
    return frame.with_columns(
        pl.lit(2.0).alias("quantity"),
        pl.lit(5.0).alias("amount"),
        pl.when(germans).then(pl.lit("DE")).otherwise(pl.lit("GB")).alias("country_code"),
    )


def made_history(events: pl.DataFrame, cutoff: date = CUTOFF) -> History:
    products = pl.DataFrame(
        [(f"P{family}{item}", f"{name} number {item}") for family, name in enumerate(FAMILIES) for item in range(10)]
        + [("P99", "red candle never sold")],
        schema=["product_id", "text"],
        orient="row",
    )
    return History(events.filter(pl.col("sold_on") <= cutoff), products, cutoff)


@pytest.fixture(scope="session")
def shop() -> History:
    return made_history(made_events())


@pytest.fixture(scope="session")
def als() -> Als:
    return partial(fit_als, rank=8, reg=0.1, alpha=1.0, iterations=3, seed=7)


@pytest.fixture(scope="session")
def hybrid(shop: History, als: Als) -> Hybrid:
    return train(shop, als, SMALL)
