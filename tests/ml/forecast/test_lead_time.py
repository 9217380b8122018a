from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson

from lakehouse.errors import UsageError
from ml.forecast.ensemble import Fitted, fit
from ml.forecast.lead_time import lead_time_demand, sum_quantiles
from ml.forecast.panel.panel import Panel
from tests.ml.forecast.conftest import HORIZON, QUICK, with_y


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


def test_the_sum_of_a_later_span_is_that_of_its_periods(quick: Fitted) -> None:
    forecast = quick.predict()
    sums = sum_quantiles(quick, forecast, [(1, 3), (4, 7)])
    own = forecast.frame[(forecast.frame["series_id"] == "s0") & (forecast.frame["step"] >= 4)]
    later = sums[(sums["series_id"] == "s0") & (sums["first"] == 4)].iloc[0]
    assert later["mean"] == pytest.approx(own["mean"].sum())
    assert own["q025"].sum() < later["q025"] < later["median"] < later["q975"] < own["q975"].sum()
    plan = lead_time_demand(quick, forecast, 3).set_index("series_id")
    first = sums[sums["first"] == 1].set_index("series_id")
    pd.testing.assert_series_equal(first["q95"], plan["q95"])
    with pytest.raises(UsageError, match="ask the rule itself"):
        sum_quantiles(quick, replace(forecast, smearing=None), [(1, 3)])


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
