"""The ensemble: fitted on a panel, forecasting every series of it, kept as plain files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lakehouse.errors import UsageError
from ml.forecast.backtest import weights
from ml.forecast.backtest.backtest import Backtest, Cutoff, ask, backtest, members
from ml.forecast.backtest.backtest import fit as fit_members
from ml.forecast.backtest.files import load_backtest, save_backtest
from ml.forecast.backtest.kept import NOTHING_SAID, Said
from ml.forecast.fallback.fallback import fallbacks
from ml.forecast.frames import Forecast, forecast_of
from ml.forecast.members.member import Member
from ml.forecast.panel.decomposition import decompose, to_units
from ml.forecast.panel.panel import Array, History, Panel, leaking
from ml.forecast.settings import QUANTILES, Settings
from ml.forecast.uncertainty import conformal
from ml.forecast.uncertainty.bounds import limits

__all__ = ["Fitted", "Forecast", "fit"]

_FALLBACK = "fallback"


@dataclass(frozen=True)
class Fitted:
    """An ensemble that has learnt from `panel`: its members, and the backtest that weights and intervals come from.

    `dropped` says which covariates are not used, and why.
    """

    panel: Panel
    horizon: int
    settings: Settings
    asked: dict[str, Member]
    backtest: Backtest
    dropped: dict[str, str]

    def only(self, names: tuple[str, ...]) -> Fitted:
        """The ensemble of some of the members, from the same backtest."""
        settings = replace(self.settings, members=names)
        kept = {name: member for name, member in self.asked.items() if name in names}
        return replace(self, settings=settings, asked=kept, backtest=self.backtest.only(names))

    def predict(self, panel_with_future: Panel | None = None) -> Forecast:
        """Forecast every series of a panel (by default the one learnt from) for the horizon after its last period.

        The panel may hold later values and other series than the one learnt from: local members learn from it anew,
        global ones apply what they know, and new series take the average weights and widths.
        """
        panel = panel_with_future or self.panel
        _same_kind(self.panel, panel)
        history = panel.cube.until(panel.cube.length, self.horizon)
        _future_is_known(panel, history)
        shared = decompose(history, self.settings)
        return self.combined(history, ask(self.asked, history, shared, fallbacks(history, shared)))

    def combined(self, history: History, forecasts: Cutoff) -> Forecast:
        """One forecast from what the members said from a history."""
        place = {name: row for row, name in enumerate(self.panel.cube.ids)}
        where = np.array([place.get(name, -1) for name in history.ids], dtype=np.intp)
        weight = _of_series(weights.learn(self.backtest), where, axis=1)
        median = weights.combine(forecasts.logs, weight)
        mean = forecasts.expected(median)
        quantiles = self.quantiles(forecasts, median, where)
        _like_their_past(quantiles, forecasts, history)
        _nothing_below_the_least(quantiles, history)
        off = history.closed[:, history.length :]
        mean[off], quantiles[:, off] = 0.0, 0.0
        falls = forecasts.fallback.used[:, None]
        limit = limits(history.y, np.where(falls, forecasts.fallback.forecast, 0.0))
        mean, quantiles = np.minimum(mean, limit), np.minimum(np.sort(quantiles, axis=0), limit)
        return forecast_of(history, forecasts, self.settings.members, weight, mean, quantiles, limit)

    def medians(self) -> Array:
        """What the ensemble would have said at the rolling cutoffs, on their log scale, (cutoffs, series, horizon)."""
        weight = weights.learn(self.backtest)
        return np.stack([weights.combine(one.logs, weight) for one in self.backtest.cutoffs])

    def expected(self) -> Array:
        """The means that the ensemble would have said at the rolling cutoffs, in units of y."""
        return np.stack(
            [one.expected(median) for median, one in zip(self.medians(), self.backtest.cutoffs, strict=True)]
        )

    def save(self, folder: Path) -> None:
        """Write the ensemble as plain files into a new folder: Parquet, JSON, npz and the members' own."""
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(
                f"{folder} is not empty: save an ensemble to a new folder, so that it is not mixed with another"
            )
        self.panel.frame.to_parquet(folder / "panel.parquet", index=False)
        if self.panel.groups is not None:
            self.panel.groups.to_parquet(folder / "groups.parquet", index=False)
        about = {
            "horizon": self.horizon,
            "settings": asdict(self.settings),
            "frequency": self.panel.frequency,
            "known": self.panel.covariates,
        }
        (folder / "ensemble.json").write_text(json.dumps(about, indent=1))
        save_backtest(self.backtest, folder)
        for member in self.asked.values():
            member.save(folder)

    @staticmethod
    def load(folder: Path) -> Fitted:
        """Read what `save` wrote."""
        if not (folder / "ensemble.json").is_file():
            raise UsageError(f"{folder} holds no saved forecast ensemble (no ensemble.json): train and save one first")
        about: dict[str, Any] = json.loads((folder / "ensemble.json").read_text())
        settings = Settings(**{**about["settings"], "members": tuple(about["settings"]["members"])})
        frame, groups = pd.read_parquet(folder / "panel.parquet"), folder / "groups.parquet"
        named = pd.read_parquet(groups) if groups.is_file() else None
        panel = Panel(frame, about["frequency"], tuple(about["known"]), named)
        asked = members(settings)
        for member in asked.values():
            member.load(folder)
        return Fitted(panel, about["horizon"], settings, asked, load_backtest(folder), leaking(panel))

    def quantiles(self, forecasts: Cutoff, median: Array, where: npt.NDArray[np.intp]) -> Array:
        """Quantiles (levels, series, horizon) in units of y; a regular series' middle one is the ensemble's median."""
        tested = self.backtest
        if tested.cutoffs:
            last, telling = tested.cutoffs[-1], tested.seasoned
            residuals = np.where(tested.alike[:, :, None], tested.true_logs - self.medians(), np.nan)
            learnt = conformal.learn(
                residuals[telling],
                np.stack([one.spread for one in tested.cutoffs])[telling],
                np.where(last.fallback.used, _FALLBACK, last.demand),
                weights.buckets(self.horizon),
            )
            intervals = conformal.Intervals(learnt.offsets, _of_series(learnt.width, where, axis=0))
        else:
            intervals = conformal.untaught(forecasts.spread, self.horizon)
        logs = intervals.around(median, np.where(forecasts.fallback.used, _FALLBACK, forecasts.demand))
        regular = ~forecasts.fallback.used
        logs[QUANTILES.index(0.5), regular] = median[regular]
        found = np.stack([to_units(one, forecasts.unit) for one in logs])
        return _whole(found) if _counts_pieces(self.panel) else found


