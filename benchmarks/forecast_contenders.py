"""What the ensemble is measured against: univariate models of statsforecast, and AutoARIMA with the same features."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ml.forecast.panel.design import filled
from ml.forecast.panel.panel import Array, History


def seasonal_naive(history: History) -> Array:
    """The same period of the season before, in units of y."""
    steps = np.arange(history.horizon) % history.season
    last = filled_past(history)[:, -history.season :]
    return np.asarray(last[:, steps] if history.length >= history.season else np.repeat(last[:, -1:], len(steps), 1))


def auto_arima_with_features(history: History) -> Array:
    """statsforecast's AutoARIMA with the known features that are not linear combinations of others in the past."""
    from statsforecast.models import AutoARIMA

    features = filled(history)

    def one(row: int, y: Array) -> Array:
        columns = features[row][:, _independent(features[row][: history.length])]
        past, future = columns[: history.length], columns[history.length :]
        model = AutoARIMA(season_length=history.season)
        if columns.shape[1]:
            try:
                said = model.forecast(y=y, h=history.horizon, X=past, X_future=future)["mean"]
                if np.isfinite(said).all():
                    return np.asarray(said)
            except (ValueError, np.linalg.LinAlgError, ZeroDivisionError):
                pass  # without features, then
        return np.asarray(model.forecast(y=y, h=history.horizon)["mean"])

    return _each(history, one)


def median_of_four(history: History) -> Array:
    """The median of statsforecast's AutoARIMA, AutoETS, AutoCES and AutoTheta."""
    from statsforecast.models import AutoARIMA, AutoCES, AutoETS, AutoTheta

    season = history.season
    models: list[Any] = [AutoARIMA(season), AutoETS(season), AutoCES(season), AutoTheta(season)]

    def one(_: int, y: Array) -> Array:
        said = []
        for model in models:
            try:
                said.append(np.asarray(model.forecast(y=y, h=history.horizon)["mean"]))
            except (ValueError, RuntimeError, ZeroDivisionError, NotImplementedError, IndexError):
                continue  # too short for this model
        return np.asarray(np.nanmedian(np.stack(said), axis=0))

    return _each(history, one)


def stl_ets(history: History) -> Array:
    """statsforecast's MSTL with exponential smoothing of the trend."""
    from statsforecast.models import MSTL, AutoETS

    def one(_: int, y: Array) -> Array:
        model = MSTL(season_length=history.season, trend_forecaster=AutoETS(model="ZZN"))
        return np.asarray(model.forecast(y=y, h=history.horizon)["mean"])

    return _each(history, one)


def global_lightgbm(history: History) -> Array:
    """One LightGBM model for all series, direct for all steps, on the lags that are known at the last step.

    The recipe of many shops: log1p of y in units of the series' mean; lags and rolling means from the horizon back, the
    season before, the calendar, the known features, and which series and category it is.
    """
    import lightgbm

    y = np.log1p(filled_past(history) / _scale(history)[:, None])
    features, truth = _lagged(history, y)
    seen = np.isfinite(truth) & np.isfinite(features[:, :, 0])
    parameters = {
        "objective": "regression_l1", "learning_rate": 0.05, "num_leaves": 31, "min_data_in_leaf": 20,
        "feature_fraction": 0.8, "bagging_fraction": 0.8, "bagging_freq": 1, "seed": 0, "num_threads": 1,
        "verbosity": -1,
    }  # fmt: skip
    data = lightgbm.Dataset(features[seen], label=truth[seen])
    booster = lightgbm.train(parameters, data, num_boost_round=300)
    ahead = features[:, history.length :]
    said = np.asarray(booster.predict(ahead.reshape(-1, ahead.shape[2]))).reshape(ahead.shape[:2])
    return np.asarray(np.clip(np.expm1(said), 0, None) * _scale(history)[:, None])


def _scale(history: History) -> Array:
    return np.asarray(np.maximum(np.nanmean(history.y, axis=1), 1e-9))


def _lagged(history: History, y: Array) -> tuple[Array, Array]:
    """Features (series, T + horizon, columns), NaN before they are known, and what they should tell."""
    series, end, horizon = len(y), len(history.dates), history.horizon
    known = np.full((series, end), np.nan)
    known[:, : history.length] = y
    truth = known.copy()
    truth[:, : history.length][~np.isfinite(history.y)] = np.nan

    def back(values: Array, by: int) -> Array:
        moved = np.full((series, end), np.nan)
        moved[:, by:] = values[:, : end - by] if by < end else values[:, :0]
        return moved

    sums = np.nancumsum(known, axis=1)
    season = history.season * -(-horizon // history.season)
    columns = [back(known, horizon), back(known, horizon + 1), back(known, season), back(known, history.year)]
    columns += [back((sums - back(sums, reach)) / reach, horizon) for reach in (4, 13, 4 * history.season)]
    day = history.dates
    names = {name: code for code, name in enumerate(sorted(set(history.category)))}
    told = [day.dayofweek.to_numpy(), day.month.to_numpy(), day.isocalendar().week.to_numpy(float), np.arange(end)]
    columns += [np.tile(np.asarray(one, float), (series, 1)) for one in told]
    columns += [
        np.repeat(np.array(one, float)[:, None], end, axis=1)
        for one in (range(series), [names[n] for n in history.category])
    ]
    return np.concatenate([np.stack(columns, axis=2), history.x], axis=2), truth


CONTENDERS: dict[str, Callable[[History], Array]] = {
    "seasonal naive": seasonal_naive,
    "AutoARIMA with features": auto_arima_with_features,
    "statsforecast median": median_of_four,
    "STL+ETS": stl_ets,
    "one LightGBM": global_lightgbm,
}


def filled_past(history: History) -> Array:
    """The past with each unknown value replaced by the one before, 0 at the start."""
    y = history.y.copy()
    for column in range(y.shape[1]):
        before = y[:, column - 1] if column else np.zeros(len(y))
        y[:, column] = np.where(np.isfinite(y[:, column]), y[:, column], before)
    return y


def _each(history: History, one: Callable[[int, Array], Array]) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of models that did not converge; their errors tell
        return np.stack([np.clip(one(row, y), 0, None) for row, y in enumerate(filled_past(history))])


def _independent(columns: Array) -> list[int]:
    """Columns that change, and are not sums of those before them."""
    kept: list[int] = []
    basis = np.ones((len(columns), 1))
    for k in range(columns.shape[1]):
        extended = np.column_stack([basis, columns[:, k] / max(float(np.abs(columns[:, k]).max()), 1e-9)])
        if np.linalg.matrix_rank(extended, tol=1e-6) > basis.shape[1]:
            kept.append(k)
            basis = extended
    return kept
