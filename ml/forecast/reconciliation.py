"""Coherent levels: products add up to categories, categories to the total, each with intervals of its own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.forecast.backtest.weights import buckets
from ml.forecast.ensemble import Fitted, Forecast
from ml.forecast.panel.decomposition import to_log, to_units
from ml.forecast.panel.panel import Array
from ml.forecast.settings import QUANTILES, column
from ml.forecast.uncertainty import conformal
from ml.forecast.uncertainty.bounds import highest, limits

TOTAL = "total"
_MOVEMENT = 0.05  # on the log scale: the same for all sums, and a tenth of it is the least that one is off by


def roll_up(fitted: Fitted, forecast: Forecast, known: Array | None = None) -> pd.DataFrame:
    """Forecasts by category and in total: level ("category" or "total"), name, on, step, mean, median, q025 ... q975.

    `known` (series, periods) is what was sold, by default of the panel learnt from; `highest` is the highest period of
    its sums, and quantiles are bounded by it.

    Means are sums of the series' means, and so add up exactly. Medians and quantiles do not add up: they come from a
    conformal step of their own, from how far the sums were off at the rolling cutoffs. Without cutoffs they come from
    adding the series' quantiles, as if all were high or low together, which is too wide rather than too narrow.
    """
    learnt = fitted.panel.cube
    ids = forecast.frame["series_id"].drop_duplicates()
    category = dict(zip(learnt.ids, learnt.category, strict=True))
    names = np.array([category.get(str(one), "(none)") for one in ids])
    groups = [*sorted(set(names)), TOTAL]
    horizon = fitted.horizon

    def wide(name: str) -> Array:
        return forecast.frame[name].to_numpy(float).reshape(len(ids), horizon)

    mean = _sums(wide("mean"), names, groups)
    if fitted.backtest.cutoffs:
        quantiles = _own_quantiles(fitted, mean, groups)
        quantiles[:, :, ~wide("q975").any(axis=0)] = 0.0  # days off
    else:
        quantiles = np.stack([_sums(wide(column(level)), names, groups) for level in QUANTILES])
    sold = learnt.y if known is None else known
    sums = _sums(np.where(np.isfinite(sold), sold, 0.0), names, groups)
    quantiles = np.minimum(quantiles, limits(sums)[None])
    dates = forecast.frame["on"].to_numpy()[:horizon]
    values = {column(level): quantiles[row].reshape(-1) for row, level in enumerate(QUANTILES)}
    return pd.DataFrame(
        {
            "level": np.repeat(np.where(np.array(groups) == TOTAL, TOTAL, "category"), horizon),
            "name": np.repeat(groups, horizon),
            "on": np.tile(dates, len(groups)),
            "step": np.tile(np.arange(1, horizon + 1), len(groups)),
            "mean": mean.reshape(-1),
            "median": values["q50"],
            **values,
            "highest": np.repeat(highest(sums), horizon),
        }
    )


def _own_quantiles(fitted: Fitted, mean: Array, groups: list[str]) -> Array:
    """Quantiles (levels, groups, horizon) around the sums of means."""
    names = np.array(fitted.panel.cube.category)
    truth, forecast = fitted.backtest.truth, fitted.expected()
    known = np.isfinite(truth)
    sold = np.stack([_sums(np.where(there, one, 0.0), names, groups) for one, there in zip(truth, known, strict=True)])
    expected = np.stack(
        [_sums(np.where(there, one, 0.0), names, groups) for one, there in zip(forecast, known, strict=True)]
    )
    unit = np.clip(mean.mean(axis=1), 1e-9, 1.0)
    residuals = np.stack([to_log(a, unit) - to_log(b, unit) for a, b in zip(sold, expected, strict=True)])
    residuals[np.stack([_sums(there, names, groups) for there in known]) == 0] = np.nan
    residuals = residuals[fitted.backtest.seasoned]
    spread = np.full(residuals.shape[:2], _MOVEMENT)
    intervals = conformal.learn(residuals, spread, np.full(len(groups), "sum"), buckets(fitted.horizon))
    logs = intervals.around(to_log(mean, unit), np.full(len(groups), "sum"))
    return np.stack([to_units(one, unit) for one in logs])


def _sums(values: Array, names: npt.NDArray[np.str_], groups: list[str]) -> Array:
    """Sums of the rows of each group, (groups, horizon); the group `TOTAL` has all rows."""
    return np.stack([values[(names == group) | (group == TOTAL)].sum(axis=0) for group in groups])
