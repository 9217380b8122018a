"""Prophet on what is left over the shared decomposition."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ml.forecast.members.member import Local, on_all_cores
from ml.forecast.panel.decomposition import Decomposition
from ml.forecast.panel.panel import Array, Frequency, History

if TYPE_CHECKING:
    from prophet import Prophet

_LEAST = 12  # known values; below, a trend is guesswork
_RECENT: dict[Frequency, int] = {"D": 28, "W": 16, "M": 4}  # periods whose mean trend is continued
_REGRESSORS = 12  # the columns that matter most; each one more costs time and little else
_FLEXIBILITY: dict[Frequency, float] = {"D": 0.1, "W": 0.3, "M": 0.05}  # Prophet's changepoint prior
_FREE_REGRESSORS = ("D",)  # frequencies with enough periods for effects of a series' own


class ProphetMember(Local):
    """Taylor and Letham (2018), "Forecasting at scale", doi:10.1080/00031305.2017.1380080, series by series.

    The decomposition holds weekdays, months and last year, so Prophet adds no seasonality of its own. Its trend is
    followed to the last periods, and their mean is held: continued, its slope was the largest source of errors.
    """

    def forecast(self, history: History, shared: Decomposition) -> Array:
        """The trend and the effects of features in z, continued, (series, horizon)."""
        return on_all_cores(_one_by_one, history, shared)


def _one_by_one(history: History, shared: Decomposition) -> Array:
    result = np.zeros((len(history.ids), history.horizon))
    for row, z in enumerate(shared.z):
        if np.isfinite(z).sum() >= _LEAST and np.nanstd(z) > 1e-9:
            result[row] = _continued(history, z, shared.design[row])
    return result


def _continued(history: History, z: Array, columns: Array) -> Array:
    past = history.length
    used = _strongest(z, columns[:past]) if history.frequency in _FREE_REGRESSORS else []
    names = [f"x{k}" for k in used]
    frame = pd.DataFrame({"ds": history.dates, "y": np.append(z, np.full(history.horizon, np.nan))})
    frame[names] = columns[:, used]
    model = _prophet(history, int(np.isfinite(z).sum()))
    for name in names:
        model.add_regressor(name, prior_scale=0.5, standardize=False)
    model.fit(frame[:past].dropna(subset=["y"]))
    recent = min(past, _RECENT[history.frequency])
    forecast = model.predict(frame[past - recent :])
    path, trend = forecast["yhat"].to_numpy(float), forecast["trend"].to_numpy(float)
    held: Array = path[recent:] - trend[recent:] + trend[:recent].mean()
    return np.clip(held, float(np.nanmin(z)), float(np.nanmax(z)))


def _prophet(history: History, known: int) -> Prophet:
    logging.getLogger("prophet").setLevel(logging.CRITICAL)
    from prophet import Prophet

    logging.getLogger("cmdstanpy").disabled = True  # it sets its own level when it first speaks
    return Prophet(
        growth="linear",
        n_changepoints=min(15, known // 4),
        changepoint_range=0.9,
        changepoint_prior_scale=_FLEXIBILITY[history.frequency],
        yearly_seasonality=False,
        weekly_seasonality=False,
        daily_seasonality=False,
        uncertainty_samples=0,
    )


def _strongest(z: Array, columns: Array) -> list[int]:
    known = np.isfinite(z)
    centred = columns[known] - columns[known].mean(axis=0)
    pull = np.abs(centred.T @ (z[known] - z[known].mean())) / np.sqrt((centred**2).sum(axis=0) + 1e-9)
    order = np.argsort(-pull)[:_REGRESSORS]
    return sorted(int(k) for k in order if pull[k] > 1e-9)
