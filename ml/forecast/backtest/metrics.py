"""Measures of forecasts. All take arrays over the same cells; NaN truths are left out."""

from __future__ import annotations

import numpy as np

import ml.core.compare
from ml.forecast.panel.panel import Array


def naive_scale(y: Array, season: int) -> Array:
    """The mean absolute seasonal difference of each series of `y` (series, periods), in units of y.

    It is MASE's denominator (Hyndman and Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001), from the past only. A
    series too short or too constant for it takes its mean absolute value, or 1.
    """
    known = np.isfinite(y)
    lag = season if y.shape[1] > season else 1
    change = np.abs(y[:, lag:] - y[:, :-lag])
    there = np.isfinite(change)
    scale = np.where(there, change, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    level = np.where(known, np.abs(y), 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(scale > 0, scale, np.where(level > 0, level, 1.0))


def mase(truth: Array, forecast: Array, scale: Array) -> Array:
    """Mean absolute error of each series (series, steps) in units of its seasonal-naive error; NaN without truth."""
    return _row_means(np.abs(truth - forecast)) / scale


def wape(truth: Array, forecast: Array) -> float:
    """Sum of absolute errors over the sum of truths, as a fraction."""
    there = np.isfinite(truth)
    return _of_total(np.abs(truth - forecast)[there].sum(), truth[there])


def bias(truth: Array, forecast: Array) -> float:
    """Sum of forecasts less truths over the sum of truths, as a fraction; above 0 is too much."""
    there = np.isfinite(truth)
    return _of_total((forecast - truth)[there].sum(), truth[there])


def _of_total(error: float, truth: Array) -> float:
    """NaN where nothing was sold."""
    total = float(np.abs(truth).sum())
    return float(error) / total if total else float("nan")


def pinball(truth: Array, quantile: Array, level: float, scale: Array) -> float:
    """Mean pinball loss of the `level` quantile (series, steps), scaled like MASE and averaged over series."""
    error = truth - quantile
    loss = np.maximum(level * error, (level - 1) * error)
    return float(np.nanmean(_row_means(loss) / scale))


def coverage(truth: Array, low: Array, high: Array) -> float:
    """The share of truths from `low` to `high`, both included."""
    there = np.isfinite(truth)
    return float(((truth >= low) & (truth <= high))[there].mean())


def paired_ratio(ours: Array, theirs: Array, seed: int = 7, draws: int = 2000) -> tuple[float, float, float]:
    """Mean of `ours` over mean of `theirs` (one error per series), with its 95 % bootstrap interval over series."""
    found = compared(ours, theirs, seed, draws)
    return found.value, found.low, found.high


def compared(ours: Array, theirs: Array, seed: int, draws: int = 1000) -> ml.core.compare.Ratio:
    """The paired ratio over the series that both have an error of."""
    there = np.isfinite(ours) & np.isfinite(theirs)
    return ml.core.compare.paired_ratio(ours[there], theirs[there], draws=draws, seed=seed)


def _row_means(values: Array) -> Array:
    there = np.isfinite(values)
    count = there.sum(axis=1)
    sums = np.where(there, values, 0.0).sum(axis=1)
    return np.where(count > 0, sums / np.maximum(count, 1), np.nan)
