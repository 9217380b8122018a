from __future__ import annotations

import numpy as np

from ml.forecast.ensemble import Fitted, fit
from ml.forecast.lead_time import lead_time_demand
from ml.forecast.reconciliation import roll_up
from tests.ml.forecast.conftest import HORIZON, QUICK, made_up


def test_levels_add_up(quick: Fitted) -> None:
    forecast = quick.predict()
    levels = roll_up(quick, forecast)
    assert set(levels["name"]) == {"odd", "even", "total"}
    by_day = forecast.frame.groupby("on")["mean"].sum()
    for level in ("category", "total"):
        assert np.allclose(levels[levels["level"] == level].groupby("on")["mean"].sum(), by_day)
    assert (levels["q025"] <= levels["q10"]).all()
    assert (levels["q10"] < levels["mean"]).all()
    assert (levels["mean"] < levels["q90"]).all()


def test_a_sum_of_many_is_relatively_surer_than_one(quick: Fitted) -> None:
    forecast = quick.predict()
    one = ((forecast.frame["q90"] - forecast.frame["q10"]) / forecast.frame["mean"]).mean()
    levels = roll_up(quick, forecast)
    total = levels[levels["level"] == "total"]
    assert ((total["q90"] - total["q10"]) / total["mean"]).mean() < one


def test_levels_without_any_cutoff() -> None:
    fitted = fit(made_up(days=6), HORIZON, QUICK)
    assert not fitted.backtest.cutoffs
    forecast = fitted.predict()
    total = roll_up(fitted, forecast).query("level == 'total'")
    assert np.allclose(total["mean"], forecast.frame.groupby("on")["mean"].sum())
    assert lead_time_demand(fitted, forecast, 3)["q95"].gt(0).all()
