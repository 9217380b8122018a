"""Examples for global models: past and future around many cutoffs of many series, on one scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.forecast.panel.decomposition import Decomposition, row_means, row_medians
from ml.forecast.panel.panel import Array, Frequency, History

LOOK_BACK: dict[Frequency, int] = {"D": 56, "W": 26, "M": 12}  # periods that a model sees of the past
_RECENT: dict[Frequency, int] = {"D": 28, "W": 13, "M": 4}  # periods whose mean is the level
_LEAST: dict[Frequency, int] = {"D": 28, "W": 6, "M": 6}  # known periods before a cutoff


@dataclass(frozen=True)
class Windows:
    """Examples: `past` (examples, look-back) and `future` (examples, horizon) of z less `level`, in units of `spread`.

    NaN where unknown. `row` is the series and `cutoff` the first forecast period of each example.
    """

    row: npt.NDArray[np.intp]
    cutoff: npt.NDArray[np.intp]
    past: Array
    future: Array
    level: Array
    spread: Array

    def past_periods(self) -> npt.NDArray[np.intp]:
        """The period of each cell of `past`; those before the panel's first are given as the first."""
        look_back = self.past.shape[1]
        periods: npt.NDArray[np.intp] = self.cutoff[:, None] + np.arange(-look_back, 0)[None, :]
        return np.maximum(periods, 0)

    def future_periods(self) -> npt.NDArray[np.intp]:
        """The period of each cell of `future`."""
        periods: npt.NDArray[np.intp] = self.cutoff[:, None] + np.arange(self.future.shape[1])[None, :]
        return periods


def training_windows(history: History, shared: Decomposition, most: int, seed: int) -> Windows:
    """At most `most` examples whose futures lie in the past, drawn evenly."""
    known = np.cumsum(np.isfinite(shared.z), axis=1)
    last = history.length - history.horizon
    enough = known[:, : max(last, 0)] >= _LEAST[history.frequency]
    row, before = np.nonzero(enough)
    cutoff = before + 1
    if len(row) > most:
        kept = np.sort(np.random.default_rng(seed).permutation(len(row))[:most])
        row, cutoff = row[kept], cutoff[kept]
    return _windows(history, shared, row, cutoff)


def forecast_windows(history: History, shared: Decomposition) -> Windows:
    """One example for each series: the one to forecast."""
    rows = np.arange(len(history.ids))
    return _windows(history, shared, rows, np.full(len(rows), history.length))


def shape_of(shared: Decomposition) -> Array:
    """How the decomposition moves around its own mean, (series, T + horizon): what season a model is in."""
    middle = shared.base.mean(axis=1, keepdims=True)
    shape: Array = np.clip(shared.base - middle, -3, 3)
    return shape


def _windows(
    history: History, shared: Decomposition, row: npt.NDArray[np.intp], cutoff: npt.NDArray[np.intp]
) -> Windows:
    look_back, horizon = LOOK_BACK[history.frequency], history.horizon
    series = len(history.ids)
    padded = np.concatenate(
        [np.full((series, look_back), np.nan), shared.z, np.full((series, horizon), np.nan)], axis=1
    )
    cells = np.lib.stride_tricks.sliding_window_view(padded, look_back + horizon, axis=1)[row, cutoff]
    level = row_means(cells[:, look_back - _RECENT[history.frequency] : look_back])
    spread = 1.4826 * row_medians(np.abs(shared.z - row_medians(shared.z)[:, None]))
    usual = float(np.median(spread[spread > 0])) if (spread > 0).any() else 1.0
    spread = np.clip(spread, usual / 4, usual * 4)[row]
    scaled = np.clip((cells - level[:, None]) / spread[:, None], -8, 8)
    return Windows(row, cutoff, scaled[:, :look_back], scaled[:, look_back:], level, spread)
