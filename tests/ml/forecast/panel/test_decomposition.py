"""Seasons are told from promotions, and from chance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ml.forecast.panel.decomposition import decompose
from ml.forecast.panel.panel import Array, Frequency, History, Panel
from ml.forecast.settings import Settings


def history(logs: Array, promoted: Array, dates: pd.DatetimeIndex, frequency: Frequency, horizon: int) -> History:
    """Series whose logarithm is given, with noise of 5 %."""
    noisy = 100 * np.exp(logs + np.random.default_rng(0).normal(0, 0.05, logs.shape))
    length = len(dates) - horizon
    rows = [
        (f"s{k:02}", day, noisy[k, n] if n < length else np.nan, promoted[k, n])
        for k in range(len(logs))
        for n, day in enumerate(dates)
    ]
    frame = pd.DataFrame(rows, columns=["series_id", "on", "y", "promoted"])
    return Panel(frame, frequency, ("promoted",)).cube.until(length, horizon)


def test_a_promotion_of_weekdays_does_not_pass_for_the_weekday_and_may_differ_by_it() -> None:
    dates = pd.date_range("2024-01-01", periods=240)
    promoted = np.tile(((np.arange(240) // 7) % 2 == 0) & (dates.dayofweek < 5), (4, 1)).astype(float)
    uplift = np.array([0.8, 0.2, 0.2, 0.2, 0.2, 0.0, 0.0])[dates.dayofweek]
    ahead = decompose(history(promoted * uplift, promoted, dates, "D", 28), Settings()).base[:, -28:].mean(axis=0)
    day, on = dates[-28:].dayofweek, promoted[0, -28:] > 0
    monday, tuesday, saturday = ((ahead[on & (day == 0)]).mean(), ahead[on & (day == 1)].mean(), ahead[day == 5].mean())
    assert abs(ahead[~on & (day == 0)].mean() - saturday) < 0.2  # half of the promotion without telling them apart: 0.4
    assert abs(monday - saturday - 0.8) < 0.15
    assert abs(tuesday - saturday - 0.2) < 0.1


def test_seasons_come_again_and_wanderings_do_not() -> None:
    dates = pd.date_range("2022-01-03", periods=143, freq="7D")
    random = np.random.default_rng(1)
    promoted = (random.random((12, 143)) < 0.3).astype(float)
    wandering = random.normal(0, 0.15, (12, 143)).cumsum(axis=1)
    none = decompose(history(wandering + 0.4 * promoted, promoted, dates, "W", 13), Settings()).base[:, -13:]
    assert max(row[plain].std() for row, plain in zip(none, promoted[:, -13:] == 0, strict=True)) < 1e-6
    season = np.tile(0.6 * np.sin(2 * np.pi * np.arange(143) / 52), (12, 1))
    again = decompose(history(season + 0.4 * promoted, promoted, dates, "W", 13), Settings()).base[:, -13:]
    fall = (again - 0.4 * promoted[:, -13:])[:, [0, 1, 2, -3, -2, -1]].reshape(12, 2, 3).mean(axis=2) @ [1, -1]
    assert abs(fall.mean() - (season[0, -12] - season[0, -2])) < 0.1


def test_what_two_years_have_in_common_is_expected_again() -> None:
    dates = pd.date_range("2021-01-04", periods=700)
    season = 1 + 0.8 * np.exp(-(((dates.dayofyear.to_numpy() - 330) / 15) ** 2))
    y = np.random.default_rng(0).poisson(60 * np.tile(season, (4, 1))).astype(float)
    y[:, 650:] = np.nan
    rows = [(f"s{k}", day, y[k, n]) for k in range(4) for n, day in enumerate(dates)]
    known = Panel(pd.DataFrame(rows, columns=["series_id", "on", "y"]), "D").cube.until(650, 50)
    ahead = decompose(known, Settings()).base[:, 650:].mean(axis=0)
    truth = np.log(season[650:])
    assert np.corrcoef(ahead, truth)[0, 1] > 0.9
    assert 0.5 < (ahead.max() - ahead.min()) / (truth.max() - truth.min()) < 1
