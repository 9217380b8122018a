from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lakehouse.errors import UsageError
from ml.forecast.backtest import weights
from ml.forecast.backtest.backtest import forecast_from
from ml.forecast.ensemble import Fitted, fit
from ml.forecast.panel.panel import Array, Panel
from ml.forecast.settings import MEMBERS, Settings
from tests.ml.forecast.conftest import HORIZON, QUICK, WHOLE, made_up

QUANTILES = ["q025", "q05", "q10", "q50", "q90", "q95", "q975"]


def test_every_series_has_every_step_with_ordered_quantiles(panel: Panel, whole: Fitted) -> None:
    frame = whole.predict().frame
    assert len(frame) == 6 * HORIZON
    assert frame.groupby("series_id")["step"].apply(list).map(lambda steps: steps == list(range(1, HORIZON + 1))).all()
    assert frame["on"].min() == panel.cutoff + pd.Timedelta(days=1)
    assert (np.diff(frame[QUANTILES].to_numpy(), axis=1) >= 0).all()
    assert frame[["mean", "median", *QUANTILES]].notna().all().all()
    assert not frame["is_fallback"].any()
    assert frame["fallback"].isna().all()


def test_all_four_members_speak_and_their_weights_sum_to_one(whole: Fitted) -> None:
    members = whole.predict().members
    assert set(members["member"]) == set(MEMBERS)
    assert np.allclose(members.groupby(["series_id", "on"])["weight"].sum(), 1.0)


def test_forecasts_are_near_what_was_planted(whole: Fitted) -> None:
    frame = whole.predict().frame.merge(whole.panel.frame[["series_id", "on", "promotion"]], on=["series_id", "on"])
    number = frame["series_id"].str[1:].astype(int)
    weekday = (frame["on"] - pd.Timestamp("2024-01-01")).dt.days
    planted = 40 * (number + 1) * np.exp(0.3 * np.sin(2 * np.pi * weekday / 7) + 0.5 * frame["promotion"])
    assert np.abs(frame["median"] / planted - 1).mean() < 0.08


def test_what_the_past_newly_tells_of_promotions_needs_no_new_training() -> None:
    """After 400 days the effect of a promotion on each weekday is known, after 120 it is not."""
    later = made_up(days=400)
    for learnt in (fit(made_up(), HORIZON, replace(WHOLE, members=("lstm", "boosting"))), fit(later, HORIZON, QUICK)):
        for panel in (later, made_up()):
            assert learnt.predict(panel).frame["mean"].gt(0).all()


def test_saved_and_loaded_it_says_the_same(whole: Fitted, tmp_path: Path) -> None:
    whole.save(tmp_path / "model")
    forecast, again = whole.predict(), Fitted.load(tmp_path / "model").predict()
    pd.testing.assert_frame_equal(forecast.frame, again.frame)
    pd.testing.assert_frame_equal(forecast.members, again.members)
    assert not list((tmp_path / "model").glob("*.pkl"))
    with pytest.raises(UsageError, match="is not empty"):
        whole.save(tmp_path / "model")


def test_same_data_and_seed_give_the_same_forecast(panel: Panel, whole: Fitted) -> None:
    settings = replace(WHOLE, members=("lstm", "boosting"))
    again = forecast_from(panel.cube.until(panel.cube.length - HORIZON, HORIZON), settings)
    assert np.array_equal(again.logs, whole.backtest.cutoffs[-1].logs[2:])


def test_what_comes_after_the_cutoff_changes_nothing_before(panel: Panel) -> None:
    cutoff = pd.Timestamp("2024-04-01")
    frame = panel.frame
    shuffled = frame.copy()
    later = shuffled["on"].between(cutoff + pd.Timedelta(days=1), panel.cutoff)
    shuffled.loc[later, "y"] = np.random.default_rng(0).permutation(shuffled.loc[later, "y"])

    def backtest(values: pd.DataFrame) -> Array:
        fitted = fit(
            Panel(values, "D", panel.covariates, panel.groups), HORIZON, Settings(members=("arima",), origins=3)
        )
        return fitted.backtest.cutoffs[0].logs

    assert panel.cube.dates[panel.cube.length - 3 * HORIZON - 1] > cutoff - pd.Timedelta(days=HORIZON)
    early = backtest(frame[frame["on"] <= cutoff + pd.Timedelta(days=3 * HORIZON)])
    assert np.array_equal(early, backtest(shuffled[shuffled["on"] <= cutoff + pd.Timedelta(days=3 * HORIZON)]))


