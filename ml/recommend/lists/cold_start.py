"""What people get of whom no purchase is known that counts: the best sellers of their country."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from ml.recommend.candidates.pool import Task
from ml.recommend.candidates.popularity import grouped
from ml.recommend.data.history import History
from ml.recommend.data.snapshot import NO_COUNTRY, Floats, Snapshot
from ml.recommend.lists.reasons import UNSOLD, popular

DAYS = 30
ACTIVE_DAYS = 180
EVERYWHERE = "*"
"""Stands for all countries of a shop."""
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
    snapshot: Snapshot,
    history: History,
    customers: pl.Series,
    task: Task,
    k: int,
    homes: Mapping[str, str],
    names: Mapping[str, str],
) -> pl.DataFrame:
    """The k best sellers for each unknown customer, as rows of `Hybrid.recommend`; of all where no home is known.

    Who gave back all that was ever bought is unknown too, but is not shown what was given back.
    """
    by_country, everywhere = _shares(snapshot)
    back: dict[str, list[str]] = {}
    for customer, product in history.given_back.filter(pl.col("customer_id").is_in(customers.implode())).iter_rows():
        back.setdefault(customer, []).append(product)
    lists: dict[str | None, pl.DataFrame] = {}
    parts = []
    for customer in customers:
        home = homes.get(customer)
        home = home if home in snapshot.countries else None
        if home not in lists:
            shares = everywhere if home is None else by_country[snapshot.countries.index(home)]
            lists[home] = _best(snapshot, shares, names.get(home, home) if home else None)
        best = lists[home]
        if customer in back:
            best = best.filter(~pl.col("product_id").is_in(back[customer]))
        parts.append(
            best.head(k).select(
                pl.lit(customer).alias("customer_id"),
                pl.lit(task).alias("task"),
                pl.int_range(1, pl.len() + 1).alias("rank"),
                pl.all(),
            )
        )
    return pl.concat(parts) if parts else pl.DataFrame(schema=COLUMNS)


def best_by_country(history: History, names: Mapping[str, str], k: int) -> pl.DataFrame:
    """The k best sellers of each country and of the shop (`EVERYWHERE`), as strangers there get them.

    country_code, rank, product_id, score, chance, reason.
    """
    snapshot = Snapshot.of(history, ACTIVE_DAYS)
    by_country, everywhere = _shares(snapshot)
    lists = {EVERYWHERE: _best(snapshot, everywhere, None)}
    for code, shares in zip(snapshot.countries, by_country, strict=True):
        if code != NO_COUNTRY:
            lists[code] = _best(snapshot, shares, names.get(code, code))
    place = pl.int_range(1, pl.len() + 1).alias("rank")
    return pl.concat(
        best.head(k).select(pl.lit(code).alias("country_code"), place, pl.all()) for code, best in lists.items()
    )


def _shares(snapshot: Snapshot) -> tuple[Floats, Floats]:
    """The share of the buyers of these days who bought each product: by country, and of all."""
    everybody = np.zeros(snapshot.shape[0], np.int64)
    by_country = grouped(snapshot, snapshot.country, len(snapshot.countries), DAYS)
    return by_country, grouped(snapshot, everybody, 1, DAYS)[0]


def _best(snapshot: Snapshot, shares: Floats, place: str | None) -> pl.DataFrame:
    """All that may be sold, the best first: product_id, score, chance, reason."""
    sold = snapshot.buyers(0, DAYS) > 0
    order = np.argsort(-shares, kind="stable")
    order = order[snapshot.may_be_sold[order]]
    reasons = [popular(place) if sold[product] else UNSOLD for product in order]
    return pl.DataFrame(
        {
            "product_id": snapshot.products.gather(order),
            "score": shares[order],
            "chance": shares[order],
            "reason": pl.Series(reasons, dtype=pl.String),
        }
    )
