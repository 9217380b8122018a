"""Demand over a lead time: what a stock must last for until the next delivery."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import gamma

from lakehouse.errors import UsageError
from ml.forecast import conformal
from ml.forecast.baseline import to_log, to_units
from ml.forecast.ensemble import Fitted, Forecast
from ml.forecast.panel import Array
from ml.forecast.settings import column

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
_ORIGINS = 4  # below which the sums of the past are too few to learn from
_KNOWN = 0.6  # share of a past lead time, days off included, that must be known for its sum to count


def lead_time_demand(
    fitted: Fitted, forecast: Forecast, periods: int | Mapping[str, int], levels: tuple[float, ...] = LEVELS
) -> pd.DataFrame:
    """Quantiles of the sum over the first `periods` (one number, or one per series_id), a row per series.

    Columns: series_id, periods, mean, and a quantile per level (q50, q80, ...), in units of y. A reorder point is the
    quantile of the service level wanted, its safety stock that quantile less the mean. Errors of single periods partly
    cancel in a sum, so sums have a conformal step of their own, pooled over series; fit with at least 8 origins for it.
    """
    ids = [str(one) for one in forecast.frame["series_id"].drop_duplicates()]
    mean = forecast.frame["mean"].to_numpy(float).reshape(len(ids), fitted.horizon)
    if not isinstance(periods, int) and (lacking := sorted(set(ids) - set(periods))):
        raise UsageError(f"{len(lacking)} series have no lead time ({lacking[0]} is the first): give each series one")
    asked = np.array([periods if isinstance(periods, int) else periods[name] for name in ids])
    if (asked < 1).any() or (asked > fitted.horizon).any():
        raise UsageError(
            f"lead times of {asked.min()} to {asked.max()} periods: between 1 and {fitted.horizon} can be had"
        )
    place = {name: row for row, name in enumerate(fitted.panel.cube.ids)}
    where = np.array([place.get(name, -1) for name in ids])
    expected = np.empty(len(ids))
    quantiles = np.empty((len(levels), len(ids)))
    for length in np.unique(asked):
        rows = asked == length
        sums = mean[rows, :length].sum(axis=1)
        expected[rows] = sums
        quantiles[:, rows] = _quantiles(fitted, int(length), sums, where[rows], levels)
    values = {column(level): quantiles[row] for row, level in enumerate(levels)}
    return pd.DataFrame({"series_id": ids, "periods": asked, "mean": expected, **values})


def _quantiles(
    fitted: Fitted,
    length: int,
    sums: Array,
    where: np.ndarray[tuple[int], np.dtype[np.intp]],
    levels: tuple[float, ...],
) -> Array:
    unit = np.clip(sums, 1e-9, 1.0)
    if len(fitted.backtest.origins) < _ORIGINS:
        return _gamma(fitted, length, sums, where, levels)
    spread = np.stack([one.spread for one in fitted.backtest.origins])
    residuals = _residuals(fitted, length)[:, :, None]
    last = fitted.backtest.origins[-1]
    demand = np.where(last.fallback.used, "fallback", last.demand)
    learnt = conformal.learn(residuals, spread, demand, np.zeros(1, dtype=np.intp), levels)
    width = np.append(learnt.width, learnt.width.mean())[where]
    everyone = np.append(demand, conformal.POOLED)[where]
    intervals = conformal.Intervals(learnt.offsets, width)
    logs = intervals.around(to_log(sums[:, None], unit), everyone)
    return np.stack([to_units(one, unit)[:, 0] for one in logs])


def _gamma(
    fitted: Fitted,
    length: int,
    sums: Array,
    where: np.ndarray[tuple[int], np.dtype[np.intp]],
    levels: tuple[float, ...],
) -> Array:
    """Where origins are few: gamma quantiles with the expected sum and the variance that single periods had.

    T. A. Burgin, "The gamma distribution and inventory control", Operational Research Quarterly 26 (1975).
    """
    known = fitted.panel.cube.y
    variance = np.nanvar(np.where(np.isfinite(known).any(axis=1, keepdims=True), known, 0.0), axis=1)
    spread = np.append(variance, variance.mean())[where] * length
    shape, scale = sums**2 / np.maximum(spread, 1e-9), spread / np.maximum(sums, 1e-9)
    found = np.stack([gamma.ppf(level, np.maximum(shape, 1e-9), scale=np.maximum(scale, 1e-9)) for level in levels])
    return np.where(sums > 0, np.nan_to_num(found), 0.0)


def _residuals(fitted: Fitted, length: int) -> Array:
    """Log of what was sold over what was expected in the first `length` periods of each origin, (origins, series)."""
    truth, said = fitted.backtest.truth[:, :, :length], fitted.expected()[:, :, :length]
    known = np.isfinite(truth)
    sold = np.where(known, truth, 0.0).sum(axis=2)
    expected = np.where(known, said, 0.0).sum(axis=2)
    rows = []
    for one, other in zip(sold, expected, strict=True):
        unit = np.clip(other, 1e-9, 1.0)
        rows.append(to_log(one[:, None], unit)[:, 0] - to_log(other[:, None], unit)[:, 0])
    return np.where((known.mean(axis=2) >= _KNOWN) & fitted.backtest.alike, np.stack(rows), np.nan)
