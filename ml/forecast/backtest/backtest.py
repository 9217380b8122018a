"""Rolling cutoffs: what each member would have said, learnt from the past of each cutoff alone."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ml.forecast.backtest.kept import NOTHING_SAID, Said, key_of
from ml.forecast.backtest.metrics import naive_scale
from ml.forecast.fallback.fallback import Fallbacks, fallbacks, in_logs
from ml.forecast.members.member import Member
from ml.forecast.panel.decomposition import Decomposition, decompose, knows_year, row_medians, to_log, to_units
from ml.forecast.panel.demand_class import classify
from ml.forecast.panel.panel import Array, Cube, Frequency, History
from ml.forecast.settings import Settings
from ml.forecast.uncertainty.smearing import Smearing, smearing_of

log = logging.getLogger("shoplake")

LEAST_BEFORE: dict[Frequency, int] = {"D": 84, "W": 65, "M": 24}
"""Periods before the first cutoff, if there are as many."""


@dataclass(frozen=True)
class Cutoff:
    """All members' forecasts from one cutoff, on the log scale: `logs` (members, series, horizon).

    `unit` (series,) turns logs into units of y, and `smearing` those medians into means; `spread` is the usual
    period-to-period movement of each series on the log scale; `scale` its seasonal-naive error in units of y.
    `knows_year` says whether the past was long enough for a season of the year, `key` what exactly the members learnt
    from and how (see `kept.key_of`).
    """

    logs: Array
    unit: Array
    smearing: Smearing
    spread: Array
    scale: Array
    demand: npt.NDArray[np.str_]
    fallback: Fallbacks
    knows_year: bool
    key: str = ""

    def expected(self, median: Array) -> Array:
        """The means, in units of y, where the members' medians on the log scale are these (series, horizon)."""
        means = to_units(median, self.unit) * self.smearing.smearing[:, None]
        return np.where(self.fallback.used[:, None], self.fallback.forecast, means)


@dataclass(frozen=True)
class Backtest:
    """Cutoffs of the past with what then happened: `truth` (cutoffs, series, horizon), NaN where not known."""

    names: tuple[str, ...]
    cutoffs: tuple[Cutoff, ...]
    truth: Array

    @property
    def logs(self) -> Array:
        """All forecasts, (cutoffs, members, series, horizon)."""
        return np.stack([cutoff.logs for cutoff in self.cutoffs])

    @property
    def true_logs(self) -> Array:
        """The truth on the log scale of each cutoff."""
        return np.stack([to_log(truth, one.unit) for truth, one in zip(self.truth, self.cutoffs, strict=True)])

    @property
    def alike(self) -> npt.NDArray[np.bool_]:
        """Whether a series was forecast as at the newest cutoff, by members or not, (cutoffs, series).

        What was said of a product before it was known tells nothing of how far members are off.
        """
        used = np.stack([one.fallback.used for one in self.cutoffs])
        unknown = np.stack([one.fallback.unknown for one in self.cutoffs])
        return np.asarray((used == used[-1]) & (unknown == unknown[-1]))

    @property
    def seasoned(self) -> npt.NDArray[np.intp]:
        """The cutoffs that tell how far forecasts of now are off: those that knew a year if the newest did, else all.

        Before a first Christmas is over, a forecast misses it by a factor, which the next one does not.
        """
        knew = [one.knows_year for one in self.cutoffs]
        return np.flatnonzero(np.array(knew, bool) == knew[-1]) if knew else np.zeros(0, np.intp)

    @property
    def said(self) -> Said:
        """What members said of the series that did not fall back, by cutoff; to be kept for trainings to come."""
        return {one.key: one.logs[:, ~one.fallback.used] for one in self.cutoffs if one.key}

    def only(self, names: tuple[str, ...]) -> Backtest:
        """The same cutoffs with some of the members."""
        kept = [self.names.index(name) for name in names]
        return Backtest(names, tuple(replace(one, logs=one.logs[kept], key="") for one in self.cutoffs), self.truth)


def members(settings: Settings) -> dict[str, Member]:
    """New members by name."""
    from ml.forecast.members.arima import Arima
    from ml.forecast.members.boosting import Boosting
    from ml.forecast.members.lstm import Lstm
    from ml.forecast.members.prophet import ProphetMember

    known: dict[str, Member] = {
        "arima": Arima(),
        "prophet": ProphetMember(),
        "lstm": Lstm(settings),
        "boosting": Boosting(settings),
    }
    return {name: known[name] for name in settings.members}


