"""What can be said of a customer at a cutoff: how often, how much, how varied."""

from __future__ import annotations

import numpy as np

from ml.recommend.data.snapshot import Floats, Snapshot


def customer_table(snapshot: Snapshot) -> dict[str, Floats]:
    """By name, a value per customer; NaN where one order says nothing yet."""
    count = snapshot.shape[0]
    orders = np.bincount(snapshot.order_customer, minlength=count).astype(np.float32)
    first, last = np.zeros(count, np.float32), np.full(count, np.inf, np.float32)
    np.maximum.at(first, snapshot.order_customer, snapshot.order_age.astype(np.float32))
    np.minimum.at(last, snapshot.order_customer, snapshot.order_age.astype(np.float32))
    gap = np.where(orders > 1, (first - last) / np.maximum(orders - 1, 1), np.nan)
    lines = np.maximum(np.bincount(snapshot.customer, minlength=count), 1)
    pieces = np.bincount(snapshot.customer, snapshot.quantity, count)
    money = np.bincount(snapshot.customer, snapshot.amount, count)
    last_lines = np.bincount(snapshot.customer[snapshot.orders_back == 0], minlength=count)
    active = {
        days: np.bincount(snapshot.order_customer[snapshot.order_age < days], minlength=count) for days in (30, 90)
    }
    foreign = snapshot.country != np.bincount(snapshot.country, minlength=1).argmax() if count else np.zeros(0)
    found = {
        "orders": orders,
        "orders_30": active[30],
        "orders_90": active[90],
        "days_since": last,
        "tenure": first,
        "gap": gap,
        "overdue": last / np.maximum(gap, 1),
        "distinct": snapshot.distinct,
        "basket": lines / np.maximum(orders, 1),
        "last_basket": last_lines,
        "new_share": snapshot.distinct / lines,
        "quantity": pieces / lines,
        "price": money / np.maximum(pieces, 1),
        "order_amount": money / np.maximum(orders, 1),
        "foreign": foreign,
    }
    return {name: np.asarray(values, np.float32) for name, values in found.items()}
