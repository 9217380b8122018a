"""What sells, to whom it sells, and what sold at this season a year ago."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.recommend.candidates.neighbors import Scorer
from ml.recommend.data.snapshot import Floats, Ints, Snapshot, distinct

LAST_YEAR = 364
"""Days back to the same weekday of the same season."""


def bought_first(snapshot: Snapshot, days: int) -> Floats:
    """Per product the customers who bought it for the first time within the last `days` days."""
    return snapshot.by_product(snapshot.pair_keys[snapshot.first_age < days])


def last_year(snapshot: Snapshot, window: int) -> tuple[Floats, Floats] | None:
    """Buyers per product in the window after this day a year ago, and in the window before it; None if unknown."""
    if not len(snapshot.order_age) or snapshot.order_age.max() < LAST_YEAR + window:
        return None
    then = snapshot.buyers(LAST_YEAR - window, LAST_YEAR)
    return then, snapshot.buyers(LAST_YEAR, LAST_YEAR + window)


def ramp(snapshot: Snapshot, window: int, smooth: float = 5.0) -> Floats | None:
    """How much more a product sold in the window after this day a year ago than in that before; 1 where new."""
    found = last_year(snapshot, window)
    if found is None:
        return None
    after, before = found
    level = (after.sum() + 1) / (before.sum() + 1)
    return np.asarray((after + smooth * level) / (before + smooth), np.float32)


def seasonal(snapshot: Snapshot, window: int) -> Floats:
    """Recent popularity times last year's ramp, the recent popularity alone where there was no last year."""
    growth = ramp(snapshot, window)
    recent = snapshot.buyers(0, 30)
    return recent if growth is None else recent * growth


def grouped(snapshot: Snapshot, group: Ints, groups: int, days: int) -> Floats:
    """Groups x products: the share of a group's buyers of the last `days` days who bought the product, smoothed.

    `group` has a number per customer. Small groups lean on the whole shop, as if by 20 more buyers.
    """
    pairs = snapshot.pair_keys[distinct(snapshot.line_pair[snapshot.age < days])]
    customer, product = np.divmod(pairs, max(snapshot.shape[1], 1))
    counts = np.bincount(group[customer] * snapshot.shape[1] + product, minlength=groups * snapshot.shape[1])
    counts = counts.reshape(groups, snapshot.shape[1])
    active = np.bincount(group[distinct(customer)], minlength=groups)[:, None]
    overall = counts.sum(axis=0) / max(active.sum(), 1)
    return np.asarray((counts + 20 * overall) / (active + 20), np.float32)


def by_country(snapshot: Snapshot, days: int) -> Scorer:
    """What the customer's country bought lately, smoothed by the whole shop."""
    shares = grouped(snapshot, snapshot.country, len(snapshot.countries), days)
    return lambda rows: shares[snapshot.country[rows]]


def segments(values: NDArray[np.float32], count: int = 4) -> Ints:
    """Customers in `count` groups of equal size by a value."""
    edges = np.quantile(values, np.linspace(0, 1, count + 1)[1:-1]) if len(values) else np.zeros(count - 1)
    return np.searchsorted(edges, values, side="right").astype(np.int64)
