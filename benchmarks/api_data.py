"""Gold tables of a made-up shop of any size, written without Spark, for the API to be asked about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import polars as pl
from deltalake import write_deltalake

from gold.recommend import (
    als_item_factors,
    best_sellers,
    cart_suggestions,
    interactions,
    item_neighbors,
    recommendations,
)
from gold.sales import products
from lakehouse.accounts import releases
from lakehouse.declare.table import Table
from lakehouse.store.lake import Lake

SHOP = "big"
RANK = 64
AS_OF = date(2026, 10, 31)


def publish(lake: Lake, tables: Mapping[Table, pl.DataFrame]) -> None:
    """Replace tables by rows, and release them."""
    for table, rows in tables.items():
        write_deltalake(lake.path(table), rows.to_arrow(), mode="overwrite", schema_mode="overwrite")
    releases.note(lake)


def customer(number: int) -> str:
    """The id of a customer, from 0."""
    return f"C{number:07}"


def product(number: int) -> str:
    """The id of a product, from 0."""
    return f"P{number:07}"


def big_shop(customers: int, count: int, without_neighbors: float, seed: int = 7) -> dict[Table, pl.DataFrame]:
    """A shop in which every customer has two lists of ten, and every product factors.

    All but a share of the products have twenty neighbors and ten suggestions. Which these are is chance: to find them
    costs the same.
    """
    chance = np.random.default_rng(seed)
    ids = np.array([product(number) for number in range(count)])
    paired = np.flatnonzero(chance.random(count) >= without_neighbors)
    tasks = pl.DataFrame({"task": ["ALL", "NEW"]})
    people = pl.DataFrame({"customer_id": [customer(number) for number in range(customers)]})
    lists = people.join(tasks, how="cross").join(_places(10), how="cross")
    near, beside = _pairs(ids[paired], 20), _pairs(ids[paired], 10)
    made = {
        products.TABLE: pl.DataFrame({"product_id": ids}).with_columns(
            name="product " + pl.col("product_id"),
            is_active=pl.Series(chance.random(count) < 0.99),
            on_hand=pl.lit(None, pl.Int64),
            on_order=pl.lit(None, pl.Int64),
        ),
        recommendations.TABLE: lists.with_columns(
            product_id=pl.Series(chance.choice(ids, lists.height)),
            score=1 / pl.col("rank"),
            chance=0.5 / pl.col("rank"),
            reason=pl.lit("popular in Germany these 30 days"),
            as_of_on=pl.lit(AS_OF),
        ),
        interactions.TABLE: pl.DataFrame(
            {
                "customer_id": np.repeat(people["customer_id"].to_numpy(), 20),
                "product_id": chance.choice(ids, 20 * customers),
            }
        ),
        item_neighbors.TABLE: near.with_columns(
            neighbor_id=pl.Series(chance.choice(ids, near.height)), similarity=0.5 / pl.col("rank"), evidence=pl.lit(5)
        ),
        cart_suggestions.TABLE: beside.rename({"product_id": "cart_product_id"}).with_columns(
            product_id=pl.Series(chance.choice(ids, beside.height)),
            lift=5 / pl.col("rank"),
            evidence=pl.lit(5),
            reason=pl.lit("bought with a mug"),
        ),
        best_sellers.TABLE: _places(best_sellers.PLACES).with_columns(
            country_code=pl.lit("*"),
            product_id=pl.Series(chance.choice(ids, best_sellers.PLACES, replace=False)),
            score=1 / pl.col("rank"),
            chance=0.5 / pl.col("rank"),
            reason=pl.lit("popular these 30 days"),
            as_of_on=pl.lit(AS_OF),
        ),
        als_item_factors.TABLE: pl.DataFrame(
            {"product_id": ids, "factors": chance.standard_normal((count, RANK)).tolist()}
        ),
    }
    return {table: stamped(rows, SHOP, f"recommend-{SHOP} v1") for table, rows in made.items()}


def stamped(rows: pl.DataFrame, shop: str, label: str) -> pl.DataFrame:
    """Rows with the columns that say which shop's they are, and which model made them."""
    return rows.with_columns(shop_id=pl.lit(shop), model=pl.lit(label), model_run=pl.lit("a run"))


def _places(count: int) -> pl.DataFrame:
    return pl.DataFrame({"rank": range(1, count + 1)}, schema={"rank": pl.Int32})


def _pairs(ids: np.ndarray[tuple[int], np.dtype[np.str_]], count: int) -> pl.DataFrame:
    return pl.DataFrame({"product_id": ids}).join(_places(count), how="cross")
