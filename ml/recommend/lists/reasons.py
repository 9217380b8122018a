"""Why a product is recommended, in words that its customer would understand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import sparse

from ml.recommend.candidates.neighbors import product_cosine
from ml.recommend.data.snapshot import Floats, Ints, Snapshot
from ml.recommend.ranking.pairs import pair_table

UNSOLD = "in the shop's range"
"""The reason of what nobody bought these thirty days, and nothing else speaks for."""


class Reasons:
    """Explains pairs of customer and product of one snapshot; `names` are countries by code."""

    def __init__(self, snapshot: Snapshot, vectors: Floats, names: Mapping[str, str]) -> None:
        self._snapshot = snapshot
        self._vectors = vectors
        self._together = product_cosine(snapshot)
        self._countries = [names.get(code, code) for code in snapshot.countries]
        self._sold = snapshot.buyers(0, 30) > 0
        table = pair_table(snapshot, 30)
        self._orders, self._interval, self._since = (table[name][0] for name in ("orders", "interval", "days_since"))

    def of(self, customer: Ints, product: Ints) -> list[str]:
        """A reason for each pair: bought again, bought with what they have, alike in words, or popular at home."""
        keys = customer * self._snapshot.shape[1] + product
        position = np.searchsorted(self._snapshot.pair_keys, keys)
        position = np.minimum(position, max(len(self._snapshot.pair_keys) - 1, 0))
        bought = sparse.csr_matrix(self._snapshot.bought)
        found = []
        for row, column, key, at in zip(customer, product, keys, position, strict=True):
            if len(self._snapshot.pair_keys) and self._snapshot.pair_keys[at] == key:
                found.append(self._again(int(at)))
            else:
                theirs = bought.indices[bought.indptr[row] : bought.indptr[row + 1]]
                found.append(self._new(int(row), int(column), theirs))
        return found

    def _again(self, pair: int) -> str:
        orders = int(self._orders[pair])
        if orders >= 3 and self._interval[pair] >= 1:
            return f"you buy this every {_span(float(self._interval[pair]))}"
        times = "once" if orders == 1 else "twice" if orders == 2 else f"{orders} times"
        return f"you bought this {times}, last {_ago(float(self._since[pair]))}"

    def _new(self, row: int, column: int, theirs: Ints) -> str:
        if len(theirs):
            alike = self._vectors[theirs] @ self._vectors[column]
            for words, likeness, least in (
                ("bought with", self._together.between(column, theirs), 0.05),
                ("similar to", alike, 0.3),
            ):
                other = int(theirs[likeness.argmax()])
                if likeness.max() >= least:
                    return f"{words} {self._snapshot.names[other]}"
        return popular(self._countries[self._snapshot.country[row]]) if self._sold[column] else UNSOLD


def popular(place: str | None) -> str:
    """The reason of what is recommended to unknown customers."""
    return f"popular in {place} these 30 days" if place else "popular these 30 days"


def _ago(days: float) -> str:
    return "today" if days < 1 else f"{'a ' if _span(days).isalpha() else ''}{_span(days)} ago"


def _span(days: float) -> str:
    """Days in the unit that people would use."""
    for unit, size, limit in (("day", 1, 14), ("week", 7, 63), ("month", 30.44, np.inf)):
        if days < limit:
            count = max(round(days / size), 1)
            return f"{count} {unit}s" if count > 1 else unit
    raise AssertionError("the last limit is infinite")
