"""What the ranker knows of a candidate: the pair's own past, product, customer, and what the generators say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.recommend.candidates import popularity
from ml.recommend.candidates.pool import Candidates, side_by_side
from ml.recommend.data.places import Lists
from ml.recommend.data.snapshot import DECAYS, Floats, Ints, Snapshot
from ml.recommend.ranking.customers import customer_table
from ml.recommend.ranking.pairs import pair_table
from ml.recommend.ranking.products import product_table

Columns = dict[str, Floats]


@dataclass(frozen=True, eq=False)
class Tables:
    """What is known of the pairs, products and customers of a snapshot, counted once for all candidates."""

    snapshot: Snapshot
    pairs: dict[str, tuple[Floats, float]]
    products: Columns
    customers: Columns
    shares: dict[str, tuple[Floats, Ints]]

    @classmethod
    def of(cls, snapshot: Snapshot, window: int) -> Tables:
        """Count."""
        customers = customer_table(snapshot)
        groups = {
            "country": (snapshot.country, len(snapshot.countries)),
            "segment": (popularity.segments(customers["order_amount"]), 4),
        }
        shares = {name: (popularity.grouped(snapshot, of, count, 30), of) for name, (of, count) in groups.items()}
        return cls(snapshot, pair_table(snapshot, window), product_table(snapshot, window), customers, shares)


def features(tables: Tables, candidates: Candidates) -> tuple[tuple[str, ...], Floats]:
    """Names and values, candidates x features; NaN is what is unknown."""
    columns: Columns = {}
    lists = Lists.of(candidates.customer)
    for position, name in enumerate(candidates.names):
        columns[name] = candidates.scores[:, position]
        columns[f"{name}.rank"] = lists.ranks(columns[name])
    known = _position(tables.snapshot, candidates)
    for name, (values, missing) in tables.pairs.items():
        columns[f"pair.{name}"] = np.append(values, np.float32(missing))[known]
    columns |= {f"product.{name}": values[candidates.product] for name, values in tables.products.items()}
    columns |= {f"customer.{name}": values[candidates.customer] for name, values in tables.customers.items()}
    columns |= _crossed(tables, candidates, columns, lists)
    return tuple(columns), side_by_side(list(columns.values()), len(candidates.customer))


def _position(snapshot: Snapshot, candidates: Candidates) -> Ints:
    """Where each candidate is among the pairs bought; the position after the last for those never bought."""
    keys = candidates.customer * snapshot.shape[1] + candidates.product
    found = np.searchsorted(snapshot.pair_keys, keys)
    inside = found < len(snapshot.pair_keys)
    inside[inside] = snapshot.pair_keys[found[inside]] == keys[inside]
    return np.where(inside, found, len(snapshot.pair_keys))


def _crossed(tables: Tables, candidates: Candidates, columns: Columns, lists: Lists) -> Columns:
    """What only the pair of customer and product says."""
    rebuy = columns["product.rebuy_rate"]
    found = {f"rebuy_x_decay_{days}": rebuy * columns[f"pair.decay_{days}"] for days in DECAYS if days >= 30}
    found["rebuy_x_share"] = rebuy * columns["pair.share_of_orders"]
    found["recent_rebuy_x_decay_120"] = columns["product.rebuy_rate_recent"] * columns["pair.decay_120"]
    found |= {f"{name}.rank": lists.ranks(values) for name, values in found.items()}
    found["price_to_usual"] = columns["product.price"] / np.maximum(columns["customer.price"], 0.01)
    found["quantity_to_usual"] = columns["product.quantity"] / np.maximum(columns["customer.quantity"], 0.01)
    overall = np.maximum(columns["product.buyers_30"] / max(tables.snapshot.shape[0], 1), 1e-6)
    for name, (shares, group) in tables.shares.items():
        found[f"{name}_share"] = shares[group[candidates.customer], candidates.product]
        found[f"{name}_lift"] = found[f"{name}_share"] / overall
    return found
