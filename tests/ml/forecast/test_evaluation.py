from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ml.forecast.ensemble import Fitted, fit
from ml.forecast.evaluation import ENSEMBLE, EVERYTHING, NAIVE, against, held_out
from ml.forecast.panel.panel import Panel
from tests.ml.forecast.conftest import HORIZON, QUICK, with_y


@pytest.fixture(scope="module")
def rarely_sold(panel: Panel) -> Fitted:
    """The first series sells 5 pieces every third week, which a plain rule forecasts."""
    known = int((panel.frame["series_id"].eq("s0") & (panel.frame["on"] <= panel.cutoff)).sum())
    return fit(with_y(panel, "s0", np.where(np.arange(known) % 21 == 0, 5.0, 0.0)), HORIZON, QUICK)


def test_each_cutoff_is_evaluated_on_the_periods_after_it(quick: Fitted) -> None:
    cube = quick.panel.cube
    for newer in range(len(quick.backtest.cutoffs)):
        seen = held_out(quick, newer)
        assert seen is not None
        last = cube.length - newer * HORIZON
        assert list(seen.dates) == list(cube.dates[last - HORIZON : last])
        assert np.array_equal(seen.truth, cube.y[:, last - HORIZON : last])
    assert held_out(quick, len(quick.backtest.cutoffs)) is None


def test_a_cutoff_is_evaluated_without_what_newer_ones_taught(panel: Panel, quick: Fitted) -> None:
    early = panel.frame[panel.frame["on"] <= panel.cube.dates[panel.cube.length - 1]].copy()
    newest = early["on"] > panel.cube.dates[panel.cube.length - 1 - HORIZON]
    early.loc[newest, "y"] *= np.random.default_rng(0).integers(0, 9, newest.sum())
    other = fit(Panel(early, "D", panel.covariates, panel.groups), HORIZON, QUICK)
    one, same = held_out(quick, 1), held_out(other, 1)
    assert one is not None
    assert same is not None
    assert np.array_equal(one.quantiles, same.quantiles)
    assert np.array_equal(one.mean, same.mean)


def test_of_what_a_plain_rule_forecasts_all_members_say_the_same(rarely_sold: Fitted) -> None:
    seen = held_out(rarely_sold)
    assert seen is not None
    for name in rarely_sold.backtest.names:
        assert np.array_equal(seen.forecasts[name][0], seen.forecasts[ENSEMBLE][0])
        assert not np.array_equal(seen.forecasts[name][1:], seen.forecasts[ENSEMBLE][1:])


def test_the_mean_is_measured_beside_the_median(rarely_sold: Fitted) -> None:
    seen = held_out(rarely_sold)
    assert seen is not None
    found = seen.measures().query(f"demand_class == '{EVERYTHING}'").set_index(["member", "measure"])["value"]
    truth = seen.truth.sum()
    assert found[ENSEMBLE, "bias of mean"] == pytest.approx((seen.mean.sum() - truth) / truth)
    assert found[ENSEMBLE, "bias"] == pytest.approx((seen.forecasts[ENSEMBLE].sum() - truth) / truth)
    assert found[ENSEMBLE, "MASE"] < found[NAIVE, "MASE"]


def before(panel: Panel, periods: int) -> Panel:
    """The panel as it was so many periods ago."""
    cutoff = panel.cutoff - pd.Timedelta(days=periods)
    frame = panel.frame[panel.frame["on"] <= cutoff + pd.Timedelta(days=HORIZON)]
    return Panel(frame.assign(y=frame["y"].where(frame["on"] <= cutoff)), "D", panel.covariates, panel.groups)


def test_a_champion_is_compared_by_what_it_said_before_it_knew(panel: Panel, quick: Fitted) -> None:
    seen = held_out(quick)
    assert seen is not None
    same = against(quick, panel, seen, 0)
    assert same is not None
    assert (same.value, same.low, same.high) == (1.0, 1.0, 1.0)  # asked today, it would know the answers
    younger, older = (fit(before(panel, days), HORIZON, QUICK) for days in (2, HORIZON))
    its_own = held_out(younger)
    assert its_own is not None
    shared = [day for day in its_own.dates if day in seen.dates]
    assert len(shared) == HORIZON - 2
    mine, theirs = (
        np.abs(one.forecasts[ENSEMBLE] - one.truth)[:, np.asarray(one.dates.isin(shared))].mean(axis=1) / seen.scale
        for one in (seen, its_own)
    )
    found = against(younger, panel, seen, 0)
    assert found is not None
    assert found.value == pytest.approx(mine.mean() / theirs.mean())
    asked = older.predict().frame.pivot(index="series_id", columns="on", values="median").to_numpy()
    found = against(older, panel, seen, 0)
    assert found is not None
    mine, theirs = (
        np.abs(forecast - seen.truth).mean(axis=1) / seen.scale for forecast in (seen.forecasts[ENSEMBLE], asked)
    )
    assert found.value == pytest.approx(mine.mean() / theirs.mean())


def test_a_champion_of_another_kind_or_of_other_series_is_not_compared(panel: Panel, quick: Fitted) -> None:
    seen = held_out(quick)
    assert seen is not None
    other = panel.frame.assign(series_id="x" + panel.frame["series_id"])
    assert against(fit(Panel(other, "D", panel.covariates), HORIZON, QUICK), panel, seen, 0) is None
    unaware = panel.frame.drop(columns="promotion")
    assert against(fit(Panel(unaware, "D"), HORIZON, QUICK), panel, seen, 0) is None
