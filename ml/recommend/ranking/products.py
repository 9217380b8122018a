"""What can be said of a product at a cutoff: how it sells, how it is bought again, what it costs, how old it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.recommend.candidates import popularity
from ml.recommend.data.snapshot import NEVER, Floats, Snapshot, distinct

WINDOWS = (3, 7, 14, 30, 60, 90, 365)


def product_table(snapshot: Snapshot, window: int) -> dict[str, Floats]:
    """By name, a value per product. Buyers are distinct customers in so many days; prices are money per piece."""
    width = snapshot.shape[1]
    buyers = {days: snapshot.buyers(0, days) for days in WINDOWS}
    found = {f"buyers_{days}": values for days, values in buyers.items()}
    before = snapshot.buyers(30, 60)
    found["trend_week"] = (buyers[7] + 1) / (buyers[30] + 4)
    found["trend_fortnight"] = (buyers[14] + 1) / (buyers[30] + 2)
    found["trend_month"] = (buyers[30] + 2) / (before + 2)
    found["trend_quarter"] = (buyers[30] + 2) / (buyers[90] + 6)
    found |= _loyalty(snapshot, window)
    found |= _season(snapshot, window)
    first, last = np.full(width, np.nan, np.float32), np.full(width, NEVER, np.float32)
    np.fmax.at(first, snapshot.product, snapshot.age.astype(np.float32))
    np.minimum.at(last, snapshot.product, snapshot.age.astype(np.float32))
    fortnight = distinct(snapshot.product[snapshot.age < 14] * 14 + snapshot.age[snapshot.age < 14]) // 14
    found |= {
        "age": first,
        "days_since": last,
        "days_sold_of_14": np.bincount(fortnight, minlength=width).astype(np.float32),
        "first_7": popularity.bought_first(snapshot, 7),
        "first_30": popularity.bought_first(snapshot, 30),
    }
    return found | _price(snapshot)


def _loyalty(snapshot: Snapshot, window: int) -> dict[str, Floats]:
    """How often those who had a product bought it again in the last window, and how many buyers were new to it."""
    owners_then = snapshot.pair_keys[distinct(snapshot.line_pair[snapshot.age >= window])]
    buyers_now = snapshot.pair_keys[distinct(snapshot.line_pair[snapshot.age < window])]
    again = np.intersect1d(owners_then, buyers_now, assume_unique=True)
    owners, now, both = (snapshot.by_product(keys) for keys in (owners_then, buyers_now, again))
    recent = (snapshot.age >= window) & (snapshot.age < window + 120)
    recent_owners = snapshot.pair_keys[distinct(snapshot.line_pair[recent])]
    recent_both = snapshot.by_product(np.intersect1d(recent_owners, buyers_now, assume_unique=True))
    recent_size = snapshot.by_product(recent_owners)
    level = both.sum() / max(owners.sum(), 1)
    recent_level = recent_both.sum() / max(recent_size.sum(), 1)
    many = snapshot.by_product(snapshot.pair_keys[snapshot.counts > 1])
    ever = snapshot.by_product(snapshot.pair_keys)
    return {
        "owners": owners,
        "rebuy_rate": ((both + 20 * level) / (owners + 20)).astype(np.float32),
        "rebuy_rate_recent": ((recent_both + 20 * recent_level) / (recent_size + 20)).astype(np.float32),
        "new_buyer_rate": ((now - both + 2) / (now + 4)).astype(np.float32),
        "repeat_share": ((many + 1) / (ever + 5)).astype(np.float32),
    }


def _season(snapshot: Snapshot, window: int) -> dict[str, Floats]:
    then, growth = popularity.last_year(snapshot, window), popularity.ramp(snapshot, window)
    unknown = np.full(snapshot.shape[1], np.nan, np.float32)
    if then is None or growth is None:
        return {"last_year": unknown, "ramp": unknown, "seasonal": unknown}
    return {"last_year": then[0], "ramp": growth, "seasonal": popularity.seasonal(snapshot, window)}


def _price(snapshot: Snapshot) -> dict[str, Floats]:
    """Price per piece: over the last 30 days (or ever), against before; pieces in a line."""
    lately = snapshot.age < 30
    ever, recent = (_ratio(snapshot, lines) for lines in (np.ones(len(lately), bool), lately))
    price = np.where(np.isnan(recent), ever, recent)
    lines = np.bincount(snapshot.product, minlength=snapshot.shape[1])
    pieces = np.bincount(snapshot.product, snapshot.quantity, snapshot.shape[1])
    quantity = np.divide(pieces, lines, out=np.full(len(lines), np.nan), where=lines > 0)
    return {
        "price": price.astype(np.float32),
        "price_change": np.divide(recent, ever, out=np.full(len(ever), np.nan), where=ever > 0).astype(np.float32),
        "quantity": quantity.astype(np.float32),
    }


def _ratio(snapshot: Snapshot, lines: NDArray[np.bool_]) -> NDArray[np.float64]:
    money = np.bincount(snapshot.product[lines], snapshot.amount[lines], snapshot.shape[1])
    pieces = np.bincount(snapshot.product[lines], snapshot.quantity[lines], snapshot.shape[1])
    return np.asarray(np.divide(money, pieces, out=np.full(len(money), np.nan), where=pieces > 0))
