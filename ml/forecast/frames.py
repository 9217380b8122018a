"""A forecast as tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ml.forecast.backtest.backtest import Cutoff
from ml.forecast.panel.decomposition import to_units
from ml.forecast.panel.panel import Array, History
from ml.forecast.settings import QUANTILES, column
from ml.forecast.uncertainty.bounds import highest
from ml.forecast.uncertainty.smearing import Smearing


@dataclass(frozen=True)
class Forecast:
    """What will be sold, in units of y, and not below 0 but for series that are negative themselves.

    `frame`, a row per series and step: series_id, on, step (from 1), mean (expected, for sums and money), median (as
    often above as below, for single series), q025, q05, q10, q50, q90, q95, q975 (quantiles), highest (period of the
    history), model (members with a weight, or "fallback"), fallback (why members were not used, or what was missing;
    None where nothing), is_fallback.
    `members`, a row per series, step and member: series_id, on, member, forecast (its median), weight (0 in fallbacks).
    `smearing` is that of the series in the frame's order; a plain rule has none.
    """

    frame: pd.DataFrame
    members: pd.DataFrame
    smearing: Smearing | None = None


def forecast_of(
    history: History,
    forecasts: Cutoff,
    names: tuple[str, ...],
    weight: Array,
    mean: Array,
    quantiles: Array,
    limit: Array,
) -> Forecast:
    """Tables from arrays: `weight` (members, series, horizon), `mean` (series, horizon), `quantiles` (levels, ...).

    `limit` (series, horizon) is what a member may say at most.
    """
    keys = _keys(history)
    used = forecasts.fallback.used
    columns: dict[str, Any] = {"mean": mean.reshape(-1), "median": quantiles[QUANTILES.index(0.5)].reshape(-1)}
    columns |= {column(level): quantiles[row].reshape(-1) for row, level in enumerate(QUANTILES)}
    columns["highest"] = np.repeat(highest(history.y), history.horizon)
    voting = [" + ".join(np.array(names)[shares > 0]) for shares in weight.sum(axis=2).T]
    models = ["fallback" if falls else model for falls, model in zip(used, voting, strict=True)]
    columns["model"] = np.repeat(np.array(models, dtype=object), history.horizon)
    columns["fallback"] = np.repeat(np.array(_reasons(history, forecasts), dtype=object), history.horizon)
    columns["is_fallback"] = np.repeat(used, history.horizon)
    each = []
    for row, name in enumerate(names):
        forecast = np.minimum(to_units(forecasts.logs[row], forecasts.unit), limit)
        forecast[history.closed[:, history.length :]] = 0.0
        shares = np.where(used[:, None], 0.0, weight[row])
        each.append(
            keys[["series_id", "on"]].assign(member=name, forecast=forecast.reshape(-1), weight=shares.reshape(-1))
        )
    members = pd.concat(each).sort_values(["series_id", "on"], kind="stable", ignore_index=True)
    return Forecast(keys.assign(**columns), members, forecasts.smearing)


def _keys(history: History) -> pd.DataFrame:
    series, horizon = len(history.ids), history.horizon
    return pd.DataFrame(
        {
            "series_id": np.repeat(np.array(history.ids, dtype=object), horizon),
            "on": np.tile(history.dates[-horizon:], series),
            "step": np.tile(np.arange(1, horizon + 1), series),
        }
    )


def _reasons(history: History, forecasts: Cutoff) -> list[str | None]:
    """Why a series fell back, and where a future feature was not known and its usual value was taken."""
    unknown = ~np.isfinite(history.x[:, history.length :])
    reasons = list(forecasts.fallback.reasons)
    for row in np.flatnonzero(unknown.any(axis=(1, 2))):
        some = [name for k, name in enumerate(history.covariates) if unknown[row, :, k].any()]
        periods = int(unknown[row].any(axis=1).sum())
        words = f"{', '.join(some)} not known for {periods} of {history.horizon} periods: usual values taken"
        reasons[row] = f"{reasons[row]}; {words}" if reasons[row] else words
    return reasons
