"""Features of regressions: what is known ahead, filled and on one scale."""

from __future__ import annotations

import numpy as np

from ml.forecast.panel import Array, History


def design(history: History, alignment: Array | None) -> Array:
    """Columns (series, T + horizon, k) for regressions on the log scale.

    With an `alignment` (weeks), the target is a ratio to last year, so features are changes since then: a promotion
    in both years explains nothing. Monthly panels leave list prices out: one series has too few price changes to learn
    from, and its trend takes their place.
    """
    values = filled(history)
    if history.frequency == "M":
        values = values[:, :, [i for i, name in enumerate(history.known) if "price" not in name]]
    if alignment is not None:
        compared = alignment.sum(axis=1) > 0.5
        earlier = np.einsum("ts,nsk->ntk", alignment, values)
        values = np.where(compared[None, :, None], values - earlier, 0.0)
    return standardised(values, history.length)


def filled(history: History) -> Array:
    """The known features with each unknown value replaced by the series' median, 0 where it has none."""
    values = history.x.copy()
    for k in range(values.shape[2]):
        column = values[:, :, k]
        some = np.isfinite(column[:, : history.length]).any(axis=1)
        usual = np.zeros(len(column))
        if some.any():
            usual[some] = np.nanmedian(column[some, : history.length], axis=1)
        values[:, :, k] = np.where(np.isfinite(column), column, usual[:, None])
    return values


def standardised(values: Array, length: int) -> Array:
    """Columns divided by their standard deviation over the panel's past; columns that never change become 0."""
    past = values[:, :length]
    mean, spread = past.mean(axis=(0, 1)), past.std(axis=(0, 1))
    changing = spread > 1e-9
    scaled: Array = np.where(changing, (values - mean) / np.where(changing, spread, 1.0), 0.0)
    return np.clip(scaled, -8, 8)
