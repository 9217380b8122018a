"""Small made-up panels, whose truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ml.forecast.ensemble import Fitted, fit
from ml.forecast.panel.panel import Panel
from ml.forecast.settings import Settings

HORIZON = 7
QUICK = Settings(members=("arima", "boosting"), origins=3)
WHOLE = Settings(origins=1, lstm_seeds=1, lstm_steps=12)


def made_up(series: int = 6, days: int = 120, horizon: int = HORIZON, seed: int = 1) -> Panel:
    """Daily demand with weekdays, a promotion that sells 65 % more, and two categories."""
    random = np.random.default_rng(seed)
    on = pd.date_range("2024-01-01", periods=days + horizon)
    frames = []
    for number in range(series):
        promotion = (random.random(len(on)) < 0.2).astype(float)
        level = 40 * (number + 1) * np.exp(0.3 * np.sin(2 * np.pi * np.arange(len(on)) / 7) + 0.5 * promotion)
        y = random.poisson(level * np.exp(0.1 * random.normal(size=len(on)))).astype(float)
        y[days:] = np.nan
        frames.append(pd.DataFrame({"series_id": f"s{number}", "on": on, "y": y, "promotion": promotion}))
    frame = pd.concat(frames, ignore_index=True)
    groups = pd.DataFrame({"series_id": [f"s{k}" for k in range(series)], "category": ["odd", "even"] * (series // 2)})
    return Panel(frame, "D", ("promotion",), groups)


def with_y(panel: Panel, series_id: str, y: np.ndarray[tuple[int], np.dtype[np.float64]] | float) -> Panel:
    """The panel with other known values in one series."""
    frame = panel.frame.copy()
    frame.loc[(frame["series_id"] == series_id) & (frame["on"] <= panel.cutoff), "y"] = y
    return Panel(frame, panel.frequency, panel.covariates, panel.groups)


@pytest.fixture(scope="session")
def panel() -> Panel:
    return made_up()


@pytest.fixture(scope="session")
def whole(panel: Panel) -> Fitted:
    return fit(panel, HORIZON, WHOLE)


@pytest.fixture(scope="session")
def quick(panel: Panel) -> Fitted:
    return fit(panel, HORIZON, QUICK)