def lengths(cube: Cube, horizon: int, settings: Settings) -> list[int]:
    """How many periods each rolling cutoff may see, the earliest first; empty where the history is too short.

    Cutoffs are `origin_step` apart (by default the horizon), closer where the history is short. Anchored ones lie on
    the same days of the calendar whatever the newest is, which is a horizon after the last of them or later.
    """
    last = cube.length - horizon
    first = min(LEAST_BEFORE[cube.frequency], cube.length - 2 * horizon)
    if last < max(first, 4) or first < 4:
        return [last] if last >= 8 else []
    if settings.anchored and (fixed := _anchored(cube, last - horizon, horizon, settings)) and fixed[0] >= first:
        return [*fixed, last]
    room = (last - first) // max(1, settings.origins - 1)
    step = max(1, min(settings.origin_step or horizon, room))
    return sorted({last - step * number for number in range(settings.origins) if last - step * number >= first})


def _anchored(cube: Cube, latest: int, horizon: int, settings: Settings) -> list[int]:
    """All cutoffs but the newest: the last days of the calendar, up to `latest`, that lie whole steps apart."""
    step = settings.origin_step or horizon
    if latest < 1 or settings.origins < 2:
        return []
    day = cube.dates[latest - 1]
    if cube.frequency == "D":
        step = -(-step // 7) * 7  # whole weeks, so that a training on the same weekday comes by each of them
        passed = day.toordinal() % step
    else:
        passed = (day.toordinal() // 7 if cube.frequency == "W" else day.year * 12 + day.month) % step
    return [latest - passed - step * number for number in reversed(range(settings.origins - 1))]


def backtest(cube: Cube, horizon: int, settings: Settings, kept: Said = NOTHING_SAID) -> Backtest:
    """Fit and forecast at every rolling cutoff, anew where not `kept` from the same past, settings and code."""
    cutoffs = lengths(cube, horizon, settings)
    past = []
    for number, cutoff in enumerate(cutoffs, start=1):
        log.info("origin %d of %d, after %d periods", number, len(cutoffs), cutoff)
        past.append(forecast_from(cube.until(cutoff, horizon), settings, kept))
    truth = [when_open(cube, cutoff, horizon) for cutoff in cutoffs]
    return Backtest(settings.members, tuple(past), np.stack(truth) if truth else np.zeros((0, len(cube.ids), horizon)))


def when_open(cube: Cube, cutoff: int, horizon: int) -> Array:
    """What happened after a cutoff, (series, horizon); days off teach nothing, after it as before it."""
    after = cube.until(cutoff + horizon, 0)
    return after.y[:, cutoff:]


def forecast_from(history: History, settings: Settings, kept: Said = NOTHING_SAID) -> Cutoff:
    """What new members, fitted on a history, say from its end; they need not be fitted where that is `kept`."""
    shared = decompose(history, settings)
    fallback = fallbacks(history, shared)
    rows = np.flatnonzero(~fallback.used)
    key = key_of(history.only(rows), shared.only(rows), settings)
    if (said := kept.get(key)) is None:
        new = members(settings)
        fit(new, history, shared, fallback)
        said = say(new, history, shared, fallback)
    else:
        log.info("kept: %d series are as they were", len(rows))
    return replace(cutoff_of(said, history, shared, fallback), key=key)


def fit(asked: dict[str, Member], history: History, shared: Decomposition, fallback: Fallbacks) -> None:
    """Let each member learn from the series that do not fall back."""
    rows = np.flatnonzero(~fallback.used)
    if len(rows):
        for name, member in asked.items():
            log.info("%s learns %d series", name, len(rows))
            member.fit(history.only(rows), shared.only(rows))


def ask(asked: dict[str, Member], history: History, shared: Decomposition, fallback: Fallbacks) -> Cutoff:
    """What fitted members say from a history; series that fall back get one forecast from all."""
    return cutoff_of(say(asked, history, shared, fallback), history, shared, fallback)


def say(asked: dict[str, Member], history: History, shared: Decomposition, fallback: Fallbacks) -> Array:
    """What each says of the series that do not fall back, on the log scale, (members, series, horizon)."""
    rows = np.flatnonzero(~fallback.used)
    if not len(rows):
        return np.zeros((len(asked), 0, history.horizon))
    regular, some = history.only(rows), shared.only(rows)
    return np.stack([some.base[:, -history.horizon :] + one.forecast(regular, some) for one in asked.values()])


def cutoff_of(said: Array, history: History, shared: Decomposition, fallback: Fallbacks) -> Cutoff:
    """Everything that is known at a cutoff at which members said this."""
    logs = np.repeat(in_logs(fallback, shared)[None], len(said), axis=0)
    logs[:, ~fallback.used] = said
    change = np.abs(np.diff(shared.z, axis=1))
    spread = 1.4826 * row_medians(change) if change.shape[1] else np.zeros(len(history.ids))
    usual = float(np.median(spread[spread > 0])) if (spread > 0).any() else 0.3
    return Cutoff(
        logs=logs,
        unit=shared.unit,
        smearing=smearing_of(history, shared, ~fallback.used),
        spread=np.clip(spread, usual / 4, usual * 4),
        scale=naive_scale(history.y, history.season),
        demand=classify(history.y),
        fallback=fallback,
        knows_year=knows_year(history),
    )
