"""From medians to means: how much more is sold than forecasts on a log scale say."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.forecast.baseline import Baseline, to_log, to_units
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
    beyond = to_log(y, shared.unit) - base
    reach = _AROUND[history.frequency]
    level = pd.DataFrame(beyond.T).rolling(2 * reach + 1, center=True, min_periods=2).mean().to_numpy(float).T
    counts = np.isfinite(y) & np.isfinite(level) & regular[:, None]
    sold = np.where(counts, y, 0.0).sum(axis=1)
    said = np.where(counts, to_units(base + level, shared.unit), 0.0).sum(axis=1)
    if said.sum() <= 0:
        return np.ones(len(y))
    overall = sold.sum() / said.sum()
    category = np.array(history.category)
    prior = _PRIOR * said.sum() / len(set(history.category))
    ratios = np.empty(len(y))
    for name in set(history.category):
        mine = category == name
        ratios[mine] = (sold[mine].sum() + prior * overall) / (said[mine].sum() + prior)
    return np.clip(ratios, 0.7, 2.0)
