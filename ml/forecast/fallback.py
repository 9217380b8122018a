"""Series that the members cannot forecast, the simple forecast each of them gets, and why, in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.forecast.baseline import Baseline, row_means, to_log
from ml.forecast.panel import Array, Frequency, History
from ml.forecast.sporadic import YearAgo, tsb

LEAST_KNOWN: dict[Frequency, int] = {"D": 42, "W": 16, "M": 12}  # known periods that members need
_NEW: dict[Frequency, int] = {"D": 7, "W": 3, "M": 2}  # known periods below which a series has no level of its own
_RECENT: dict[Frequency, int] = {"D": 28, "W": 8, "M": 4}
_PERIODS = {"D": "days", "W": "weeks", "M": "months"}
_UNKNOWN = ("nothing known yet", "new,")  # how such reasons begin
_INTERMITTENT = 0.5  # share of recent periods without demand above which demand is sporadic


@dataclass(frozen=True)
class Fallbacks:
    """Why members are not used, per series (None: they are), and the forecast (series, horizon) in units of y.

    `own_spread` (series,) are those whose intervals come from their own past.
    """

    reasons: tuple[str | None, ...]
    forecast: Array
    own_spread: npt.NDArray[np.bool_]

    @property
    def used(self) -> npt.NDArray[np.bool_]:
        """Which series fall back."""
        return np.array([reason is not None for reason in self.reasons], dtype=bool)

    @property
    def unknown(self) -> npt.NDArray[np.bool_]:
        """Which series were not known, or hardly."""
        return np.array([(reason or "").startswith(_UNKNOWN) for reason in self.reasons], dtype=bool)


def fallbacks(history: History, shared: Baseline) -> Fallbacks:
    """Sort out the series that are unknown, too short, constant, negative or sporadic."""
    recent = _RECENT[history.frequency]
    level = row_means(shared.z[:, -recent:])
    usual = shared.to_units(np.repeat(level[:, None], history.horizon, axis=1))
    counts = np.isfinite(history.y).sum(axis=1)
    # In a panel that is young itself, no series is newer than the others.
    is_new = counts < np.clip(counts.max(initial=0), 1, _NEW[history.frequency])
    reasons: list[str | None] = []
    reason: str | None
    forecast = usual.copy()
    year_ago = YearAgo.of(history)
    for row in range(len(history.ids)):
        if is_new[row]:
            reason, forecast[row] = _of_category(history, row)
        else:
            reason, forecast[row] = _judge(history, row, usual[row], year_ago)
        reasons.append(reason)
    own_spread = np.array(
        [(reason or "").startswith(("constant", "negative", "sporadic")) for reason in reasons], dtype=bool
    )
    return Fallbacks(tuple(reasons), forecast, own_spread)


def _judge(history: History, row: int, usual: Array, year_ago: YearAgo | None) -> tuple[str | None, Array]:
    y = history.y[row]
    known = y[np.isfinite(y)]
    unit, recent = _PERIODS[history.frequency], _RECENT[history.frequency]
    least = LEAST_KNOWN[history.frequency]

    def flat(value: float) -> Array:
        return np.full(history.horizon, value)

    if (known == 0).all():
        return f"nothing sold in {len(known)} known {unit}: forecast 0", flat(0.0)
    if (known == known[0]).all():
        return f"constant at {known[0]:g} in {len(known)} known {unit}: continued", flat(float(known[0]))
    if known.mean() < 0 or (known < 0).mean() > 0.2:
        share = (known < 0).mean()
        return f"negative in {share:.0%} of {unit}: mean of the last {recent} {unit}", flat(
            float(known[-recent:].mean())
        )
    if len(known) < least:
        return f"short: {len(known)} of {least} {unit} that members need: its level, moving as the others", usual
    lately = known[-history.year // 2 :]
    if (idle := float((lately <= 0).mean())) > _INTERMITTENT:
        told = f"sporadic: nothing sold in {idle:.0%} of the last {len(lately)} {unit}: smoothed mean (TSB)"
        if year_ago is None:
            return told, flat(tsb(y))
        return f"{told}, moved by last year", year_ago.moved(row, tsb(y))
    return None, usual


def _of_category(history: History, row: int) -> tuple[str, Array]:
    """A new series: the median recent level of its category, or of all series. Its first order may be its only one."""
    count, unit = int(np.isfinite(history.y[row]).sum()), _PERIODS[history.frequency]
    recent = row_means(history.y[:, -_RECENT[history.frequency] :])
    others = np.arange(len(history.ids)) != row
    known = np.isfinite(history.y[:, -_RECENT[history.frequency] :]).any(axis=1) & others
    alike = known & (np.array(history.category) == history.category[row])
    chosen, name = (alike, f"category {history.category[row]}") if alike.any() else (known, "all series")
    value = float(np.median(recent[chosen])) if chosen.any() else 0.0
    told = f"{_UNKNOWN[1]} {count} known {unit}" if count else _UNKNOWN[0]
    return f"{told}: median recent level of {name}", np.full(history.horizon, max(value, 0.0))


def in_logs(fallback: Fallbacks, shared: Baseline) -> Array:
    """The fallback forecasts on the shared log scale."""
    return to_log(fallback.forecast, shared.unit)
