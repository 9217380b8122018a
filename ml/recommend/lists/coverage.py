"""Showing more of the catalogue for a promised price: places near the end of lists go to products that nobody sees."""

from __future__ import annotations

import numpy as np

from ml.recommend.data.places import places
from ml.recommend.data.snapshot import Floats, Ints
from ml.recommend.ranking.ranker import DEPTH

SWAPS = 3
"""At most so many of a customer's last places are given away."""


def spread(customer: Ints, product: Ints, chance: Floats, k: int, cost: float, target: int) -> tuple[Ints, Ints]:
    """Which candidates to show, and at which place (from 0), after giving places to products that no list shows.

    Candidates are sorted by customer and from best to worst; `chance` is the probability of a purchase. The expected
    DCG of all lists, the sum of chance / log2(place + 2), falls by no more than `cost` of itself. It stops when
    `target` products are shown. A product's only appearance is never pushed out. Greedy, the cheapest exchange first.
    """
    first, place = places(customer)
    at = np.where(place < k, place, -1)
    shown = np.bincount(product[at >= 0], minlength=int(product.max(initial=0)) + 1)
    discount = 1 / np.log2(np.arange(k) + 2)
    budget = cost * float((chance[at >= 0] * discount[at[at >= 0]]).sum())
    covered = int((shown > 0).sum())
    outside = np.flatnonzero((place >= k) & (place < DEPTH) & (shown[product] == 0))
    loss = (chance[first[outside] + k - 1] - chance[outside]) * discount[k - 1]
    given: dict[int, int] = {}
    for candidate in outside[np.argsort(loss, kind="stable")]:
        if covered >= target:
            break
        start, taken = int(first[candidate]), given.get(int(first[candidate]), 0)
        if shown[product[candidate]] or taken >= min(SWAPS, k - 1):
            continue
        out = start + k - 1 - taken
        price = max(float(chance[out] - chance[candidate]), 0.0) * float(discount[k - 1 - taken])
        if shown[product[out]] < 2 or price > budget:
            continue
        budget -= price
        at[candidate], at[out] = at[out], -1
        shown[product[candidate]] += 1
        shown[product[out]] -= 1
        given[start] = taken + 1
        covered += 1
    chosen = np.flatnonzero(at >= 0)
    order = np.lexsort((at[chosen], customer[chosen]))
    return chosen[order], at[chosen][order]
