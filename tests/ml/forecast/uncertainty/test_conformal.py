"""Intervals stay in what history and growth allow, however little the cutoffs tell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gold.demand.bounds import MOST
from ml.forecast.backtest.weights import buckets
from ml.forecast.ensemble import Fitted, fit
from ml.forecast.model import ForecastModel, SeasonalNaive
from ml.forecast.panel.panel import Panel
from ml.forecast.reconciliation import roll_up
from ml.forecast.settings import QUANTILES, Settings
from ml.forecast.uncertainty.conformal import learn

YOUNG = Settings(members=("arima", "boosting"), origins=2)
PARTS = buckets(14)
DEMAND = np.array(["smooth", "smooth", "smooth"])
SPREAD = np.full((2, 3), 0.3)


def residuals(seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.random.default_rng(seed).normal(0, 0.2, (2, 3, 14))


def test_a_cutoff_of_which_nothing_is_known_is_as_if_it_were_not_there() -> None:
    known = residuals()
    known[0] = np.nan
    both, one = learn(known, SPREAD, DEMAND, PARTS), learn(known[1:], SPREAD[1:], DEMAND, PARTS)
    assert np.array_equal(both.width, one.width)
    assert np.array_equal(both.offsets["all"], one.offsets["all"])
    logs = both.around(np.zeros((3, 14)), DEMAND)
    assert np.abs(logs).max() < 1


def test_without_any_the_usual_movement_tells() -> None:
    logs = learn(np.full((2, 3, 14), np.nan), SPREAD, DEMAND, PARTS).around(np.zeros((3, 14)), DEMAND)
    assert np.isfinite(logs).all()
    assert 0.3 < logs[-1, 0, 0] < logs[-1, 0, -1] < 3


def test_a_cutoff_that_was_exactly_right_makes_no_width_of_nothing() -> None:
    known = residuals()
    known[0] = 0.0
    logs = learn(known, SPREAD, DEMAND, PARTS).around(np.zeros((3, 14)), DEMAND)
    assert np.abs(logs).max() < 10


def young_shop(days: int = 60, horizon: int = 14, series: int = 1) -> Panel:
    """A shop in its first weeks, in which members are asked at one of two cutoffs only."""
    random = np.random.default_rng(3)
    on = pd.date_range("2024-01-01", periods=days + horizon)
    frames = []
    for number in range(series):
        y = 500 * np.exp(0.3 * np.sin(2 * np.pi * np.arange(len(on)) / 7) + 0.15 * random.normal(size=len(on)))
        y[days:] = np.nan
        frames.append(pd.DataFrame({"series_id": f"s{number}", "on": on, "y": y}))
    return Panel(pd.concat(frames, ignore_index=True), "D")


@pytest.fixture(scope="module", params=[1, 4])
def young(request: pytest.FixtureRequest) -> Fitted:
    return fit(young_shop(series=request.param), 14, YOUNG)


def test_a_young_shop_is_not_said_to_earn_trillions(young: Fitted) -> None:
    used = [one.fallback.used.all() for one in young.backtest.cutoffs]
    assert used == [True, False]  # so that the other cutoff tells nothing of the members
    frame = young.predict().frame
    assert (frame["highest"] == frame["series_id"].map(young.panel.frame.groupby("series_id")["y"].max())).all()
    assert (frame["q975"] < 3 * frame["highest"]).all()
    assert (frame["q975"] > 1.02 * frame["median"]).all()
    assert (frame["q025"] < 0.98 * frame["median"]).all()
    sums = roll_up(young, young.predict())
    assert (sums["q975"] < 3 * sums["highest"]).all()


def test_nothing_is_said_beyond_what_history_and_growth_allow() -> None:
    wild = fit(young_shop(), 14, YOUNG)
    for one in wild.backtest.cutoffs:
        one.logs[...] = one.logs + 40.0  # members that were off by a factor of e^40 teach intervals as wide
    frame = wild.predict().frame
    assert (frame["q975"] <= MOST * frame["highest"] * (1 + 1e-9)).all()
    assert (frame[["mean", "median"]].max(axis=1) <= MOST * frame["highest"] * (1 + 1e-9)).all()


def test_sums_of_the_baseline_are_bounded_too() -> None:
    """Each of many products sold once, each on a day of its own: that all sell on one day is not to be expected."""
    on = pd.date_range("2024-01-01", periods=47)
    frames = [
        pd.DataFrame({"series_id": f"s{n:02}", "on": on, "y": [*np.eye(40)[n] * 5, *[np.nan] * 7]}) for n in range(40)
    ]
    panel, baseline = Panel(pd.concat(frames, ignore_index=True), "D"), SeasonalNaive()
    sums = baseline.reconcile(panel, baseline.series(panel))
    assert (sums["highest"] == 5).all()
    assert (sums["q975"] <= MOST * 5).all()
    assert list(QUANTILES) == sorted(QUANTILES)
    ordered = sums[["q025", "q10", "median", "q90", "q975"]].to_numpy()
    assert (np.diff(ordered, axis=1) >= 0).all()


def test_a_stored_model_says_the_same(young: Fitted, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("model")
    ForecastModel(young, None, pd.DataFrame({"value": [1.0]})).save(folder)
    again = ForecastModel.load(folder).series(young.panel).frame
    pd.testing.assert_frame_equal(again, young.predict().frame)
