"""How much each member counts, per series and part of the horizon."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ml.forecast.backtest.backtest import Backtest
from ml.forecast.panel.decomposition import to_units
from ml.forecast.panel.panel import Array

_SHRINK = 0.5  # weight of the pooled weights against a series' own
_DROP = 1.5  # members this many times worse than the best do not vote


def buckets(horizon: int) -> npt.NDArray[np.intp]:
    """The part of the horizon that each step belongs to: two, or three if it is long, the first ones shorter."""
    bounds = [max(1, horizon // 13), max(1, horizon // 3)] if horizon >= 26 else [max(1, horizon // 3)]
    parts: npt.NDArray[np.intp] = np.searchsorted(np.array(bounds), np.arange(horizon), side="right")
    return parts


def learn(backtest: Backtest) -> Array:
    """Weights (members, series, horizon) that sum to 1 over members.

    In each bucket of the horizon the inverse of a member's mean absolute error over all cutoffs, half a
    series' own and half all series' together; a member more than 1.5 times worse than the best of the bucket has
    weight 0. Without cutoffs all count alike.
    """
    horizon = backtest.truth.shape[2]
    series, count = backtest.truth.shape[1], len(backtest.names)
    weights = np.full((count, series, horizon), 1.0 / count)
    if not backtest.cutoffs:
        return weights
    error = _scaled_errors(backtest)
    votes = np.stack([~one.fallback.used for one in backtest.cutoffs])  # a fallback says nothing about members
    error = np.where(votes[:, None, :, None], error, np.nan)
    parts = buckets(horizon)
    for part in np.unique(parts):
        cells = error[:, :, :, parts == part]
        known = np.isfinite(cells)
        if not known.any():
            continue
        sums, counts = np.where(known, cells, 0.0).sum(axis=(0, 3)), known.sum(axis=(0, 3))
        overall = sums.sum(axis=1) / np.maximum(counts.sum(axis=1), 1)
        own = np.where(counts > 0, sums / np.maximum(counts, 1), overall[:, None])
        floor = 0.1 * overall.min() + 1e-12
        vote = (overall <= _DROP * overall.min()).astype(float)[:, None]
        of_all = _shares(vote / np.maximum(overall[:, None], floor))
        of_one = _shares(vote / np.maximum(own, floor))
        weights[:, :, parts == part] = (_SHRINK * of_all + (1 - _SHRINK) * of_one)[:, :, None]
    return weights


def combine(logs: Array, weights: Array) -> Array:
    """The weighted mean of members (members, series, horizon) on the log scale: the ensemble's median."""
    combined: Array = (logs * weights).sum(axis=0)
    return combined


def _scaled_errors(backtest: Backtest) -> Array:
    """Absolute errors in units of the seasonal-naive error, (cutoffs, members, series, horizon); NaN without truth."""
    errors = []
    for truth, one in zip(backtest.truth, backtest.cutoffs, strict=True):
        forecast = np.stack([to_units(logs, one.unit) for logs in one.logs])
        errors.append(np.abs(forecast - truth[None]) / one.scale[None, :, None])
    return np.asarray(np.minimum(np.stack(errors), 20.0))


def _shares(votes: Array) -> Array:
    shares: Array = votes / votes.sum(axis=0, keepdims=True)
    return shares
