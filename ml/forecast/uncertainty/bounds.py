"""How high a forecast may be at most: what a series has seen, with room for growth."""

from __future__ import annotations

import numpy as np

from gold.demand.bounds import MOST
from ml.forecast.panel.panel import Array


def highest(y: Array) -> Array:
    """The highest known period of each series of `y` (series, periods), 0 where nothing was sold."""
    found: Array = np.where(np.isfinite(y), y, 0.0).max(axis=1, initial=0.0)
    return found


def limits(y: Array, instead: Array | None = None) -> Array:
    """How much each series may be said to sell in a period at most: (series, 1), or like `instead` (series, horizon).

    `instead` is what is expected of a series of which little is known. See `gold.demand.bounds`.
    """
    seen = np.maximum(highest(y), 1.0)[:, None]
    return MOST * (seen if instead is None else np.maximum(seen, instead))
