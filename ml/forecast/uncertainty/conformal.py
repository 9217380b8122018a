"""Quantiles of what will be sold, from how wrong forecasts were at the rolling cutoffs."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from ml.forecast.panel.panel import Array
from ml.forecast.settings import QUANTILES

_CUTOFFS = 3  # of which one can be left out and the others still tell something
_ENOUGH = 60  # residuals per part of the horizon that a demand class needs for quantiles of its own
_PRIOR = 30.0  # residuals of the panel that weigh as much as one series' own
_LEAST = 0.1  # of its usual movement from period to period that a series is at least off by
_GROWTH = np.linspace(0.7, 2.0, 27)
POOLED = "all"


@dataclass(frozen=True)
class Intervals:
    """Quantiles of residuals on the log scale, in units of each series' `width` (series,).

    `offsets` gives for each demand class (and `POOLED`) an array (levels, horizon).
    """

    offsets: dict[str, Array]
    width: Array

    def around(self, median: Array, demand: npt.NDArray[np.str_]) -> Array:
        """Log-scale quantiles (levels, series, horizon) around forecasts (series, horizon)."""
        table = np.stack([self.offsets.get(str(name), self.offsets[POOLED]) for name in demand], axis=1)
        return median[None] + self.width[None, :, None] * table


def learn(
    residuals: Array,
    spread: Array,
    demand: npt.NDArray[np.str_],
    parts: npt.NDArray[np.intp],
) -> Intervals:
    """Conformal quantiles, pooled over the series of a demand class.

    `residuals` (cutoffs, series, horizon) are truths less forecasts on the log scale, `spread` (cutoffs, series) the
    usual movement of each series at each cutoff, `demand` the classes (series,), `parts` the bucket of each step.

    Split conformal prediction (Lei et al. 2018, doi:10.1080/01621459.2017.1307116) with locally weighted residuals:
    each is divided by what the series' residuals at the other cutoffs lead one to expect. Since series share their
    shocks, cutoffs and not cells are exchangeable: quantiles move out until each cutoff, left out, is covered by the
    others as often as promised. A cutoff of which nothing is known tells nothing, and is left out; where that is all of
    them, the usual movement tells the quantiles.
    """
    told = np.isfinite(residuals).any(axis=(1, 2))
    if not told.any():
        return untaught(spread[-1], residuals.shape[2])
    last, residuals, spread = spread[-1], residuals[told], spread[told]
    scores = residuals / _expected_width(residuals, spread)
    offsets = {POOLED: _table(scores, parts)}
    for name in np.unique(demand):
        rows = demand == name
        if np.isfinite(scores[:, rows]).sum() >= _ENOUGH * len(np.unique(parts)):
            offsets[str(name)] = _table(scores[:, rows], parts)
    return Intervals(offsets, _width(np.abs(residuals), last))


def untaught(spread: Array, horizon: int) -> Intervals:
    """Without any cutoff: normal quantiles of the usual movement, growing with the root of the step up to threefold."""
    growth = np.minimum(np.sqrt(np.arange(1, horizon + 1)), 3.0)
    table = np.array([NormalDist().inv_cdf(level) for level in QUANTILES])[:, None] * growth[None, :]
    return Intervals({POOLED: table}, spread)


def _expected_width(residuals: Array, spread: Array) -> Array:
    """(cutoffs, series, 1): each series' width as the other cutoffs tell it."""
    count = len(residuals)
    sizes = np.abs(residuals)
    widths = [_width(sizes[np.arange(count) != one] if count > 1 else sizes, spread[one]) for one in range(count)]
    return np.stack(widths)[:, :, None]


def _width(sizes: Array, spread: Array) -> Array:
    """A series' mean absolute residual, drawn to what its usual movement predicts, and never below a part of that."""
    known = np.isfinite(sizes)
    sums, counts = np.where(known, sizes, 0.0).sum(axis=(0, 2)), known.sum(axis=(0, 2))
    typical = np.sqrt(np.maximum(spread, 1e-9) / max(float(np.median(spread)), 1e-9))
    typical *= sums.sum() / max(counts.sum(), 1)
    width: Array = (sums + _PRIOR * typical) / (counts + _PRIOR)
    return np.maximum(width, np.maximum(_LEAST * spread, 1e-9))


def _table(scores: Array, parts: npt.NDArray[np.intp]) -> Array:
    """Quantiles of scores (levels, horizon), one for each bucket of the horizon."""
    table = np.zeros((len(QUANTILES), len(parts)))
    for part in np.unique(parts):
        cells = [one[:, parts == part] for one in scores]
        known = [one[np.isfinite(one)] for one in cells]
        if sum(map(len, known)):
            table[:, parts == part] = _quantiles([one for one in known if len(one)])[:, None]
    return table


def _quantiles(cutoffs: list[Array]) -> Array:
    """Quantiles of the scores of all cutoffs, moved out (or in) from the median as far as unseen cutoffs need."""
    together = np.concatenate(cutoffs)
    middle, found = float(np.median(together)), np.quantile(together, QUANTILES)
    if len(cutoffs) < _CUTOFFS:
        return np.asarray(found)
    held = np.zeros((len(QUANTILES), len(_GROWTH)))
    for number, asked in enumerate(cutoffs):
        others = np.concatenate(cutoffs[:number] + cutoffs[number + 1 :])
        centre = float(np.median(others))
        for row, bound in enumerate(np.quantile(others, QUANTILES)):
            bounds = centre + _GROWTH * (bound - centre)
            sign = 1.0 if QUANTILES[row] >= 0.5 else -1.0
            held[row] += (sign * asked[:, None] <= sign * bounds[None, :]).sum(axis=0)
    share = held / len(together)
    for row, level in enumerate(QUANTILES):
        enough = share[row] >= max(level, 1 - level)
        growth = _GROWTH[int(np.argmax(enough))] if enough.any() else _GROWTH[-1]
        found[row] = middle + growth * (found[row] - middle)
    return np.asarray(np.sort(found))