def test_a_member_that_is_much_worse_has_no_weight(quick: Fitted) -> None:
    cutoffs = quick.backtest.cutoffs
    worse = type(quick.backtest)(
        quick.backtest.names,
        tuple(type(one)(**{**vars(one), "logs": one.logs + np.array([0.0, 1.5])[:, None, None]}) for one in cutoffs),
        quick.backtest.truth,
    )
    learnt = weights.learn(worse)
    assert (learnt[1] == 0).all()
    assert np.allclose(learnt[0], 1.0)


def test_some_members_of_the_same_backtest(whole: Fitted) -> None:
    forecast = whole.only(("arima", "lstm")).predict()
    assert set(forecast.members["member"]) == {"arima", "lstm"}


def test_a_later_panel_with_a_new_series_is_forecast_too(quick: Fitted) -> None:
    longer = made_up(series=8, days=130)
    forecast = quick.predict(longer).frame
    assert forecast["series_id"].nunique() == 8
    assert forecast["on"].min() == longer.cutoff + pd.Timedelta(days=1)


def test_coverage_is_near_what_is_promised() -> None:
    known = made_up(series=30, days=187, horizon=0, seed=3)
    cutoff = known.cutoff - pd.Timedelta(days=HORIZON)
    frame = known.frame.copy()
    frame.loc[frame["on"] > cutoff, "y"] = np.nan
    settings = Settings(members=("boosting",), origins=4)
    forecast = fit(Panel(frame, "D", known.covariates, known.groups), HORIZON, settings).predict().frame
    truth = known.frame.loc[known.frame["on"] > cutoff, "y"].to_numpy()
    assert ((truth >= forecast["q10"]) & (truth <= forecast["q90"])).mean() == pytest.approx(0.80, abs=0.08)
    assert ((truth >= forecast["q025"]) & (truth <= forecast["q975"])).mean() == pytest.approx(0.95, abs=0.04)


def test_no_future_features_is_one_clear_message(panel: Panel, quick: Fitted) -> None:
    past = Panel(panel.frame[panel.frame["on"] <= panel.cutoff], "D", panel.covariates, panel.groups)
    with pytest.raises(UsageError, match=r"no future values of promotion after 2024-04-29, for 7 periods of 6 series"):
        quick.predict(past)


def test_a_feature_that_is_not_known_everywhere_is_said(panel: Panel, quick: Fitted) -> None:
    frame = panel.frame.copy()
    frame.loc[(frame["series_id"] == "s1") & (frame["on"] > panel.cutoff + pd.Timedelta(days=4)), "promotion"] = np.nan
    forecast = quick.predict(Panel(frame, "D", panel.covariates, panel.groups)).frame
    reason = forecast.loc[forecast["series_id"] == "s1", "fallback"].unique().tolist()
    assert reason == ["promotion not known for 3 of 7 periods: usual values taken"]
    assert forecast.loc[forecast["series_id"] != "s1", "fallback"].isna().all()


def test_a_panel_of_another_kind_is_refused(panel: Panel, quick: Fitted) -> None:
    with pytest.raises(UsageError, match="train again, or build the panel alike"):
        quick.predict(Panel(panel.frame, "D", (), panel.groups))


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no saved forecast ensemble"):
        Fitted.load(tmp_path)


@pytest.mark.parametrize(("days", "cutoffs"), [(5, 0), (30, 2)])
def test_too_little_history_still_forecasts(days: int, cutoffs: int) -> None:
    fitted = fit(made_up(days=days), HORIZON, QUICK)
    assert len(fitted.backtest.cutoffs) <= cutoffs + 1
    forecast = fitted.predict().frame
    assert len(forecast) == 6 * HORIZON
    assert forecast["fallback"].str.startswith("short:").all()


def test_three_periods_are_too_few() -> None:
    with pytest.raises(UsageError, match="3 known periods: at least 4"):
        fit(made_up(days=3), HORIZON, QUICK)


def test_a_cutoff_from_before_the_first_year_does_not_widen_intervals_that_know_one(quick: Fitted) -> None:
    tested = quick.backtest
    missed = np.concatenate([tested.truth[:1] * 50, tested.truth[1:]])
    knew = tuple(replace(one, knows_year=number > 0) for number, one in enumerate(tested.cutoffs))
    usual = _width(quick)
    assert _width(replace(quick, backtest=replace(tested, truth=missed))) > 3 * usual
    assert _width(replace(quick, backtest=replace(tested, truth=missed, cutoffs=knew))) < 1.5 * usual


def _width(fitted: Fitted) -> float:
    forecast = fitted.predict().frame
    return float((forecast["q975"] - forecast["q025"]).mean())
