"""How single periods lie around what is expected of them: from medians to means, and how much a sum may vary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.forecast.panel.decomposition import Decomposition, moving_mean, row_means, to_log, to_units
from ml.forecast.panel.panel import Array, Frequency, History

_AROUND: dict[Frequency, int] = {"D": 14, "W": 3, "M": 2}  # periods on either side that tell a series' level
_PRIOR = 0.1  # of an average category's volume: how much a category leans on the panel


@dataclass(frozen=True)
class Smearing:
    """What the last year tells of each series, (series,).

    `smearing` is what to multiply a forecast with, so that sums of it are expected sums; `noise` the standard deviation
    of a period around what the decomposition and the level around it say, and `usual` the mean of a period, in units
    of y.
    """

    smearing: Array
    noise: Array
    usual: Array


def smearing_of(history: History, shared: Decomposition, regular: npt.NDArray[np.bool_]) -> Smearing:
    """Compare the last year with what the decomposition and the level on the log scale around each period say.

    The median on the log scale lies below the mean. Smearing is what was sold over what is said, by category and drawn
    to all `regular` series: Duan (1983), doi:10.1080/01621459.1983.10478017, weighted by volume. Errors of past
    forecasts would tell it too, but there are few, and they are ruled by how the shop grew since.
    """
    y, base = history.y[:, -history.year :], shared.base[:, : history.length][:, -history.year :]
    level = moving_mean(to_log(y, shared.unit) - base, _AROUND[history.frequency], least=2)
    counts = np.isfinite(y) & np.isfinite(level)
    sold = np.where(counts, y, np.nan)
    forecast = np.where(counts, to_units(base + level, shared.unit), np.nan)
    usual, expected = row_means(sold), row_means(forecast)
    around = sold - forecast * (usual / np.where(expected > 0, expected, 1.0))[:, None]
    return Smearing(_smearing(sold, forecast, history.category, regular), np.sqrt(row_means(around**2)), usual)


def _smearing(sold: Array, forecast: Array, category: tuple[str, ...], regular: npt.NDArray[np.bool_]) -> Array:
    sums, expected = (np.where(regular, np.nansum(values, axis=1), 0.0) for values in (sold, forecast))
    if expected.sum() <= 0:
        return np.ones(len(sold))
    overall = sums.sum() / expected.sum()
    names, number = np.unique(category, return_inverse=True)
    prior = _PRIOR * expected.sum() / len(names)
    ratio = (np.bincount(number, sums) + prior * overall) / (np.bincount(number, expected) + prior)
    bounded: Array = np.clip(ratio, 0.7, 2.0)
    return bounded[number]
