"""What a customer's own purchases of a product say: how often, how lately, how regularly."""

from __future__ import annotations

import numpy as np

from ml.recommend.candidates.popularity import LAST_YEAR
from ml.recommend.data.snapshot import DECAYS, NEVER, Floats, Snapshot


def pair_table(snapshot: Snapshot, window: int) -> dict[str, tuple[Floats, float]]:
    """By name, a value for each pair of `snapshot.pair_keys`, and the value of a pair that was never bought.

    Intervals are in days between orders with the product; `overdue` is days since the last one over the mean interval,
    NaN for what was bought once.
    """
    customer = snapshot.pair_keys // max(snapshot.shape[1], 1)
    orders = np.maximum(np.bincount(snapshot.order_customer, minlength=snapshot.shape[0]), 1)[customer]
    counts, first, last = snapshot.counts, snapshot.first_age, snapshot.last_age
    back = np.full(len(customer), NEVER, np.float32)
    np.minimum.at(back, snapshot.line_pair, snapshot.orders_back.astype(np.float32))
    interval = np.where(counts > 1, (first - last) / np.maximum(counts - 1, 1), np.nan).astype(np.float32)
    smooth = (first + 60) / (counts + 1)
    then = (snapshot.age >= LAST_YEAR - window) & (snapshot.age < LAST_YEAR)
    found: dict[str, tuple[Floats, float]] = {f"decay_{days}": (snapshot.decayed(days), 0.0) for days in DECAYS}
    found |= {
        "orders": (counts, 0.0),
        "days_since": (last, NEVER),
        "days_since_first": (first, NEVER),
        "orders_since": (back, NEVER),
        "share_of_orders": ((counts / orders).astype(np.float32), 0.0),
        "share_since_first": ((counts / _orders_since_first(snapshot)).astype(np.float32), 0.0),
        "in_last_3": (snapshot.pair_sums(snapshot.orders_back < 3), 0.0),
        "in_last_6": (snapshot.pair_sums(snapshot.orders_back < 6), 0.0),
        "interval": (interval, np.nan),
        "overdue": ((last / np.maximum(interval, 1)).astype(np.float32), np.nan),
        "rate_due": ((last / smooth).astype(np.float32), np.nan),
        "last_year": (snapshot.pair_sums(then), 0.0),
        "quantity": ((snapshot.pair_sums(snapshot.quantity) / counts).astype(np.float32), 0.0),
        "spent": (snapshot.pair_sums(snapshot.amount), 0.0),
    }
    return found


def _orders_since_first(snapshot: Snapshot) -> Floats:
    """Per pair the customer's orders from the first one with the product on."""
    most = np.zeros(len(snapshot.pair_keys), np.int64)
    np.maximum.at(most, snapshot.line_pair, snapshot.orders_back)
    return (most + 1).astype(np.float32)
