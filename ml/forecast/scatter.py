"""From medians to means: how much more is sold than forecasts on a log scale say."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ml.forecast.baseline import Baseline, moving_mean, to_log, to_units
from ml.forecast.panel import Array, Frequency, History

_AROUND: dict[Frequency, int] = {"D": 14, "W": 3, "M": 2}  # periods on either side that tell a series' level
_PRIOR = 0.1  # of an average category's volume: how much a category leans on the panel


def smearing(history: History, shared: Baseline, regular: npt.NDArray[np.bool_]) -> Array:
    """What to multiply each series' forecast (series,) with, so that sums of it are expected sums.

    The median on the log scale lies below the mean. By how much is seen in the last year: what was sold, over what the
    baseline and the level on the log scale around each period say, by category and drawn to all `regular` series. Duan
    (1983), doi:10.1080/01621459.1983.10478017, weighted by volume. Errors of past forecasts would tell it too, but
    there are few, and they are ruled by how the shop grew since.
    """
    y, base = history.y[:, -history.year :], shared.base[:, : history.length][:, -history.year :]
    level = moving_mean(to_log(y, shared.unit) - base, _AROUND[history.frequency], least=2)
    counts = np.isfinite(y) & np.isfinite(level) & regular[:, None]
    sold = np.where(counts, y, 0.0).sum(axis=1)
    said = np.where(counts, to_units(base + level, shared.unit), 0.0).sum(axis=1)
    if said.sum() <= 0:
        return np.ones(len(y))
    overall = sold.sum() / said.sum()
    names, category = np.unique(history.category, return_inverse=True)
    prior = _PRIOR * said.sum() / len(names)
    ratio = (np.bincount(category, sold) + prior * overall) / (np.bincount(category, said) + prior)
    return np.clip(ratio, 0.7, 2.0)[category]
