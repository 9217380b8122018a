from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ml.forecast.ensemble import fit
from ml.forecast.panel.decomposition import decompose
from ml.forecast.panel.panel import Panel
from ml.forecast.uncertainty.smearing import smearing_of
from tests.ml.forecast.conftest import HORIZON, QUICK, with_y

DAYS, SIGMA = 100, {"calm": 0.1, "wild": 0.9}


def noisy(series: int = 12) -> Panel:
    """Lognormal demand around 200, of two categories: the mean is exp(sigma squared / 2) times the median."""
    random, on = np.random.default_rng(5), pd.date_range("2024-01-01", periods=DAYS + HORIZON)
    names = [f"{category} {number}" for category in SIGMA for number in range(series)]
    drawn = [200 * np.exp(SIGMA[name.split()[0]] * random.normal(size=len(on))) for name in names]
    known = np.arange(len(on)) < DAYS
    frames = [
        pd.DataFrame({"series_id": name, "on": on, "y": np.where(known, y, np.nan)})
        for name, y in zip(names, drawn, strict=True)
    ]
    groups = pd.DataFrame({"series_id": names, "category": [name.split()[0] for name in names]})
    return Panel(pd.concat(frames, ignore_index=True), "D", (), groups)


def test_a_mean_lies_above_its_median_as_far_as_its_category_varies() -> None:
    history = (cube := noisy().cube).until(cube.length, HORIZON)
    found = smearing_of(history, decompose(history, QUICK), np.ones(len(history.ids), bool)).smearing
    calm = np.array(history.category) == "calm"
    assert found[calm] == pytest.approx(np.exp(0.1**2 / 2), rel=0.06)  # drawn to the others a little
    assert found[~calm] == pytest.approx(np.exp(0.9**2 / 2), rel=0.12)


def test_noise_is_what_single_periods_vary_around_their_level() -> None:
    history = (cube := noisy().cube).until(cube.length, HORIZON)
    found = smearing_of(history, decompose(history, QUICK), np.ones(len(history.ids), bool))
    calm = np.array(history.category) == "calm"
    for mine, sigma in ((calm, 0.1), (~calm, 0.9)):
        mean = 200 * np.exp(sigma**2 / 2)
        assert found.usual[mine].mean() == pytest.approx(mean, rel=0.1)
        assert found.noise[mine].mean() == pytest.approx(mean * np.sqrt(np.exp(sigma**2) - 1), rel=0.15)


def test_a_series_without_a_sale_has_no_noise() -> None:
    panel = with_y(noisy(2), "calm 0", 0.0)
    history = panel.cube.until(panel.cube.length, HORIZON)
    found = smearing_of(history, decompose(history, QUICK), np.ones(4, bool))
    assert (found.noise[0], found.usual[0]) == (0, 0)
    assert np.isfinite([found.noise, found.usual, found.smearing]).all()


def test_a_young_shop_without_a_cutoff_has_means_too() -> None:
    panel = noisy()
    known = panel.frame["y"].notna()
    young = Panel(
        panel.frame[~known | (panel.frame["on"] >= panel.cutoff - pd.Timedelta(days=49))], "D", (), panel.groups
    )
    fitted = fit(young, 60, QUICK)
    assert not fitted.backtest.cutoffs
    forecast = fitted.predict().frame
    wild = forecast[forecast["series_id"].str.startswith("wild")]
    assert wild["mean"].mean() == pytest.approx(200 * np.exp(0.9**2 / 2), rel=0.15)
    assert wild["median"].mean() == pytest.approx(200, rel=0.15)


def test_where_nothing_is_regular_nothing_is_known() -> None:
    history = (cube := noisy(2).cube).until(cube.length, HORIZON)
    assert (smearing_of(history, decompose(history, QUICK), np.zeros(4, bool)).smearing == 1).all()
