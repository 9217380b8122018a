"""One LightGBM model for all series and steps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ml.forecast.members.windows import Windows, forecast_windows, training_windows
from ml.forecast.panel.decomposition import Decomposition, row_means
from ml.forecast.panel.panel import Array, History
from ml.forecast.settings import Settings

if TYPE_CHECKING:
    from lightgbm import Booster

_ROUNDS = 150
_MOST_ROWS = 300_000
_FILE = "boosting.txt"


class Boosting:
    """Gradient boosted trees (Ke et al. 2017), direct for all steps: the step is a feature.

    Like the network, it learns z less the recent level in units of the series' spread, by absolute error. The season is
    not among its features: it is in the decomposition, and trees cannot continue a year that they saw half of.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.booster: Booster | None = None

    def fit(self, history: History, shared: Decomposition) -> None:
        """Learn from windows of all series, one example per known step."""
        import lightgbm

        self.booster = None
        most = max(1, _MOST_ROWS // history.horizon)
        windows = training_windows(history, shared, most, self.settings.seed)
        if len(windows.row) < 50:
            return
        truth = windows.future.reshape(-1)
        seen = np.isfinite(truth)
        data = lightgbm.Dataset(_features(history, shared, windows)[seen], label=truth[seen])
        parameters = {
            "objective": "regression_l1",
            "learning_rate": 0.05,
            "num_leaves": 15,
            "min_data_in_leaf": 60,
            "feature_fraction": 0.6,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "lambda_l2": 5.0,
            "seed": self.settings.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }
        self.booster = lightgbm.train(parameters, data, num_boost_round=_ROUNDS)

    def forecast(self, history: History, shared: Decomposition) -> Array:
        """The median of z, (series, horizon); the recent level where there was too little to learn from."""
        windows = forecast_windows(history, shared)
        moves = np.zeros(windows.future.shape)
        if self.booster is not None:
            forecast = np.asarray(self.booster.predict(_features(history, shared, windows)), dtype=float)
            moves = forecast.reshape(moves.shape)
        return windows.level[:, None] + windows.spread[:, None] * moves

    def save(self, folder: Path) -> None:
        """LightGBM's own text."""
        if self.booster is not None:
            self.booster.save_model(folder / _FILE)

    def load(self, folder: Path) -> None:
        """Read the trees back."""
        import lightgbm

        path = folder / _FILE
        self.booster = lightgbm.Booster(model_file=path) if path.is_file() else None


def _features(history: History, shared: Decomposition, windows: Windows) -> Array:
    """A row per example and step: how the past went, and what is known of the step."""
    horizon = windows.future.shape[1]
    reach = sorted({1, 3, history.season // 4, history.season, windows.past.shape[1] // 2, windows.past.shape[1]})
    recent = [row_means(windows.past[:, -k:]) for k in reach if 0 < k <= windows.past.shape[1]]
    turbulence = np.sqrt(row_means(windows.past**2))
    size = np.log(shared.unit) + shared.base.mean(axis=1)
    example = np.stack([*recent, turbulence, size[windows.row], np.log(windows.spread)], axis=1)
    periods = windows.future_periods()
    step = np.broadcast_to(np.arange(horizon, dtype=float), periods.shape)
    known = shared.cues[windows.row[:, None], periods]
    each = np.concatenate([step[:, :, None], known], axis=2)
    repeated = np.repeat(example[:, None, :], horizon, axis=1)
    joined: Array = np.concatenate([repeated, each], axis=2).reshape(len(windows.row) * horizon, -1)
    return joined