def fit(panel: Panel, horizon: int, settings: Settings | None = None, kept: Said = NOTHING_SAID) -> Fitted:
    """Learn to forecast `horizon` periods: members from all data, weights and intervals from rolling cutoffs.

    `kept` is what members said at cutoffs in earlier trainings.
    """
    settings = settings or Settings()
    if horizon < 1:
        raise UsageError(f"horizon {horizon}: forecast at least 1 period")
    cube = panel.cube
    if cube.length < 4:
        raise UsageError(f"the panel has {cube.length} known periods: at least 4 are needed to forecast anything")
    tested = backtest(cube, horizon, settings, kept)
    history = cube.until(cube.length, horizon)
    shared = decompose(history, settings)
    asked = members(settings)
    fit_members(asked, history, shared, fallbacks(history, shared))
    return Fitted(panel, horizon, settings, asked, tested, leaking(panel))


def _same_kind(learnt: Panel, panel: Panel) -> None:
    if (learnt.frequency, learnt.covariates) != (panel.frequency, panel.covariates):
        here, there = (
            f"{one.frequency} periods with {', '.join(one.covariates) or 'no features'}" for one in (panel, learnt)
        )
        raise UsageError(
            f"the panel has {here}, the ensemble learnt from {there}: train again, or build the panel alike"
        )


def _future_is_known(panel: Panel, history: History) -> None:
    """Features that all end at the cutoff were forgotten, not unknown."""
    if history.covariates and not np.isfinite(history.x[:, history.length :]).any():
        raise UsageError(
            f"no future values of {', '.join(history.covariates)} after {panel.cutoff:%F}, for {history.horizon} "
            f"periods of {len(history.ids)} series: add rows with what is planned (NaN where nothing is known yet)"
        )


def _of_series(values: Array, where: npt.NDArray[np.intp], axis: int) -> Array:
    """Learnt values by series in the order asked; new series (-1) get the mean of all."""
    return np.take(np.concatenate([values, values.mean(axis=axis, keepdims=True)], axis=axis), where, axis=axis)


def _counts_pieces(panel: Panel) -> bool:
    """Whether all that was sold is whole pieces."""
    known = panel.cube.y[np.isfinite(panel.cube.y)]
    return bool((known == np.round(known)).all())


def _whole(quantiles: Array) -> Array:
    """Bounds of pieces are pieces: lower ones rounded down and upper ones up, so that nothing sold can lie at 0."""
    below, above = np.array(QUANTILES) < 0.5, np.array(QUANTILES) > 0.5
    rounded = quantiles.copy()
    rounded[below], rounded[above] = np.floor(quantiles[below]), np.ceil(quantiles[above])
    return rounded


def _like_their_past(quantiles: Array, forecasts: Cutoff, history: History) -> None:
    """Constant, negative and sporadic series, whose errors the log scale cannot hold, spread as their last year did.

    What a sporadic one may reach at most is also told by how far it and its like were off before.
    """
    above = np.array(QUANTILES) > 0.5
    for row in np.flatnonzero(forecasts.fallback.own_spread):
        known = history.y[row][np.isfinite(history.y[row])][-history.year :]
        if forecasts.fallback.kinds[row] != "sporadic" or known.mean() < 0:
            quantiles[:, row] = forecasts.fallback.forecast[row] + np.quantile(known - known.mean(), QUANTILES)[:, None]
        else:
            relative = known / (known.mean() or 1.0)  # what sold nothing in a year may well sell nothing again
            own = forecasts.fallback.forecast[row] * np.quantile(relative, QUANTILES)[:, None]
            quantiles[:, row] = np.where(above[:, None], np.maximum(own, quantiles[:, row]), own)


def _nothing_below_the_least(quantiles: Array, history: History) -> None:
    """Lower bounds under the least that a series ever sold are 0: else periods without a sale would lie below them."""
    least = np.where(history.y > 0, history.y, np.inf).min(axis=1, initial=np.inf)
    for row, level in enumerate(QUANTILES):
        if level < 0.5:
            quantiles[row][(quantiles[row] > 0) & (quantiles[row] < least[:, None])] = 0.0
