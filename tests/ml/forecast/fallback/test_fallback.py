from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ml.forecast.ensemble import Fitted, fit
from ml.forecast.fallback.fallback import fallbacks
from ml.forecast.fallback.sporadic import tsb
from ml.forecast.panel.decomposition import decompose
from ml.forecast.panel.panel import Panel
from tests.ml.forecast.conftest import HORIZON, QUICK, made_up, with_y

SPORADIC = (np.arange(120) % 6 == 0) * 3.0
NEW = np.where(np.arange(120) < 110, np.nan, 50.0 + np.arange(120) % 3)
CASES = {
    "s0": (0.0, "nothing sold in 120 known days: forecast 0", 0.0),
    "s1": (7.0, "constant at 7 in 120 known days: continued", 7.0),
    "s2": (-5.0 - np.arange(120) % 2, "negative in 100% of days: mean of the last 28 days", -5.5),
    "s3": (SPORADIC, "sporadic: nothing sold in 83% of the last 120 days: smoothed mean (TSB)", 0.5),
    "s4": (NEW, "short: 10 of 42 days that members need: its level, moving as the others", 51.0),
    "s5": (np.nan, "nothing known yet: median recent level of category even", None),
}


@pytest.fixture(scope="module")
def odd() -> Fitted:
    panel = made_up(series=10)
    for series_id, (y, _, _) in CASES.items():
        panel = with_y(panel, series_id, np.asarray(y) if isinstance(y, np.ndarray) else y)
    return fit(panel, HORIZON, QUICK)


@pytest.mark.parametrize("series_id", CASES)
def test_each_odd_series_has_its_own_way_and_says_why(odd: Fitted, series_id: str) -> None:
    frame = odd.predict().frame
    mine = frame[frame["series_id"] == series_id]
    _, reason, level = CASES[series_id]
    assert len(mine) == HORIZON
    assert mine["is_fallback"].all()
    assert mine["fallback"].unique().tolist() == [reason]
    assert mine["model"].unique().tolist() == ["fallback"]
    if level is not None:
        assert mine["mean"].mean() == pytest.approx(level, rel=0.2, abs=1e-9)
    assert (mine["q025"] <= mine["q975"]).all()


def test_what_never_moved_is_not_said_to_move(odd: Fitted) -> None:
    frame = odd.predict().frame
    constant = frame.loc[frame["series_id"] == "s1", ["q025", "q10", "q50", "q90", "q975"]]
    assert (constant == 7.0).all().all()


def test_the_other_series_are_forecast_by_members(odd: Fitted) -> None:
    forecast = odd.predict()
    regular = forecast.frame[~forecast.frame["series_id"].isin(CASES)]
    assert not regular["is_fallback"].any()
    assert forecast.frame["series_id"].nunique() == 10
    fallen = forecast.members[forecast.members["series_id"].isin(CASES)]
    assert (fallen["weight"] == 0).all()


def test_a_panel_of_nothing_but_zeros_is_forecast_as_zeros() -> None:
    panel = made_up(series=2)
    for series_id in ("s0", "s1"):
        panel = with_y(panel, series_id, 0.0)
    assert (fit(panel, HORIZON, QUICK).predict().frame["mean"] == 0).all()


def test_days_without_stock_are_missing_and_not_zero() -> None:
    panel = made_up(series=4)
    closed = panel.frame["on"].dt.dayofyear.between(60, 75)
    frame = panel.frame.assign(y=panel.frame["y"].where(~closed))
    forecast = fit(Panel(frame, "D", panel.covariates, panel.groups), HORIZON, QUICK).predict().frame
    whole = fit(panel, HORIZON, QUICK).predict().frame
    assert forecast["mean"].sum() == pytest.approx(whole["mean"].sum(), rel=0.05)


def test_tsb_fades_while_nothing_sells() -> None:
    selling = np.tile([0.0, 4.0], 40)
    assert tsb(selling) == pytest.approx(2.0, rel=0.1)
    assert tsb(np.append(selling, np.zeros(60))) < 0.2
    assert tsb(np.append(selling, np.full(60, np.nan))) == tsb(selling)


def now_and_then(cutoff: str, horizon: int = 60) -> Panel:
    """Twelve series that sell on a tenth of the days, from October on three times as often, and one only then."""
    on = pd.date_range("2022-01-01", pd.Timestamp(cutoff) + pd.Timedelta(days=horizon))
    chance = np.where(on.month >= 10, 0.3, 0.1)
    random = np.random.default_rng(3)
    frames = []
    for number in range(13):
        often = np.where(on.month >= 10, 0.4, 0.0) if number == 12 else chance
        y = np.where(random.random(len(on)) < often, 5.0, 0.0)
        frames.append(
            pd.DataFrame({"series_id": f"s{number}", "on": on, "y": np.where(on <= pd.Timestamp(cutoff), y, np.nan)})
        )
    return Panel(pd.concat(frames, ignore_index=True), "D")


