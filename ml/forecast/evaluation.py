"""What a forecast is worth: measured on the newest cutoff, with weights and intervals learnt from the older ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.core.compare import Ratio
from ml.forecast.backtest.backtest import Backtest, lengths
from ml.forecast.backtest.metrics import bias, compared, coverage, mase, wape
from ml.forecast.ensemble import Fitted
from ml.forecast.panel.decomposition import to_units
from ml.forecast.panel.panel import SEASON, Array, Panel
from ml.forecast.settings import QUANTILES, column

EVERYTHING = "all"
NAIVE = "seasonal naive"
ENSEMBLE = "ensemble"
_LEAST_SOLD = 10  # periods with demand


@dataclass(frozen=True)
class HeldOut:
    """The newest cutoff: what then happened, and what was said, each (series, horizon) in units of y.

    `forecasts` has the medians of the ensemble and of each member, and the seasonal naive forecast; where a plain rule
    stands in for the members, they all say the same. `mean` and `quantiles` (levels, series, horizon) are the
    ensemble's; `scale` the seasonal-naive errors of the past (series,), NaN where too little was sold to tell.
    """

    dates: pd.DatetimeIndex
    truth: Array
    forecasts: dict[str, Array]
    mean: Array
    quantiles: Array
    scale: Array
    demand: np.ndarray[tuple[int], np.dtype[np.str_]]

    def errors(self, member: str) -> Array:
        """MASE of each series; NaN where the truth is not known."""
        return mase(self.truth, self.forecasts[member], self.scale)

    def measures(self) -> pd.DataFrame:
        """Every measure of everything said, over all series and by class of demand."""
        rows = []
        for name in (EVERYTHING, *np.unique(self.demand)):
            inside = np.ones(len(self.truth), bool) if name == EVERYTHING else self.demand == name
            truth, series = self.truth[inside], int(inside.sum())
            if not np.isfinite(truth).any():
                continue
            for member, forecast in self.forecasts.items():
                values = {
                    "MASE": _mean(self.errors(member)[inside]),
                    "WAPE": wape(truth, forecast[inside]),
                    "bias": bias(truth, forecast[inside]),
                }
                if member == ENSEMBLE:
                    values["bias of mean"] = bias(truth, self.mean[inside])
                    low, high = (self.quantiles[QUANTILES.index(q)][inside] for q in (0.1, 0.9))
                    values["coverage 80"] = coverage(truth, low, high)
                    low, high = (self.quantiles[QUANTILES.index(q)][inside] for q in (0.025, 0.975))
                    values["coverage 95"] = coverage(truth, low, high)
                rows += [(name, member, measure, value, series) for measure, value in values.items()]
        return pd.DataFrame(rows, columns=["demand_class", "member", "measure", "value", "series"])


def held_out(fitted: Fitted, newer: int = 0) -> HeldOut | None:
    """A cutoff evaluated by what was known before it: the newest, or the one with so many `newer` ones after it.

    None where the history is too short for that cutoff.
    """
    tested, cube = fitted.backtest, fitted.panel.cube
    number = len(tested.cutoffs) - 1 - newer
    if number < 0:
        return None
    older = Backtest(tested.names, tested.cutoffs[:number], tested.truth[:number])
    before, last = replace(fitted, backtest=older), tested.cutoffs[number]
    cutoff = lengths(cube, fitted.horizon, fitted.settings)[number]
    history = cube.until(cutoff, fitted.horizon)
    listed = np.asarray(np.isfinite(history.y).any(axis=1))  # nobody was asked about what did not exist
    truth = np.where(listed[:, None], tested.truth[number], np.nan)
    frame = before.combined(history, last).frame
    mean = frame["mean"].to_numpy(float).reshape(truth.shape)
    quantiles = np.stack([frame[column(q)].to_numpy(float).reshape(truth.shape) for q in QUANTILES])
    forecasts = {ENSEMBLE: quantiles[QUANTILES.index(0.5)]}
    by_rule = last.fallback.used[:, None]
    for name, logs in zip(tested.names, last.logs, strict=True):
        forecasts[name] = np.where(by_rule, forecasts[ENSEMBLE], to_units(logs, last.unit))
    forecasts[NAIVE] = _naive(cube.y[:, :cutoff], SEASON[cube.frequency], fitted.horizon)
    scale = np.where(_is_scalable(history.y), last.scale, np.nan)
    return HeldOut(cube.dates[cutoff : cutoff + fitted.horizon], truth, forecasts, mean, quantiles, scale, last.demand)


def against(champion: Fitted, panel: Panel, seen: HeldOut, seed: int) -> Ratio | None:
    """MASE of what was held out, by that of an earlier ensemble of the same kind, which had not seen it either.

    An ensemble from before these days is asked at the same cutoff. One that learnt from some of them is not: what
    counts is what it said at its own newest cutoff, of the days and series that both were evaluated on.
    """
    if (champion.panel.covariates, champion.panel.frequency, champion.horizon) != (
        panel.covariates,
        panel.frequency,
        seen.truth.shape[1],
    ):
        return None
    theirs = _asked(champion, panel, seen) if champion.panel.cutoff < seen.dates[0] else _forecast_then(champion)
    if theirs is None:
        return None
    medians = theirs.reindex(index=list(panel.cube.ids), columns=seen.dates).to_numpy(float)
    shared = replace(seen, truth=np.where(np.isfinite(medians), seen.truth, np.nan))
    if not np.isfinite(shared.truth).any():
        return None
    return compared(shared.errors(ENSEMBLE), replace(shared, forecasts={ENSEMBLE: medians}).errors(ENSEMBLE), seed)


def _asked(champion: Fitted, panel: Panel, seen: HeldOut) -> pd.DataFrame | None:
    """What it says, with what was known before the days held out: medians, series x dates."""
    frame = panel.frame[panel.frame["on"] <= seen.dates[-1]].copy()
    frame.loc[frame["on"] >= seen.dates[0], "y"] = np.nan
    if not frame["y"].notna().any():
        return None
    return champion.predict(replace(panel, frame=frame)).frame.pivot(index="series_id", columns="on", values="median")


def _forecast_then(champion: Fitted) -> pd.DataFrame | None:
    """What it said at its newest cutoff: medians, series x dates."""
    own = held_out(champion)
    return None if own is None else pd.DataFrame(own.forecasts[ENSEMBLE], list(champion.panel.cube.ids), own.dates)


def _is_scalable(known: Array) -> npt.NDArray[np.bool_]:
    """Series with enough demand in the past to measure errors in units of it: a single sale is no measure."""
    enough: npt.NDArray[np.bool_] = (known > 0).sum(axis=1) >= _LEAST_SOLD
    return enough if enough.any() else np.ones(len(known), bool)


def _mean(errors: Array) -> float:
    known = errors[np.isfinite(errors)]
    return float(known.mean()) if len(known) else float("nan")


def _naive(known: Array, season: int, horizon: int) -> Array:
    """What was a season ago; where that is missing, the mean of what is known."""
    season = min(season, known.shape[1])
    counts = np.isfinite(known).sum(axis=1)
    usual = np.where(np.isfinite(known), known, 0.0).sum(axis=1) / np.maximum(counts, 1)
    last = np.where(np.isfinite(known[:, -season:]), known[:, -season:], usual[:, None])
    return np.tile(last, (1, -(-horizon // season)))[:, :horizon]
