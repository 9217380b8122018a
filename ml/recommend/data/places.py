"""Rows sorted by customer: where each customer begins, the place of each row in its list, and what lists are asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.recommend.data.snapshot import Floats, Ints


def places(customer: Ints) -> tuple[Ints, Ints]:
    """For each row the first row of its customer, and its place there from 0."""
    if not len(customer):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    starts = np.flatnonzero(np.append(True, np.diff(customer) != 0))
    first = np.repeat(starts, np.diff(np.append(starts, len(customer))))
    return first, np.arange(len(customer)) - first


@dataclass(frozen=True, eq=False)
class Lists:
    """Customers' lists, one after the other: where each begins, how long it is, and of each row its list and place."""

    starts: Ints
    sizes: Ints
    row: Ints
    place: Ints

    @classmethod
    def of(cls, customer: Ints) -> Lists:
        """The lists of rows that are sorted by customer."""
        _, place = places(customer)
        starts = np.flatnonzero(place == 0)
        sizes = np.diff(np.append(starts, len(customer)))
        return cls(starts, sizes, np.repeat(np.arange(len(starts)), sizes), place)

    def ranks(self, score: NDArray[Any]) -> Floats:
        """The place of each row in its list by score, from 0, best first; equal scores share their mean place.

        Scores are finite.
        """
        if not len(score):
            return np.zeros(0, np.float32)
        worse = np.full((len(self.starts), self.sizes.max()), np.inf, score.dtype)
        worse[self.row, self.place] = -score
        order = np.argsort(worse, axis=1)
        ordered = np.take_along_axis(worse, order, axis=1)
        differs = np.ones(worse.shape, bool)
        differs[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        tie = np.flatnonzero(differs)
        lengths = np.diff(np.append(tie, worse.size))
        shared = (tie % worse.shape[1] + (lengths - 1) / 2).astype(np.float32)
        found = np.empty(worse.shape, np.float32)
        np.put_along_axis(found, order, np.repeat(shared, lengths).reshape(worse.shape), axis=1)
        return np.asarray(found[self.row, self.place])

    def z(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values less the mean of their list, over its standard deviation."""
        centred = values - (np.add.reduceat(values, self.starts) / self.sizes)[self.row]
        spread = np.sqrt(np.add.reduceat(centred**2, self.starts) / self.sizes)
        return np.asarray(centred / np.maximum(spread, 1e-9)[self.row])
