"""One recurrent network for all series: an encoder of the past, a decoder of the known future."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from lakehouse.errors import UsageError
from ml.forecast.members import recurrent
from ml.forecast.members.recurrent import Examples, Training, Weights
from ml.forecast.members.windows import Windows, forecast_windows, shape_of, training_windows
from ml.forecast.panel.decomposition import Decomposition
from ml.forecast.panel.panel import Array, History
from ml.forecast.settings import Settings

_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
_UNITS, _BATCH, _RATE, _DROPOUT = 24, 64, 3e-3, 0.2
_MOST_WINDOWS, _MOST_AT_ONCE = 8000, 1024
_LEAST_WINDOWS = 50
_FILE = "lstm.npz"


class Lstm:
    """A global encoder-decoder with quantile outputs (Wen et al. 2017, "A multi-horizon quantile recurrent
    forecaster", arXiv:1711.11053), averaged over seeds.

    It learns z less the series' recent level in units of its spread, so that small and large series count alike, and
    starts from "as recently": its last layer begins at zero.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.weights: Weights = {}

    def fit(self, history: History, shared: Decomposition) -> None:
        """Learn from windows of all series; the networks' weights depend on the seed and the data alone."""
        self.weights = {}
        windows = training_windows(history, shared, _MOST_WINDOWS, self.settings.seed)
        if len(windows.row) < _LEAST_WINDOWS:
            return
        seeds = [self.settings.seed + number for number in range(self.settings.lstm_seeds)]
        how = Training(_UNITS, _LEVELS, self.settings.lstm_steps, _BATCH, _RATE, _DROPOUT)
        with threadpool_limits(1):  # threads that wait for each other cost more than such matrices
            self.weights = recurrent.train(_examples(shared, windows), windows.future.astype("float32"), seeds, how)

    def forecast(self, history: History, shared: Decomposition) -> Array:
        """The median of z, (series, horizon); the recent level where there was too little to learn from."""
        windows = forecast_windows(history, shared)
        moves = np.zeros(windows.future.shape)
        if self.weights:
            with threadpool_limits(1):
                found = recurrent.ask(self.weights, _examples(shared, windows), _MOST_AT_ONCE)
            moves = found[..., _LEVELS.index(0.5)].mean(axis=0, dtype=float)
        return windows.level[:, None] + windows.spread[:, None] * moves

    def save(self, folder: Path) -> None:
        """The networks' weights, as npz."""
        if self.weights:
            np.savez(folder / _FILE, **self.weights)  # type: ignore[arg-type]  # names are those of weights

    def load(self, folder: Path) -> None:
        """Read the weights back."""
        self.weights = {}
        if next(folder.glob("lstm_*.keras"), None):
            raise UsageError(f"{folder} holds networks of another version; train again")
        if (folder / _FILE).is_file():
            with np.load(folder / _FILE) as stored:
                self.weights = dict(stored)


def _examples(shared: Decomposition, windows: Windows) -> Examples:
    """The past of each window with what was known of it, its future with the place of each step, and its series."""
    cues = np.concatenate([shared.cues, shape_of(shared)[:, :, None]], axis=2)
    rows = windows.row[:, None]
    seen = np.isfinite(windows.past)[:, :, None]
    past = [np.nan_to_num(windows.past)[:, :, None], seen, cues[rows, windows.past_periods()] * seen]
    steps = np.linspace(0, 1, windows.future.shape[1])[None, :, None]
    future = [cues[rows, windows.future_periods()], np.broadcast_to(steps, (len(rows), steps.shape[1], 1))]
    size = np.log(shared.unit[windows.row]) + shared.base.mean(axis=1)[windows.row]
    series = np.stack([size / 5.0, np.log(windows.spread)], axis=1).astype("float32")
    return Examples(
        np.concatenate(past, axis=2).astype("float32"), np.concatenate(future, axis=2).astype("float32"), series
    )