def test_what_sells_rarely_sells_more_in_its_season() -> None:
    history = (cube := now_and_then("2023-09-30").cube).until(cube.length, 60)
    found = fallbacks(history, decompose(history, QUICK))
    assert all("moved by last year" in reason for reason in map(str, found.reasons))
    daily = found.forecast.mean(axis=1)
    assert daily[:12].mean() == pytest.approx(5 * 0.3, rel=0.2)  # without last year 5 x .1
    assert daily[12] > 0.5  # it never sold since December
    after = (cube := now_and_then("2023-12-31").cube).until(cube.length, 60)
    falling = fallbacks(after, decompose(after, QUICK)).forecast[:12, 15:].mean()
    assert falling == pytest.approx(5 * 0.1, rel=0.35)  # the season is over


def test_what_sold_nothing_for_a_year_may_well_sell_nothing_again() -> None:
    panel = now_and_then("2023-09-30")
    mine = panel.frame[(panel.frame["series_id"] == "s0") & (panel.frame["on"] <= panel.cutoff)]
    panel = with_y(panel, "s0", mine["y"].where(mine["on"] < pd.Timestamp("2022-06-01"), 0.0).to_numpy(float))
    forecast = fit(panel, 60, QUICK).predict().frame.query("series_id == 's0'")
    assert forecast["mean"].between(0.0, 0.5, inclusive="neither").all()
    assert (forecast["q025"] == 0).all()
    assert (forecast["q975"] > forecast["mean"]).all()


def test_days_without_a_sale_lie_inside_the_intervals_of_what_sells_rarely_though_some_is_returned() -> None:
    panel = now_and_then("2023-09-30")
    mine = panel.frame[(panel.frame["series_id"] == "s0") & (panel.frame["on"] <= panel.cutoff)]
    panel = with_y(panel, "s0", mine["y"].where(mine["on"] != pd.Timestamp("2023-05-05"), -3.0).to_numpy(float))
    forecast = fit(panel, 60, QUICK).predict().frame.query("series_id == 's0'")
    assert forecast["fallback"].str.startswith("sporadic").all()
    assert (forecast[["q025", "q10"]] <= 0).all().all()
    assert (forecast["q90"] > 0).all()


def test_money_has_no_bound_below_the_least_that_was_ever_sold() -> None:
    panel, random = made_up(series=6), np.random.default_rng(4)
    for number in range(6):
        amounts = np.where(random.random(120) < 0.3, 0.0, np.exp(5 + random.normal(size=120)))
        panel = with_y(panel, f"s{number}", amounts)
    forecast = fit(panel, HORIZON, QUICK).predict().frame
    sold = panel.frame[panel.frame["y"] > 0].groupby("series_id")["y"].min()
    for bound in ("q025", "q10"):
        assert ((forecast[bound] == 0) | (forecast[bound] >= forecast["series_id"].map(sold))).all()
        assert (forecast[bound] == 0).any()


def test_single_negative_days_are_returns_and_count_as_nothing() -> None:
    panel = made_up(series=4)
    y = panel.frame.loc[(panel.frame["series_id"] == "s0") & panel.frame["y"].notna(), "y"].to_numpy().copy()
    y[50] = -30.0
    forecast = fit(with_y(panel, "s0", y), HORIZON, QUICK).predict().frame
    assert not forecast["is_fallback"].any()
    assert (forecast["q025"] >= 0).all()
    assert isinstance(forecast, pd.DataFrame)


def test_the_first_order_of_a_new_product_is_not_its_level() -> None:
    huge = np.where(np.arange(120) < 119, np.nan, 80_995.0)
    forecast = fit(with_y(made_up(series=6), "s5", huge), HORIZON, QUICK).predict().frame
    mine = forecast[forecast["series_id"] == "s5"]
    assert mine["fallback"].unique().tolist() == ["new, 1 known days: median recent level of category even"]
    others = forecast[forecast["series_id"].isin(["s1", "s3"])].groupby("series_id")["mean"].mean()
    assert others.min() * 0.5 < mine["mean"].mean() < others.max() * 1.5


def begun(first: dict[str, int], huge: tuple[str, ...] = ()) -> Panel:
    """Eight series, of which some began on a later day, with 9 pieces on every third day; `huge` ones with 90,000."""
    panel, days = made_up(series=8), np.arange(120)
    for series_id, day in first.items():
        y = np.where((days - day) % 3 == 0, 9.0, 0.0)
        if series_id in huge:
            y[day] = 90_000.0
        panel = with_y(panel, series_id, np.where(days < day, np.nan, y))
    return panel


@pytest.mark.parametrize("huge", [(), ("s0",), ("s5",)], ids=["none", "the new one", "one of the others"])
def test_a_new_product_sells_as_others_after_they_began(huge: tuple[str, ...]) -> None:
    panel = begun({"s0": 118, "s1": 40, "s3": 50, "s5": 60, "s6": 70, "s7": 80, "s4": 45}, huge)
    history = (cube := panel.cube).until(cube.length, HORIZON)
    found = fallbacks(history, decompose(history, QUICK))
    assert found.kinds[0] == "unknown"
    assert found.reasons[0] == "new, 2 known days: as others of all series began"
    assert found.forecast[0] == pytest.approx(3.0, rel=0.4)


def test_what_sells_rarely_has_its_way_as_soon_as_it_is_not_new() -> None:
    history = (cube := begun({"s0": 100}).cube).until(cube.length, HORIZON)
    found = fallbacks(history, decompose(history, QUICK))
    assert found.kinds[0] == "sporadic"
    assert found.forecast[0] == pytest.approx(3.0, rel=0.2)
