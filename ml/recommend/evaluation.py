"""Evaluating lists by what was bought after the cutoff: known customers, full ranking, ALL and NEW apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.core.compare import paired_ratio
from ml.recommend.candidates.neighbors import Scorer
from ml.recommend.candidates.pool import Task
from ml.recommend.data.history import History, truth
from ml.recommend.data.snapshot import Snapshot
from ml.recommend.lists import metrics

WHOLE = "all"


def truths(history: History, events: pl.DataFrame, days: int) -> dict[Task, pl.DataFrame]:
    """What customers known at the cutoff bought in the `days` days after it, and what of it they had never bought."""
    after = truth(events, history.cutoff, days).join(history.events, on="customer_id", how="semi")
    return {"ALL": after, "NEW": after.join(history.events, on=["customer_id", "product_id"], how="anti")}


def quality(lists: Mapping[str, pl.DataFrame], bought: pl.DataFrame, snapshot: Snapshot, k: int = 10) -> pl.DataFrame:
    """A row per method: precision, recall, ndcg, hit (means over customers at k), coverage, novelty in bits."""
    by_product = dict(zip(snapshot.products, snapshot.buyers_ever.tolist(), strict=True))
    rows = []
    for method, ranked in lists.items():
        top = ranked.filter(pl.col("rank") <= k).join(bought, on="customer_id", how="semi")
        means = metrics.per_customer(top, bought, k).drop("customer_id").mean().row(0, named=True)
        shown = {
            "coverage": metrics.coverage(top, snapshot.shape[1]),
            "novelty": metrics.novelty(top, by_product, snapshot.shape[0]),
        }
        rows.append({"method": method} | means | shown)
    return pl.DataFrame(rows)


def against(
    ranked: pl.DataFrame, base: pl.DataFrame, bought: pl.DataFrame, snapshot: Snapshot, k: int = 10
) -> pl.DataFrame:
    """NDCG over that of a base, paired over customers: history (class or "all"), customers, ratio, low, high."""
    ours, theirs = (metrics.per_customer(lists, bought, k) for lists in (ranked, base))
    rows = []
    for name, inside in _by_history(ours["customer_id"], snapshot):
        found = paired_ratio(ours["ndcg"].to_numpy()[inside], theirs["ndcg"].to_numpy()[inside])
        rows.append((name, int(inside.sum()), found.value, found.low, found.high))
    return pl.DataFrame(rows, schema=["history", "customers", "ratio", "low", "high"], orient="row")


def precision_recall(ranked: pl.DataFrame, bought: pl.DataFrame, snapshot: Snapshot, k: int = 10) -> pl.DataFrame:
    """Mean precision and recall of the first 1 to k places: history (class or "all"), places, precision, recall."""
    rows = []
    for places in range(1, k + 1):
        each = metrics.per_customer(ranked, bought, places)
        for name, inside in _by_history(each["customer_id"], snapshot):
            means = [float(each[measure].to_numpy()[inside].mean()) for measure in ("precision", "recall")]
            rows.append((name, places, *means))
    return pl.DataFrame(rows, schema=["history", "places", "precision", "recall"], orient="row")


def _by_history(customers: pl.Series, snapshot: Snapshot) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """All customers, and the classes by products bought before that have any."""
    size = snapshot.distinct[snapshot.rows_of(customers)]
    for name, low, high in ((WHOLE, 0, 10**9), *metrics.HISTORY_LENGTHS):
        inside = (size >= low) & (size < high)
        if inside.any():
            yield name, inside


def rated_only(snapshot: Snapshot, scorer: Scorer, rated: pl.DataFrame) -> pl.DataFrame:
    """Lists that rank only what a customer has rated in the test (customer_id, product_id), as many figures do.

    Random order looks good in this regime, so it stands beside it; products that are unknown here come last.
    """
    rows, columns = snapshot.rows_of(rated["customer_id"]), snapshot.columns_of(rated["product_id"])
    scores = np.full(rated.height, -np.inf)
    for row in np.unique(rows[rows >= 0]):
        theirs = np.flatnonzero((rows == row) & (columns >= 0))
        scores[theirs] = scorer(np.array([row]))[0, columns[theirs]]
    ordered = rated.select("customer_id", "product_id").with_columns(pl.Series("score", scores))
    ordered = ordered.sort(["customer_id", "score", "product_id"], descending=[False, True, False])
    return ordered.with_columns((pl.int_range(pl.len()).over("customer_id") + 1).alias("rank")).drop("score")
