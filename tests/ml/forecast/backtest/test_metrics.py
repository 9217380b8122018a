from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from ml.forecast.backtest import metrics
from ml.forecast.ensemble import fit
from ml.forecast.panel.panel import Array, Frequency, Panel
from ml.forecast.settings import column
from tests.ml.forecast.conftest import QUICK


def test_scale_is_the_seasonal_naive_error_of_the_past() -> None:
    y = np.array([[1.0, 2.0, 3.0, 5.0, 2.0, np.nan], [4.0, 4.0, 4.0, 4.0, 4.0, 4.0], [0.0] * 6])
    assert metrics.naive_scale(y, 3).tolist() == [2.0, 4.0, 1.0]


def test_measures_by_hand() -> None:
    truth, forecast = np.array([[10.0, 20.0], [np.nan, 30.0]]), np.array([[12.0, 16.0], [99.0, 33.0]])
    assert metrics.mase(truth, forecast, np.array([2.0, 3.0])).tolist() == [1.5, 1.0]
    assert metrics.wape(truth, forecast) == pytest.approx(9 / 60)
    assert metrics.bias(truth, forecast) == pytest.approx(1 / 60)
    assert metrics.coverage(truth, forecast - 3, forecast + 3) == pytest.approx(2 / 3)
    assert metrics.pinball(truth, forecast, 0.9, np.ones(2)) == pytest.approx(((0.2 + 3.6) / 2 + 0.3) / 2)


def test_of_nothing_sold_no_share_can_be_had() -> None:
    nothing, forecast = np.zeros((2, 3)), np.ones((2, 3))
    assert np.isnan([metrics.wape(nothing, forecast), metrics.bias(nothing, forecast)]).all()


def test_a_paired_ratio_has_its_interval() -> None:
    theirs = np.random.default_rng(0).uniform(1, 2, 200)
    ratio, low, high = metrics.paired_ratio(0.9 * theirs, theirs)
    assert (ratio, low, high) == pytest.approx((0.9, 0.9, 0.9))


def test_names_of_quantiles() -> None:
    assert [column(level) for level in (0.025, 0.05, 0.1, 0.5, 0.995)] == ["q025", "q05", "q10", "q50", "q995"]


def test_heavy_libraries_are_imported_only_where_they_are_needed() -> None:
    heavy = {"tensorflow", "keras", "prophet", "statsmodels", "lightgbm"}
    code = f"import sys, ml.forecast.ensemble; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("frequency", "step", "year", "periods", "horizon"), [("W", "7D", 52.18, 130, 13), ("M", "MS", 12, 48, 6)]
)
def test_seasons_of_weeks_and_months_are_found(
    frequency: Frequency, step: str, year: float, periods: int, horizon: int
) -> None:
    random = np.random.default_rng(2)
    on = pd.date_range("2021-01-01", periods=periods + horizon, freq=step)
    season: Array = np.exp(0.6 * np.sin(2 * np.pi * np.arange(len(on)) / year))
    frames = []
    for number in range(8):
        y = 100 * (number + 1) * season * np.exp(0.05 * random.normal(size=len(on)))
        y[periods:] = np.nan
        frames.append(pd.DataFrame({"series_id": f"s{number}", "on": on, "y": y}))
    forecast = fit(Panel(pd.concat(frames), frequency), horizon, QUICK).predict().frame
    planted = 100 * (forecast["series_id"].str[1:].astype(int) + 1) * season[periods - 1 + forecast["step"].to_numpy()]
    assert np.abs(forecast["median"] / planted - 1).mean() < 0.06
    assert np.abs(forecast["mean"].sum() / planted.sum() - 1) < 0.05
