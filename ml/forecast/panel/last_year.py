"""Which part of last year a period is compared with: the same weekdays, but Christmas and Easter as they fall."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
from dateutil.easter import easter as easter_sunday

from ml.forecast.panel.panel import Array


def weekly_alignment(starts: pd.DatetimeIndex, easter: bool) -> Array:
    """Weights (periods, periods): row t says which weeks of the year before week t is compared with.

    Day by day: 364 days before, so that weekdays and holidays like Thanksgiving meet; from 18 December to 1 January
    the same date, since Christmas moves through the week; the nine days up to Easter Sunday meet last year's, and days
    that would meet last year's Easter take the days two weeks earlier. A week that reaches back before the first has
    no weights.
    """
    weights = np.zeros((len(starts), len(starts)))
    first = starts[0].date()
    for row, start in enumerate(starts):
        for offset in range(7):
            earlier = _day_last_year(start.date() + timedelta(days=offset), easter)
            column = (earlier - first).days // 7
            if 0 <= column < row:
                weights[row, column] += 1 / 7
    weights[weights.sum(axis=1) < 0.99] = 0.0
    return weights


def _day_last_year(day: date, easter: bool) -> date:
    if (day.month, day.day) >= (12, 18):
        return day.replace(year=day.year - 1)
    if (day.month, day.day) == (1, 1):
        return day.replace(year=day.year - 1)
    if easter and 0 <= (easter_sunday(day.year) - day).days <= 8:
        same: date = easter_sunday(day.year - 1) - (easter_sunday(day.year) - day)
        return same
    earlier = day - timedelta(days=364)
    if easter and 0 <= (easter_sunday(earlier.year) - earlier).days <= 8:
        return earlier - timedelta(days=14)
    return earlier
