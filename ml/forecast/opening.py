"""Days on which a shop does not sell: no zeros to learn from, and no days to expect anything of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

_WEEKS = 8  # of which a weekday was closed in all but one: it is closed
_RARE = 0.05  # share of days without any sale, regularly closed ones apart, up to which each is a day off
_TURN_OF_YEAR = ((12, 24), (1, 3))


def closed(y: npt.NDArray[np.float64], dates: pd.DatetimeIndex) -> npt.NDArray[np.bool_]:
    """Whether each of `dates` (T + horizon,) is closed, by the demand `y` (series, T) that was known.

    A weekday is, while all series sell nothing on it for weeks. A single day is, if such days are rare: else the series
    are sporadic, and a day without a sale is nothing special. Ahead, weekdays go on as they are, and around the turn of
    the year the days off are last year's.
    """
    length = y.shape[1]
    known = np.isfinite(y)
    idle: npt.NDArray[np.bool_] = np.asarray(known.any(axis=0) & ~((y > 0) & known).any(axis=0), dtype=bool)
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
    others = ~found[:length]
    if others.any() and idle[others].mean() <= _RARE:
        found[:length] |= idle
    ahead = np.arange(len(dates)) >= length
    for place in np.flatnonzero(ahead & _at_the_turn_of_the_year(dates)):
        before = dates.get_indexer(pd.DatetimeIndex([dates[int(place)] - pd.DateOffset(years=1)]))[0]
        if before >= 0:
            found[place] |= found[before]
    return found


def _at_the_turn_of_the_year(dates: pd.DatetimeIndex) -> npt.NDArray[np.bool_]:
    day = dates.month.to_numpy() * 100 + dates.day.to_numpy()
    (first_month, first), (last_month, last) = _TURN_OF_YEAR
    return np.asarray((day >= first_month * 100 + first) | (day <= last_month * 100 + last))
