"""How good a ranking is: one code for every method, full ranking, a value per customer so that methods can pair."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

HISTORY_LENGTHS = (("<20", 0, 20), ("20-60", 20, 60), ("60-150", 60, 150), (">150", 150, 10**9))
"""Classes of customers by distinct products in their history: name, from, to (exclusive)."""


def per_customer(ranked: pl.DataFrame, truth: pl.DataFrame, k: int = 10) -> pl.DataFrame:
    """Precision, recall, NDCG and hit at k for each customer of the truth, sorted by customer_id.

    `ranked` has customer_id, product_id, rank (from 1); `truth` has distinct customer_id, product_id. Gains are binary;
    the ideal ranking has min(k, products bought) hits. A customer without a list scores 0.
    """
    hits = ranked.filter(pl.col("rank") <= k).join(truth, on=["customer_id", "product_id"], how="inner")
    gains = hits.group_by("customer_id").agg(
        pl.len().alias("hits"), (1 / (pl.col("rank") + 1).cast(pl.Float64).log(2)).sum().alias("dcg")
    )
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(k) + 2))])
    sizes = truth.group_by("customer_id").agg(pl.len().alias("bought"))
    joined = sizes.join(gains, on="customer_id", how="left").fill_null(0).sort("customer_id")
    best = ideal[np.minimum(joined["bought"].to_numpy(), k)]
    return joined.select(
        "customer_id",
        (pl.col("hits") / k).alias("precision"),
        (pl.col("hits") / pl.col("bought")).alias("recall"),
        (pl.col("dcg") / pl.Series(best)).alias("ndcg"),
        (pl.col("hits") > 0).cast(pl.Float64).alias("hit"),
    )


def coverage(ranked: pl.DataFrame, catalogue: int) -> float:
    """The share of the catalogue (a number of products) that at least one list shows."""
    return ranked["product_id"].n_unique() / max(catalogue, 1)


def novelty(ranked: pl.DataFrame, buyers: Mapping[str, float], customers: int) -> float:
    """Mean surprise of the recommended products in bits, -log2 of the share of customers who have bought them."""
    shares = np.array([max(buyers.get(product, 0.0), 1.0) for product in ranked["product_id"]]) / max(customers, 1)
    return float(-np.log2(shares).mean()) if len(shares) else 0.0


def pooled_recall(pool: pl.DataFrame, truth: pl.DataFrame) -> float:
    """The share of all bought pairs (customer_id, product_id) that the pool has."""
    return truth.join(pool, on=["customer_id", "product_id"], how="semi").height / max(truth.height, 1)
