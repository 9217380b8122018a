"""What people get of whom nothing is known: the best sellers of their country."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from ml.recommend.candidates.pool import Task
from ml.recommend.candidates.popularity import grouped
from ml.recommend.data.snapshot import Snapshot
from ml.recommend.lists.reasons import popular

DAYS = 30
COLUMNS = {
    "customer_id": pl.String,
    "task": pl.String,
    "rank": pl.Int64,
    "product_id": pl.String,
    "score": pl.Float32,
    "chance": pl.Float32,
    "reason": pl.String,
}
"""The columns of recommendations."""


def best_sellers(
    snapshot: Snapshot, customers: pl.Series, task: Task, k: int, homes: Mapping[str, str], names: Mapping[str, str]
) -> pl.DataFrame:
    """The k best sellers for each unknown customer, as rows of `Hybrid.recommend`; of all where no home is known."""
    by_country = grouped(snapshot, snapshot.country, len(snapshot.countries), DAYS)
    everywhere = grouped(snapshot, np.zeros(snapshot.shape[0], np.int64), 1, DAYS)[0]
    lists: dict[str | None, pl.DataFrame] = {}
    parts = []
    for customer in customers:
        home = homes.get(customer)
        home = home if home in snapshot.countries else None
        if home not in lists:
            shares = everywhere if home is None else by_country[snapshot.countries.index(home)]
            best = np.argsort(-shares, kind="stable")[:k]
            lists[home] = pl.DataFrame(
                {
                    "task": pl.Series([task] * len(best), dtype=pl.String),
                    "rank": np.arange(1, len(best) + 1),
                    "product_id": snapshot.products.gather(best),
                    "score": shares[best],
                    "chance": shares[best],
                    "reason": pl.Series(
                        [popular(names.get(home, home) if home else None)] * len(best), dtype=pl.String
                    ),
                }
            )
        parts.append(lists[home].select(pl.lit(customer).alias("customer_id"), pl.all()))
    return pl.concat(parts) if parts else pl.DataFrame(schema=COLUMNS)
