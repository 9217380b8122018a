from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lakehouse.errors import UsageError
from ml.forecast.panel.panel import Panel
from ml.forecast.uplift import effects
from tests.ml.forecast.conftest import made_up


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
