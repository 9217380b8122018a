from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson

from lakehouse.errors import UsageError
from ml.forecast.ensemble import Fitted, fit
from ml.forecast.lead_time import lead_time_demand
from ml.forecast.panel.panel import Panel
from ml.forecast.reconciliation import roll_up
from ml.forecast.uplift import effects
from tests.ml.forecast.conftest import HORIZON, QUICK, made_up, with_y


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


def test_lead_time_demand_is_less_uncertain_than_its_days_together(quick: Fitted) -> None:
    forecast = quick.predict()
    plan = lead_time_demand(quick, forecast, {f"s{k}": 5 if k % 2 else 3 for k in range(6)})
    assert plan["periods"].tolist() == [3, 5, 3, 5, 3, 5]
    first = forecast.frame[(forecast.frame["step"] <= 3) & (forecast.frame["series_id"] == "s0")]
    mean, q95 = (float(plan[name].to_numpy()[0]) for name in ("mean", "q95"))
    assert mean == pytest.approx(first["mean"].sum())
    assert mean < q95 < first["q95"].sum() * 1.05
    assert (plan["q80"] <= plan["q99"]).all()


def test_the_sum_of_independent_days_has_the_quantiles_of_its_distribution() -> None:
    random, on = np.random.default_rng(2), pd.date_range("2024-01-01", periods=150 + HORIZON)
    frames = [
        pd.DataFrame({"series_id": f"s{k}", "on": on, "y": np.append(random.poisson(20, 150), [np.nan] * HORIZON)})
        for k in range(20)
    ]
    fitted = fit(Panel(pd.concat(frames, ignore_index=True), "D", ()), HORIZON, QUICK)
    plan = lead_time_demand(fitted, fitted.predict(), 5)
    for level in (0.5, 0.8, 0.95, 0.99):
        expected = poisson.ppf(level, plan["mean"])
        assert plan[f"q{round(level * 100)}"].to_numpy() == pytest.approx(expected, rel=0.05)


def test_one_gross_error_of_the_past_does_not_multiply_the_stock(quick: Fitted) -> None:
    forecast, tested = quick.predict(), quick.backtest
    wrong = replace(tested, truth=np.concatenate([tested.truth[:1] * 50, tested.truth[1:]]))
    usual = lead_time_demand(quick, forecast, 5)
    after = lead_time_demand(replace(quick, backtest=wrong), forecast, 5)
    assert (after["q95"] > usual["q95"]).all()
    assert (after["q95"] < 2.5 * after["mean"]).all()


def test_a_series_that_sells_nothing_needs_no_stock(panel: Panel) -> None:
    fitted = fit(with_y(panel, "s2", 0.0), HORIZON, QUICK)
    plan = lead_time_demand(fitted, fitted.predict(), 5).set_index("series_id").loc["s2"]
    assert (plan[["mean", "q50", "q95", "q99"]] == 0).all()


def test_a_lead_time_beyond_the_horizon_is_refused(quick: Fitted) -> None:
    with pytest.raises(UsageError, match="between 1 and 7"):
        lead_time_demand(quick, quick.predict(), 8)


def test_planted_uplift_and_elasticity_are_found_within_their_error() -> None:
    panel = made_up(series=10, days=200, horizon=0)
    random = np.random.default_rng(5)
    frame = panel.frame.copy()
    frame["price"] = 10 * np.exp(0.2 * random.normal(size=len(frame)))
    frame["y"] = random.poisson(frame["y"] * (frame["price"] / 10) ** -1.4).astype(float)
    found = effects(Panel(frame, "D", ("promotion", "price")), ("promotion",), ("price",)).set_index("feature")
    planted = np.array([0.5, -1.4])
    assert found.index.tolist() == ["promotion", "price"]
    assert (np.abs(found["effect"].to_numpy() - planted) < 3 * found["standard_error"]).all()
    assert (found["standard_error"] < 0.05).all()


def test_effects_that_cannot_be_estimated_are_said(panel: Panel) -> None:
    with pytest.raises(UsageError, match="price: not among the known features promotion"):
        effects(panel, ("price",))
    with pytest.raises(UsageError, match="promotion never changes"):
        effects(Panel(panel.frame.assign(promotion=1.0), "D", panel.covariates), ("promotion",))
    with pytest.raises(UsageError, match="not above 0"):
        effects(panel, (), ("promotion",))
    assert isinstance(effects(panel, ("promotion",)), pd.DataFrame)
