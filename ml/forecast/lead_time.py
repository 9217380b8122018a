"""Sums over several periods: what a stock must last for until the next delivery, what a month will bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import gamma

from lakehouse.errors import UsageError
from ml.forecast.ensemble import Fitted, Forecast
from ml.forecast.panel.panel import Array
from ml.forecast.settings import QUANTILES, column
from ml.forecast.uncertainty.smearing import Smearing

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
_KNOWN = 0.6  # share of a past lead time, days off included, that must be known for its sum to count
_UNTAUGHT = 0.1  # relative variance of a forecast where no cutoff tells it
_GROSS = 0.5  # squared relative error from which an error is gross: one mistaken cutoff is not the rule
_LEVEL_BOUNDS = 0.2, 5.0


def lead_time_demand(
    fitted: Fitted, forecast: Forecast, periods: int | Mapping[str, int], levels: tuple[float, ...] = LEVELS
) -> pd.DataFrame:
    """Quantiles of the sum over the first `periods` (one number, or one per series_id), a row per series.

    Columns: series_id, periods, mean, and a quantile per level (q50, q80, ...), in units of y. A reorder point is the
    quantile of the service level wanted, its safety stock that quantile less the mean.

    The sum is gamma distributed around its forecast (T. A. Burgin, "The gamma distribution and inventory control",
    Operational Research Quarterly 26, 1975). Two things make its variance: the noise of single periods, which partly
    cancel each other, and the error of the whole forecast, in proportion to it, as the rolling cutoffs tell it.
    """
    ids = [str(one) for one in forecast.frame["series_id"].drop_duplicates()]
    if not isinstance(periods, int) and (lacking := sorted(set(ids) - set(periods))):
        raise UsageError(f"{len(lacking)} series have no lead time ({lacking[0]} is the first): give each series one")
    asked = np.array([periods if isinstance(periods, int) else periods[name] for name in ids])
    if (asked < 1).any() or (asked > fitted.horizon).any():
        raise UsageError(
            f"lead times of {asked.min()} to {asked.max()} periods: between 1 and {fitted.horizon} can be had"
        )
    expected, variance = np.empty(len(ids)), np.empty(len(ids))
    for length in np.unique(asked):
        rows = asked == length
        sums, spread = _sums(fitted, forecast, 0, int(length))
        expected[rows], variance[rows] = sums[rows], spread[rows]
    values = {column(level): _quantile(level, expected, variance) for level in levels}
    return pd.DataFrame({"series_id": ids, "periods": asked, "mean": expected, **values})


def sum_quantiles(fitted: Fitted, forecast: Forecast, spans: Sequence[tuple[int, int]]) -> pd.DataFrame:
    """Quantiles of the sums over spans of steps, from the first to the last of each, a row per series and span.

    Columns: series_id, first, last, mean, median, q025 ... q975, in units of y; how, see `lead_time_demand`.
    """
    ids = [str(one) for one in forecast.frame["series_id"].drop_duplicates()]
    rows = []
    for first, last in spans:
        expected, variance = _sums(fitted, forecast, first - 1, last)
        values = {column(level): _quantile(level, expected, variance) for level in QUANTILES}
        sums = {"series_id": ids, "first": first, "last": last, "mean": expected, "median": values["q50"], **values}
        rows.append(pd.DataFrame(sums))
    return pd.concat(rows, ignore_index=True)


def _sums(fitted: Fitted, forecast: Forecast, start: int, stop: int) -> tuple[Array, Array]:
    """Mean and variance, by series, of the sums over periods `start` to before `stop`."""
    if forecast.smearing is None:
        raise UsageError("a forecast by a plain rule does not tell how far sums vary: ask the rule itself")
    expected = forecast.frame["mean"].to_numpy(float).reshape(-1, fitted.horizon)[:, start:stop].sum(axis=1)
    noise = _noise(forecast.smearing, stop - start, expected)
    return expected, noise + _relative_variance(fitted, start, stop) * expected**2


def _noise(smearing: Smearing, length: int, expected: Array) -> Array:
    """The variance that single periods bring into a sum; it grows with the level, as that of counts does."""
    level = np.clip(expected / np.maximum(smearing.usual * length, 1e-9), *_LEVEL_BOUNDS)
    noise: Array = smearing.noise**2 * length * level
    return noise


def _relative_variance(fitted: Fitted, start: int, stop: int) -> float:
    """The variance of forecasts of sums, over their square: what of past errors was more than noise.

    Series whose noise is small tell it best. It is one for all: a shop grows or shrinks as a whole.
    """
    backtest = fitted.backtest
    if not backtest.cutoffs:
        return _UNTAUGHT
    truth, forecast = backtest.truth[:, :, start:stop], fitted.expected()[:, :, start:stop]
    known = np.isfinite(truth)
    sold = np.where(known, truth, 0.0).sum(axis=2)
    expected = np.where(known, forecast, 0.0).sum(axis=2)
    counts = (known.mean(axis=2) >= _KNOWN) & backtest.alike & (expected > 0)
    if not counts.any():
        return _UNTAUGHT
    noise = np.stack(
        [_noise(one.smearing, stop - start, sums) for one, sums in zip(backtest.cutoffs, expected, strict=True)]
    )
    square = np.where(counts, expected, 1.0) ** 2
    relative = np.clip(((sold - expected) ** 2 - noise) / square, -_GROSS, _GROSS)[counts]
    weight = 1 / (noise / square + 0.1)[counts]
    return max(float((weight * relative).sum() / weight.sum()), 0.0)


def _quantile(level: float, expected: Array, variance: Array) -> Array:
    """A gamma quantile by its mean and variance; 0 where nothing is expected."""
    sold = expected > 0
    mean, spread = np.where(sold, expected, 1.0), np.where(sold, np.maximum(variance, 1e-9), 1.0)
    found = np.asarray(gamma.ppf(level, mean**2 / spread, scale=spread / mean), float)
    return np.where(sold, np.nan_to_num(found), 0.0)
