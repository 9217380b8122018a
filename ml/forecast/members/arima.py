"""Two-step ARIMA: a ridge regression on features, then ARMA(1,1) errors around its remainder."""

from __future__ import annotations

import warnings

import numpy as np
from threadpoolctl import threadpool_limits

from ml.forecast.members.member import Local, on_all_cores
from ml.forecast.panel.decomposition import Decomposition
from ml.forecast.panel.panel import Array, Frequency, History

_RIDGE = 40.0  # periods of no effect of its own that a series starts from
_CONSTANT_RIDGE = 0.5
_RECENT: dict[Frequency, int] = {"D": 140, "M": 12}  # periods that tell the level


class Arima(Local):
    """Regression with ARMA(1,1) errors, series by series.

    Both steps at once (`SARIMAX(exog=..., trend="c")`) fail to converge on missing days and many regressors. Ridge
    regression first, with the constant among its regressors, then SARIMAX(1,0,1) of what is left is as good at a
    seventh of the cost. The ridge draws each coefficient to the panel's, which the decomposition already holds.
    """

    def forecast(self, history: History, shared: Decomposition) -> Array:
        """The expected z of each series, (series, horizon)."""
        return on_all_cores(_one_by_one, history, shared)


def _one_by_one(history: History, shared: Decomposition) -> Array:
    """One thread: on matrices as small as these, threads that wait for each other cost 30 times the work."""
    from statsmodels.tsa.statespace import sarimax  # noqa: F401 - limits are for libraries that are loaded

    with threadpool_limits(1):
        return _forecasts(history, shared)


def _forecasts(history: History, shared: Decomposition) -> Array:
    past, horizon = history.length, history.horizon
    result = np.zeros((len(history.ids), horizon))
    for row, z in enumerate(shared.z):
        columns = np.column_stack([np.ones(past + horizon), shared.design[row]])
        effects = _ridge(z, columns[:past], shared.recency)
        fitted = columns @ effects
        rest = z - fitted[:past]
        level = _level(rest, history.frequency)
        result[row] = fitted[past:] + level + _arma(rest - level, horizon)
    return result


def _level(rest: Array, frequency: Frequency) -> float:
    """What the remainder returns to: its recent level, for a year ago tells little of it.

    Days are skewed, and the median is asked for; of few months it is as uncertain as it is different. Weeks are
    compared with last year's, and the constant is their level.
    """
    if frequency not in _RECENT or not np.isfinite(recent := rest[-_RECENT[frequency] :]).any():
        return 0.0
    return float(np.nanmedian(recent) if frequency == "D" else np.nanmean(recent))


def _ridge(z: Array, columns: Array, recency: Array) -> Array:
    weight = np.isfinite(z) * recency
    penalty = np.full(columns.shape[1], _RIDGE)
    penalty[0] = _CONSTANT_RIDGE
    weighted = columns * weight[:, None]
    return np.asarray(
        np.linalg.solve(columns.T @ weighted + np.diag(penalty), weighted.T @ np.nan_to_num(z)), dtype=float
    )


def _arma(rest: Array, horizon: int) -> Array:
    """The forecast of ARMA(1,1) around 0; its first values, before the series begins, are left out."""
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    known = np.flatnonzero(np.isfinite(rest))
    if len(known) < 8 or np.nanstd(rest) < 1e-9:
        return np.zeros(horizon)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that stops early still forecasts; the weights tell how good
        model = SARIMAX(rest[known[0] :], order=(1, 0, 1), concentrate_scale=True)
        fit = model.fit(start_params=[0.7, -0.2], disp=False, maxiter=30, cov_type="none", low_memory=True)
        path: Array = np.asarray(fit.forecast(horizon), dtype=float)
    bounded: Array = np.clip(path, np.nanmin(rest), np.nanmax(rest))
    return bounded
