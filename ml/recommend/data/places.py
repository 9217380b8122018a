"""Rows sorted by customer: where each customer begins, and the place of each row in its customer's list."""

from __future__ import annotations

import numpy as np

from ml.recommend.data.snapshot import Ints


def places(customer: Ints) -> tuple[Ints, Ints]:
    """For each row the first row of its customer, and its place there from 0."""
    if not len(customer):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    starts = np.flatnonzero(np.append(True, np.diff(customer) != 0))
    first = np.repeat(starts, np.diff(np.append(starts, len(customer))))
    return first, np.arange(len(customer)) - first
