"""Days off are told from days without demand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ml.forecast.ensemble import fit
from ml.forecast.panel.closures import closed
from ml.forecast.panel.panel import Panel
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
    assert (closed(sold(dates, 100), dates) == (dates.dayofweek == SUNDAY)).all()


def test_a_weekday_that_opens_is_open() -> None:
    dates = days(140)
    y = sold(dates, 140)
    y[:, 84:] = 15.0
    assert (closed(y, dates) == ((dates.dayofweek == SUNDAY) & (np.arange(len(dates)) < 84))).all()


def test_a_rare_day_without_sales_is_a_day_off_and_a_usual_one_is_none() -> None:
    dates = days(100)
    rare = sold(dates, 100)
    rare[:, 50] = 0
    assert closed(rare, dates)[:, 50].all()
    sporadic = rare * (np.random.default_rng(1).random(100) < 0.7)
    found = closed(sporadic, dates)
    assert found[:, dates.dayofweek == SUNDAY].all()
    assert not found[:, dates.dayofweek != SUNDAY].any()


def test_days_off_around_the_turn_of_the_year_come_again() -> None:
    dates = pd.date_range("2022-06-01", "2024-01-10")
    count = dates.get_loc(pd.Timestamp("2023-12-15"))
    assert isinstance(count, int)
    y = np.full((2, count), 9.0)
    off = dates.isin(pd.date_range("2022-12-25", "2022-12-27"))
    y[:, off[:count]] = 0
    ahead = closed(y, dates)[0, count:]
    assert [f"{day:%m-%d}" for day in dates[count:][ahead]] == ["12-25", "12-26", "12-27"]


def test_a_steady_series_has_a_weekday_off_of_its_own_and_a_sporadic_one_has_not() -> None:
    dates = days(100)
    y = np.random.default_rng(0).poisson(20, (3, 100)).astype(float)
    y[1, dates[:100].dayofweek == SUNDAY] = 0
    y[2] *= np.random.default_rng(1).random(100) < 0.6
    found = closed(y, dates)
    assert (found[1] == (dates.dayofweek == SUNDAY)).all()
    assert not found[[0, 2]].any()


def test_single_pieces_have_no_weekday_off() -> None:
    dates = days(400)
    y = np.random.default_rng(0).poisson(1, (60, 400)).astype(float)
    assert not closed(y, dates).any()


def test_what_is_not_sold_any_more_is_not_closed() -> None:
    dates = days(140)
    y = np.random.default_rng(0).poisson(20, (2, 140)).astype(float)
    y[1, 80:] = 0
    assert not closed(y, dates).any()


def test_holidays_without_sales_are_days_off_ahead_and_promotions_are_none() -> None:
    dates = days(100)
    y = np.random.default_rng(0).poisson(20, (2, 100)).astype(float)
    holiday, promotion = np.zeros((2, 114)), np.zeros((2, 114))
    holiday[:, [10, 40, 70, 105]] = 1
    promotion[:, ::9] = 1
    y[:, [10, 40, 70]] = 0
    found = closed(y, dates, np.stack([holiday, promotion], axis=2))
    assert np.flatnonzero(found[0]).tolist() == [10, 40, 70, 105]


def test_a_plan_of_closures_goes_before_what_is_told() -> None:
    dates = days(120)
    y = sold(dates, 120)
    y[0, 60:80] = 0
    frame = pd.DataFrame(
        [(f"s{k}", day, y[k, n] if n < 120 else np.nan) for k in range(3) for n, day in enumerate(dates)],
        columns=["series_id", "on", "y"],
    )
    rebuilt = (frame["series_id"] == "s0") & frame["on"].isin(dates[60:80])
    reopens = (frame["series_id"] == "s1") & frame["on"].isin(dates[dates.dayofweek == SUNDAY][-1:])
    frame["open"] = (((frame["on"].dt.dayofweek != SUNDAY) & ~rebuilt) | reopens).astype(float)
    panel = Panel(frame, "D", ("open",))
    assert panel.cube.covariates == ()
    assert np.isnan(panel.cube.until(120, 14).y[0, 60:80]).all()
    forecast = fit(panel, 14, Settings(members=("arima",), origins=2)).predict().frame
    planned = forecast.merge(frame[["series_id", "on", "open"]], on=["series_id", "on"])
    assert ((planned["median"] == 0) == (planned["open"] == 0)).all()


def test_nothing_is_expected_of_a_day_off() -> None:
    dates = days(120)
    y = sold(dates, 120)
    rows = [(f"s{k}", day, y[k, n] if n < 120 else np.nan) for k in range(3) for n, day in enumerate(dates)]
    panel = Panel(pd.DataFrame(rows, columns=["series_id", "on", "y"]), "D")
    forecast = fit(panel, 14, Settings(members=("arima",), origins=2)).predict().frame
    is_off = forecast["on"].dt.dayofweek == SUNDAY
    assert (forecast.loc[is_off, ["mean", "median", "q025", "q975"]] == 0).all(axis=None)
    assert forecast.loc[~is_off, "median"].between(15, 25).all()
