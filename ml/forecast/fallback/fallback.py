"""Series that the members cannot forecast, the simple forecast each of them gets, and why, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ml.forecast.fallback.cold_start import NEW, ColdStart
from ml.forecast.fallback.sporadic import YearAgo, tsb
from ml.forecast.panel.decomposition import Decomposition, row_means, to_log
from ml.forecast.panel.panel import Array, Frequency, History

LEAST_KNOWN: dict[Frequency, int] = {"D": 42, "W": 16, "M": 12}  # known periods that members need
_RECENT: dict[Frequency, int] = {"D": 28, "W": 8, "M": 4}
_PERIODS = {"D": "days", "W": "weeks", "M": "months"}
_INTERMITTENT = 0.5  # share of recent periods without demand above which demand is sporadic

Kind = Literal["unknown", "nothing", "constant", "negative", "short", "sporadic"]
_OWN_SPREAD: tuple[Kind, ...] = ("constant", "negative", "sporadic")


@dataclass(frozen=True)
class Fallbacks:
    """Why members are not used, per series, as a kind and in words (None: they are), and the forecast instead.

    `forecast` (series, horizon) is in units of y.
    """

    kinds: tuple[Kind | None, ...]
    reasons: tuple[str | None, ...]
    forecast: Array

    @property
    def used(self) -> npt.NDArray[np.bool_]:
        """Which series fall back."""
        return np.array([kind is not None for kind in self.kinds], dtype=bool)

    @property
    def unknown(self) -> npt.NDArray[np.bool_]:
        """Which series were not known, or hardly."""
        return np.array([kind == "unknown" for kind in self.kinds], dtype=bool)

    @property
    def own_spread(self) -> npt.NDArray[np.bool_]:
        """Those whose intervals come from their own past."""
        return np.array([kind in _OWN_SPREAD for kind in self.kinds], dtype=bool)


def fallbacks(history: History, shared: Decomposition) -> Fallbacks:
    """Sort out the series that are unknown, too short, constant, negative or sporadic."""
    level = row_means(shared.z[:, -_RECENT[history.frequency] :])
    usual = shared.to_units(np.repeat(level[:, None], history.horizon, axis=1))
    counts = np.isfinite(history.y).sum(axis=1)
    # In a panel that is young itself, no series is newer than the others.
    is_new = counts < np.clip(counts.max(initial=0), 1, NEW[history.frequency])
    year_ago, cold_start = YearAgo.of(history), ColdStart.of(history)
    evaluated = [
        _as_others_began(history, row, cold_start) if is_new[row] else _evaluate(history, row, usual[row], year_ago)
        for row in range(len(history.ids))
    ]
    forecast = np.stack([usual[row] if one is None else one.forecast for row, one in enumerate(evaluated)])
    return Fallbacks(
        tuple(None if one is None else one.kind for one in evaluated),
        tuple(None if one is None else one.reason for one in evaluated),
        forecast,
    )


class _Fallback(NamedTuple):
    kind: Kind
    reason: str
    forecast: Array


def _evaluate(history: History, row: int, usual: Array, year_ago: YearAgo | None) -> _Fallback | None:
    y = history.y[row]
    known = y[np.isfinite(y)]
    unit, recent = _PERIODS[history.frequency], _RECENT[history.frequency]
    least = LEAST_KNOWN[history.frequency]

    def flat(value: float) -> Array:
        return np.full(history.horizon, value)

    if (known == 0).all():
        return _Fallback("nothing", f"nothing sold in {len(known)} known {unit}: forecast 0", flat(0.0))
    if (known == known[0]).all():
        return _Fallback(
            "constant", f"constant at {known[0]:g} in {len(known)} known {unit}: continued", flat(float(known[0]))
        )
    if known.mean() < 0 or (known < 0).mean() > 0.2:
        told = f"negative in {(known < 0).mean():.0%} of {unit}: mean of the last {recent} {unit}"
        return _Fallback("negative", told, flat(float(known[-recent:].mean())))
    lately = known[-history.year // 2 :]
    if (idle := float((lately <= 0).mean())) > _INTERMITTENT:
        told = f"sporadic: nothing sold in {idle:.0%} of the last {len(lately)} {unit}: smoothed mean (TSB)"
        if year_ago is None:
            return _Fallback("sporadic", told, flat(tsb(y)))
        return _Fallback("sporadic", f"{told}, moved by last year", year_ago.moved(row, tsb(y)))
    if len(known) < least:
        told = f"short: {len(known)} of {least} {unit} that members need: its level, moving as the others"
        return _Fallback("short", told, usual)
    return None


def _as_others_began(history: History, row: int, cold_start: ColdStart) -> _Fallback:
    """A new series sells like others after they began; where none did, like the median of those there are."""
    y = history.y[row]
    own, unit = y[np.isfinite(y)], _PERIODS[history.frequency]
    told = f"new, {len(own)} known {unit}" if len(own) else "nothing known yet"
    if found := cold_start.expected(history.category[row], own):
        value, name = found
        return _Fallback("unknown", f"{told}: as others of {name} began", np.full(history.horizon, value))
    recent = history.y[:, -_RECENT[history.frequency] :]
    known = np.isfinite(recent).any(axis=1) & (np.arange(len(history.ids)) != row)
    alike = known & (np.array(history.category) == history.category[row])
    chosen, name = (alike, f"category {history.category[row]}") if alike.any() else (known, "all series")
    value = max(float(np.median(row_means(recent)[chosen])), 0.0) if chosen.any() else 0.0
    return _Fallback("unknown", f"{told}: median recent level of {name}", np.full(history.horizon, value))


def in_logs(fallback: Fallbacks, shared: Decomposition) -> Array:
    """The fallback forecasts on the shared log scale."""
    return to_log(fallback.forecast, shared.unit)
