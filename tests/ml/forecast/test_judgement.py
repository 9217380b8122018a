from __future__ import annotations

import numpy as np
import pytest

from ml.forecast.ensemble import Fitted, fit
from ml.forecast.judgement import ENSEMBLE, EVERYTHING, NAIVE, held_out
from ml.forecast.panel import Panel
from tests.ml.forecast.conftest import HORIZON, QUICK, with_y


@pytest.fixture(scope="module")
def rarely_sold(panel: Panel) -> Fitted:
    """The first series sells 5 pieces every third week, which a plain rule forecasts."""
    known = int((panel.frame["series_id"].eq("s0") & (panel.frame["on"] <= panel.cut)).sum())
    return fit(with_y(panel, "s0", np.where(np.arange(known) % 21 == 0, 5.0, 0.0)), HORIZON, QUICK)


def test_each_origin_is_judged_on_the_periods_after_it(quick: Fitted) -> None:
    cube = quick.panel.cube
    for newer in range(len(quick.backtest.origins)):
        seen = held_out(quick, newer)
        assert seen is not None
        last = cube.length - newer * HORIZON
        assert list(seen.dates) == list(cube.dates[last - HORIZON : last])
        assert np.array_equal(seen.truth, cube.y[:, last - HORIZON : last])
    assert held_out(quick, len(quick.backtest.origins)) is None


def test_an_origin_is_judged_without_what_newer_ones_taught(panel: Panel, quick: Fitted) -> None:
    early = panel.frame[panel.frame["on"] <= panel.cube.dates[panel.cube.length - 1]].copy()
    newest = early["on"] > panel.cube.dates[panel.cube.length - 1 - HORIZON]
    early.loc[newest, "y"] *= np.random.default_rng(0).integers(0, 9, newest.sum())
    other = fit(Panel(early, "D", panel.known, panel.groups), HORIZON, QUICK)
    one, same = held_out(quick, 1), held_out(other, 1)
    assert one is not None
    assert same is not None
    assert np.array_equal(one.quantiles, same.quantiles)
    assert np.array_equal(one.mean, same.mean)


def test_of_what_a_plain_rule_forecasts_all_members_say_the_same(rarely_sold: Fitted) -> None:
    seen = held_out(rarely_sold)
    assert seen is not None
    for name in rarely_sold.backtest.names:
        assert np.array_equal(seen.said[name][0], seen.said[ENSEMBLE][0])
        assert not np.array_equal(seen.said[name][1:], seen.said[ENSEMBLE][1:])


def test_the_mean_is_measured_beside_the_median(rarely_sold: Fitted) -> None:
    seen = held_out(rarely_sold)
    assert seen is not None
    found = seen.measures().query(f"demand_class == '{EVERYTHING}'").set_index(["member", "measure"])["value"]
    truth = seen.truth.sum()
    assert found[ENSEMBLE, "bias of mean"] == pytest.approx((seen.mean.sum() - truth) / truth)
    assert found[ENSEMBLE, "bias"] == pytest.approx((seen.said[ENSEMBLE].sum() - truth) / truth)
    assert found[ENSEMBLE, "MASE"] < found[NAIVE, "MASE"]
