"""Days on which a shop, or a series, does not sell: no zeros to learn from, and no days to expect anything of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

_WEEKS = 8  # of which a weekday was closed in all but one: it is closed
_RARE = 0.05  # share of days without any sale, regularly closed ones apart, up to which each is a day off
_STEADY = 0.4  # of its median day that a series sells on nearly all days that it sells at all, so that none is zero
_NEARLY_ALL = 0.95
_SELDOM = 0.1  # share of days without a sale, on most weekdays, up to which a series may be steady
_MOST_WEEKDAYS = 3  # on which a series may be closed; what sells on fewer days than the others sells no more
_TURN_OF_YEAR = ((12, 24), (1, 3))
_CHANCE = 1e-3  # that all days of a flag went without a sale by themselves

Values = npt.NDArray[np.float64]
Days = npt.NDArray[np.bool_]


def closed(y: Values, dates: pd.DatetimeIndex, flags: Values | None = None, plan: Values | None = None) -> Days:
    """Whether each series is closed on each of `dates`, (series, T + horizon), by the demand `y` (series, T).

    Told by what all series sell together, and by one that is so steady (`_steady`) that a day without a sale is none of
    its ordinary days. A weekday is closed while nothing is sold on it for weeks. So are the days of a flag (a holiday;
    `flags` (series, T + horizon, k), of which those of 0 and 1 count) on which nothing was ever sold. A single day is,
    if such days are rare: else the series are sporadic, and a day without a sale is nothing special. Ahead, weekdays
    and flags go on as they were, and around the turn of the year the days off are last year's. A `plan` (series,
    T + horizon), 0 where closed, NaN where not known, goes before all.
    """
    length = y.shape[1]
    known = np.isfinite(y)
    sold = (y > 0) & known
    each = _binary(flags) if flags is not None else np.zeros((len(y), len(dates), 0), bool)
    told, any_sold, common = (np.asarray(one, bool) for one in (known.any(axis=0), sold.any(axis=0), each.all(axis=0)))
    found = np.tile(_days_off(told & ~any_sold, told, dates, common), (len(y), 1))
    for row in range(len(y)):
        opened = known[row] & ~found[row, :length]
        idle = opened & ~sold[row]
        if idle.any() and _steady(y[row], sold[row], opened, dates):
            own = _days_off(idle, opened, dates, each[row])
            if own[length : length + 7].sum() <= _MOST_WEEKDAYS:
                found[row] |= own
    if plan is not None:
        found = np.where(np.isfinite(plan), plan == 0, found)
    return found


def _binary(flags: Values) -> Days:
    """The flags that are only ever 0, 1 or unknown, as truths (series, T + horizon, k)."""
    values = np.nan_to_num(flags)
    return np.asarray(values[:, :, ((values == 0) | (values == 1)).all(axis=(0, 1))] == 1)


def _steady(y: Values, sold: Days, opened: Days, dates: pd.DatetimeIndex) -> bool:
    """Whether a series sells nearly always on most weekdays, and then never little."""
    weekday = dates.dayofweek.to_numpy()[: len(y)]
    days, idle = (np.bincount(weekday[which], minlength=7) for which in (opened, opened & ~sold))
    often = np.median(idle[days > 0] / days[days > 0]) <= _SELDOM
    return bool(often and np.quantile(y[sold], 1 - _NEARLY_ALL) >= _STEADY * np.median(y[sold]))


def _days_off(idle: Days, known: Days, dates: pd.DatetimeIndex, flags: Days) -> Days:
    """Which of `dates` (T + horizon,) are days off, by the days (T,) on which nothing was sold."""
    length = len(idle)
    weekday = dates.dayofweek.to_numpy()
    found = np.zeros(len(dates), bool)
    for day in range(7):
        places = np.flatnonzero(weekday == day)
        past = places[places < length]
        if len(past) < _WEEKS:
            continue
        lately = np.convolve(idle[past].astype(float), np.ones(_WEEKS))[: len(past)]
        regular = np.zeros(len(past), bool)
        for end in np.flatnonzero(lately >= _WEEKS - 1):  # each of the weeks that this is told by
            regular[max(0, end - _WEEKS + 1) : end + 1] = True
        found[past] = regular & idle[past]
        found[places[places >= length]] = regular[-1]
    for flag in flags.T:
        flagged, plain = (known & ~found[:length] & side for side in (flag[:length], ~flag[:length]))
        usually = (idle & plain).sum() / max(plain.sum(), 1)
        if (idle | ~flagged).all() and usually ** flagged.sum() < _CHANCE:
            found |= flag & np.append(idle, np.ones(len(dates) - length, bool))
    others = known & ~found[:length]
    if others.any() and idle[others].mean() <= _RARE:
        found[:length] |= idle
    places = length + np.flatnonzero(_at_the_turn_of_the_year(dates[length:]))
    for place, before in zip(places, dates.get_indexer(dates[places] - pd.DateOffset(years=1)), strict=True):
        if before >= 0:
            found[place] |= found[before]
    return found


def _at_the_turn_of_the_year(dates: pd.DatetimeIndex) -> Days:
    day = dates.month.to_numpy() * 100 + dates.day.to_numpy()
    (first_month, first), (last_month, last) = _TURN_OF_YEAR
    return np.asarray((day >= first_month * 100 + first) | (day <= last_month * 100 + last))
