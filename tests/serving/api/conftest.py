"""A small shop, scored by the functions that score it in production, in a warehouse that was written without Spark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient

from benchmarks.api_data import publish, stamped
from gold.customers import customer_segments
from gold.demand import demand_forecast, inventory_plan
from gold.recommend import (
    als_item_factors,
    best_sellers,
    cart_suggestions,
    interactions,
    item_neighbors,
    recommendations,
)
from gold.sales import kpi_daily, products
from lakehouse.declare.table import Table
from lakehouse.settings import load
from lakehouse.store.lake import Lake
from ml.recommend.candidates import als as factorisation
from ml.recommend.candidates.als import Als
from ml.recommend.candidates.pool import TASKS
from ml.recommend.data.history import History
from ml.recommend.data.snapshot import Snapshot
from ml.recommend.lists import co_purchases, cold_start
from ml.recommend.model import BuyItAgain
from serving.api.access import Access
from serving.api.app import create
from serving.api.release import Live, Loaded
from serving.reader import without_spark
from tests.ml.recommend.conftest import CUTOFF, made_events, made_history
from tests.ml.recommend.conftest import als as als

SHOP = "s"
PATH = f"/v1/shops/{SHOP}"
GIVEN_BACK = ("C000", "P07")
"""Bought once by this customer, who gave it back."""
DELISTED, SOLD_OUT, NEVER_COUNTED = "P10", "P20", "P30"
"""Products that the shop stopped to sell after its lists were scored; every list and neighborhood has them."""
Frames = dict[Table, pl.DataFrame]


@pytest.fixture(scope="session")
def history() -> History:
    return made_history(made_events())


@pytest.fixture(scope="session")
def tables(history: History, als: Als) -> Frames:
    return scored(history, als, "recommend-s v3")


def scored(history: History, als: Als, label: str) -> Frames:
    """The gold tables of the small shop."""
    factors = als(factorisation.interactions(Snapshot.of(history, 180)))
    known = history.events["customer_id"].unique().sort().to_list()
    model, homes, names = BuyItAgain(), {"a stranger": "DE"}, {"DE": "Germany", "GB": "Britain"}
    lists = pl.concat([model.recommend(history, [*known, "a stranger"], task, homes, names) for task in TASKS])
    back = pl.DataFrame([GIVEN_BACK], ["customer_id", "product_id"], orient="row")
    bought = pl.concat([history.events.select(back.columns).unique(), back])
    strangers = cold_start.best_by_country(history, names, best_sellers.PLACES)
    made: Frames = {
        recommendations.TABLE: lists.filter(~_is(GIVEN_BACK)).with_columns(as_of_on=pl.lit(CUTOFF)),
        best_sellers.TABLE: strangers.with_columns(as_of_on=pl.lit(CUTOFF)),
        item_neighbors.TABLE: co_purchases.product_neighbors(history),
        cart_suggestions.TABLE: co_purchases.cart_suggestions(history, 60),
        als_item_factors.TABLE: pl.DataFrame(
            {"product_id": factors.products, "factors": factors.product_factors.astype(float).tolist()}
        ),
        interactions.TABLE: bought,
        products.TABLE: _catalogue(history),
        demand_forecast.TABLE: _forecast(),
        inventory_plan.TABLE: _plan(),
        customer_segments.TABLE: pl.DataFrame(
            {"customer_id": ["C000"], "as_of_on": [CUTOFF], "segment": ["loyal"], "tier": ["High"], "currency": ["EUR"]}
        ),
        kpi_daily.TABLE: _spend(),
    }
    return {table: stamped(rows, SHOP, label) for table, rows in made.items()}


def _is(pair: tuple[str, str]) -> pl.Expr:
    return (pl.col("customer_id") == pair[0]) & (pl.col("product_id") == pair[1])


def _catalogue(history: History) -> pl.DataFrame:
    listed = history.products.select("product_id", name="text")
    code = pl.col("product_id")
    return listed.with_columns(
        is_active=code != DELISTED,
        on_hand=pl.when(code == NEVER_COUNTED).then(None).when(code == SOLD_OUT).then(0).otherwise(5).cast(pl.Int64),
        on_order=pl.when(code == NEVER_COUNTED).then(None).otherwise(0).cast(pl.Int64),
    )


def _forecast() -> pl.DataFrame:
    rows = [
        (level, series, CUTOFF + timedelta(days=step), "D", step, 1.5 * step, False, None)
        for level, series in (("total", "total"), ("series", "P01"), ("category", "home/kitchen"))
        for step in range(1, 8)
    ]
    names = ["level", "series_id", "period_on", "frequency", "step", "mean", "is_fallback", "fallback"]
    return pl.DataFrame(rows, names, orient="row").reverse().with_columns(pl.col("fallback").cast(pl.String))


def _plan() -> pl.DataFrame:
    rows = [
        ("P01", "order now", 0.7, 12),
        ("P02", "enough", 0.1, 0),
        ("P03", "order now", 0.9, 7),
        ("P04", "not counted", None, 0),
    ]
    found = pl.DataFrame(rows, ["product_id", "alert", "stockout_risk", "order_quantity"], orient="row")
    return found.with_columns(as_of_on=pl.lit(CUTOFF))


def _spend() -> pl.DataFrame:
    days = [date(2024, 7, 31) + timedelta(days=n) for n in range(34)]  # to 2 September
    both = pl.DataFrame({"kpi_on": days}).join(pl.DataFrame({"currency": ["EUR", "GBP"]}), how="cross")
    money = pl.Decimal(19, 3)
    return both.with_columns(marketing_spend=pl.lit("0.105").cast(money), net_revenue=pl.lit("1.000").cast(money))


@pytest.fixture
def lake(tmp_path: Path, tables: Mapping[Table, pl.DataFrame]) -> Lake:
    made = Lake(without_spark, tmp_path / "warehouse", load("local"))
    publish(made, tables)
    return made


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory, tables: Mapping[Table, pl.DataFrame]) -> Loaded:
    """The release of the small shop, for tests that only ask."""
    made = Lake(without_spark, tmp_path_factory.mktemp("api") / "warehouse", load("local"))
    publish(made, tables)
    return Loaded(made)


@pytest.fixture(scope="session")
def client(loaded: Loaded) -> Iterator[TestClient]:
    """Asks about the small shop, without keys."""
    with TestClient(create(Live(loaded.reader.lake, loaded), Access(None, 1e6)), "http://localhost") as client:
        yield client
