"""What a shop could do without learning to rank: the measure of everything else."""

from __future__ import annotations

import numpy as np
import polars as pl

from ml.recommend.candidates import als, linear, neighbors
from ml.recommend.candidates.neighbors import Scorer
from ml.recommend.candidates.pool import BLOCK, Task
from ml.recommend.data.snapshot import Ints, Snapshot

SIMPLE = ("popular, all time", "popular, 30 days", "buy it again", "own counts and popularity")
"""The rules that anybody could write down: a model must beat the best of them."""


def baselines(snapshot: Snapshot, factors: als.Factors | None) -> dict[str, Scorer]:
    """By name; ALS where its factors are given."""
    ever, lately = snapshot.buyers_ever, snapshot.buyers(0, 30)
    own, counts = snapshot.matrix(snapshot.decayed(120)), snapshot.matrix(snapshot.counts)
    share = lately / np.maximum(lately.max(initial=0), 1)  # one order counts as much as being what sells best
    found: dict[str, Scorer] = {
        "popular, all time": lambda rows: np.tile(ever, (len(rows), 1)),
        "popular, 30 days": lambda rows: np.tile(lately, (len(rows), 1)),
        "buy it again": lambda rows: np.asarray(own[rows].todense() + lately * np.float32(1e-6), np.float32),
        "own counts and popularity": lambda rows: np.asarray(counts[rows].todense() + share, np.float32),
        "item kNN": neighbors.similar_products(snapshot.bought, neighbors.product_cosine(snapshot)),
        "user kNN": neighbors.alike_customers(snapshot),
        "EASE": neighbors.similar_products(snapshot.bought, linear.ease_weights(snapshot, snapshot.bought)),
    }
    if factors is not None:
        products = factors.products_of(snapshot.products)
        customers = als.fold_in(snapshot.matrix(als.weights(snapshot)), products, factors.reg, factors.alpha)
        found["ALS"] = lambda rows: customers[rows] @ products.T
    return found


def ranked(snapshot: Snapshot, scorer: Scorer, rows: Ints, task: Task, k: int) -> pl.DataFrame:
    """The best k products by a scorer: customer_id, product_id, rank from 1; for NEW without those bought before."""
    parts = [pl.DataFrame(schema={"customer_id": pl.String, "product_id": pl.String, "rank": pl.Int64})]
    k = min(k, snapshot.shape[1])
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        scores = np.array(scorer(block))
        scores[snapshot.unwanted(block)] = -np.inf
        if task == "NEW":
            scores[snapshot.bought[block].nonzero()] = -np.inf
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        shown = np.isfinite(np.take_along_axis(scores, best, axis=1)).ravel()
        frame = {
            "customer_id": snapshot.customers.gather(np.repeat(block, k)),
            "product_id": snapshot.products.gather(best.ravel()),
            "rank": np.tile(np.arange(1, k + 1), len(block)),
        }
        parts.append(pl.DataFrame(frame).filter(pl.Series(shown)))
    return pl.concat(parts)
