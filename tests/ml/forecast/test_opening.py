"""Days off are told from days without demand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ml.forecast.baseline import baseline
from ml.forecast.ensemble import fit
from ml.forecast.opening import closed
from ml.forecast.panel import Panel
from ml.forecast.settings import Settings

SUNDAY = 6


def days(count: int, horizon: int = 14) -> pd.DatetimeIndex:
    return pd.date_range("2023-01-02", periods=count + horizon)


def sold(dates: pd.DatetimeIndex, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Three series that sell every day but Sundays."""
    y = np.random.default_rng(0).poisson(20, (3, count)).astype(float)
    y[:, dates[:count].dayofweek == SUNDAY] = 0
    return y


def test_a_weekday_without_sales_is_closed_and_stays_so() -> None:
    dates = days(100)
    assert closed(sold(dates, 100), dates).tolist() == (dates.dayofweek == SUNDAY).tolist()


def test_a_weekday_that_opens_is_open() -> None:
    dates = days(140)
    y = sold(dates, 140)
    y[:, 84:] = 15.0
    assert closed(y, dates).tolist() == ((dates.dayofweek == SUNDAY) & (np.arange(len(dates)) < 84)).tolist()


def test_a_rare_day_without_sales_is_a_day_off_and_a_usual_one_is_none() -> None:
    dates = days(100)
    rare = sold(dates, 100)
    rare[:, 50] = 0
    assert closed(rare, dates)[50]
    sporadic = rare * (np.random.default_rng(1).random(100) < 0.7)
    found = closed(sporadic, dates)
    assert found[dates.dayofweek == SUNDAY].all()
    assert not found[dates.dayofweek != SUNDAY].any()


def test_days_off_around_the_turn_of_the_year_come_again() -> None:
    dates = pd.date_range("2022-06-01", "2024-01-10")
    count = dates.get_loc(pd.Timestamp("2023-12-15"))
    assert isinstance(count, int)
    y = np.full((2, count), 9.0)
    off = dates.isin(pd.date_range("2022-12-25", "2022-12-27"))
    y[:, off[:count]] = 0
    ahead = closed(y, dates)[count:]
    assert [f"{day:%m-%d}" for day in dates[count:][ahead]] == ["12-25", "12-26", "12-27"]


def test_nothing_is_expected_of_a_day_off() -> None:
    dates = days(120)
    y = sold(dates, 120)
    rows = [(f"s{k}", day, y[k, n] if n < 120 else np.nan) for k in range(3) for n, day in enumerate(dates)]
    panel = Panel(pd.DataFrame(rows, columns=["series_id", "on", "y"]), "D")
    said = fit(panel, 14, Settings(members=("arima",), origins=2)).predict().frame
    is_off = said["on"].dt.dayofweek == SUNDAY
    assert (said.loc[is_off, ["mean", "median", "q025", "q975"]] == 0).all(axis=None)
    assert said.loc[~is_off, "median"].between(15, 25).all()


def test_what_two_years_have_in_common_is_expected_again() -> None:
    dates = pd.date_range("2021-01-04", periods=700)
    season = 1 + 0.8 * np.exp(-(((dates.dayofyear.to_numpy() - 330) / 15) ** 2))
    y = np.random.default_rng(0).poisson(60 * np.tile(season, (4, 1))).astype(float)
    y[:, 650:] = np.nan
    rows = [(f"s{k}", day, y[k, n]) for k in range(4) for n, day in enumerate(dates)]
    history = Panel(pd.DataFrame(rows, columns=["series_id", "on", "y"]), "D").cube.until(650, 50)
    ahead = baseline(history, Settings()).base[:, 650:].mean(axis=0)
    truth = np.log(season[650:])
    assert np.corrcoef(ahead, truth)[0, 1] > 0.9
    assert 0.5 < (ahead.max() - ahead.min()) / (truth.max() - truth.min()) < 1
