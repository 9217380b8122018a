"""Demand that comes now and then: how often, how much, at which season, and what was sold a year ago."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.forecast.panel.decomposition import moving_mean, row_means
from ml.forecast.panel.panel import Array, Frequency, History

_DEMAND_RATE, _SIZE_RATE = 0.05, 0.1  # TSB's smoothing of how often, and of how much
_YEAR: dict[Frequency, int] = {"D": 364, "W": 52, "M": 12}  # whole weeks
_AROUND: dict[Frequency, int] = {"D": 14, "W": 2, "M": 0}  # periods on either side that tell the level of one
_BEFORE: dict[Frequency, int] = {"D": 56, "W": 8, "M": 2}  # periods that the season is compared with
_OWN = 1 / 3  # what a series' own last year counts; the season of all counts the rest
_LEAST_SERIES = 10  # that were sold a year ago already, to tell the season
_KNOWN = 0.5  # share of the periods compared that must be known of a series
_AT_MOST = 4.0  # times that a season is above what came before it, or below


def tsb(y: Array) -> float:
    """The mean demand per period of a sporadic series after its last one; NaN periods are skipped.

    Teunter, Syntetos and Babai (2011), "Intermittent demand: linking forecasting to inventory obsolescence",
    doi:10.1016/j.ejor.2011.05.018: the chance of a demand and its size are smoothed apart, and the chance also falls
    while nothing sells.
    """
    known = y[np.isfinite(y)]
    sizes = known[known > 0]
    if not len(sizes):
        return 0.0
    chance, size = float((known > 0).mean()), float(sizes.mean())
    for value in known:
        chance += _DEMAND_RATE * (float(value > 0) - chance)
        if value > 0:
            size += _SIZE_RATE * (float(value) - size)
    return chance * size


@dataclass(frozen=True)
class YearAgo:
    """What a year ago tells of the periods to come.

    `season` (horizon,) is how much more all series sold then than just before; `level` (series, horizon) what each sold
    around then, NaN where unknown; `kept` how much of what was sold a year ago is sold now.
    """

    season: Array
    level: Array
    kept: float

    @staticmethod
    def of(history: History) -> YearAgo | None:
        """None where fewer than ten series, or shorter ones, are known."""
        year, before = _YEAR[history.frequency], _BEFORE[history.frequency]
        cutoff, horizon = history.length, history.horizon
        if cutoff < year + before or horizon > year:
            return None
        level = _around(history.y, _AROUND[history.frequency])[:, cutoff - year : cutoff - year + horizon]
        then, now = history.y[:, cutoff - year - before : cutoff - year], history.y[:, -before:]
        both = _known(then) & _known(now) & np.isfinite(level).all(axis=1)
        earlier, lately = row_means(then)[both].sum(), row_means(now)[both].sum()
        if both.sum() < _LEAST_SERIES or earlier <= 0:
            return None
        season, kept = level[both].sum(axis=0) / earlier, lately / earlier
        bounds = 1 / _AT_MOST, _AT_MOST
        return YearAgo(np.clip(season, *bounds), np.maximum(level, 0.0), float(np.clip(kept, *bounds)))

    def moved(self, row: int, mean: float) -> Array:
        """A series' mean demand per period (horizon,) from its mean of now."""
        by_season, own = mean * self.season, self.kept * self.level[row]
        return np.where(np.isfinite(own), (1 - _OWN) * by_season + _OWN * own, by_season)


def _known(y: Array) -> npt.NDArray[np.bool_]:
    return np.asarray(np.isfinite(y).mean(axis=1) >= _KNOWN)


def _around(y: Array, reach: int) -> Array:
    """The mean of the known periods within `reach` of each; NaN where more than half of them are unknown."""
    return moving_mean(y, reach, least=reach + 1)
