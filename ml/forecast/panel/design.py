"""Features of regressions: what is known ahead, filled and on one scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ml.forecast.panel.panel import Array, History

_OFTEN = 8  # times that a flag fell on a weekday, in the average series, to have an effect of its own there


def design(history: History) -> tuple[Array, int]:
    """Columns (series, T + horizon, k) for regressions on the log scale; how many of them do not depend on the past.

    In daily panels a flag may do more on one weekday than on another. Monthly panels leave list prices out: one series
    has too few price changes to learn from, and its trend takes their place.
    """
    values = filled(history)
    if history.frequency == "M":
        values = values[:, :, [i for i, name in enumerate(history.covariates) if "price" not in name]]
    everywhere = values.shape[2]
    if history.frequency == "D":
        values = np.concatenate([values, _by_weekday(values, history)], axis=2)
    return standardised(values, history.length), everywhere


def designs_against(history: History, alignment: Array, shares: Sequence[float]) -> Iterator[Array]:
    """Columns for targets that are ratios to these shares of last year's weeks: changes of the features since then.

    A promotion in both years explains nothing of a ratio to the whole of last year.
    """
    values = filled(history)
    earlier = np.einsum("ts,nsk->ntk", alignment, values)
    compared = alignment.sum(axis=1) > 0.5
    for share in shares:
        changes = np.where(compared[None, :, None], values - share * earlier, 0.0) if share else values
        yield standardised(changes, history.length)


def _by_weekday(values: Array, history: History) -> Array:
    """Each flag (0 or 1) on each weekday that it often falls on, (series, T + horizon, columns)."""
    past, weekday = values[:, : history.length], history.dates.dayofweek.to_numpy()
    columns = []
    for k in range(values.shape[2]):
        if not np.isin(past[:, :, k], (0.0, 1.0)).all():
            continue
        times = [past[:, weekday[: history.length] == day, k].sum(axis=1).mean() for day in range(7)]
        days = [day for day in range(7) if times[day] >= _OFTEN]
        if len(days) > 1:
            columns += [np.where(weekday[None, :] == day, values[:, :, k], 0.0) for day in days]
    return np.stack(columns, axis=2) if columns else np.zeros((*values.shape[:2], 0))


def filled(history: History) -> Array:
    """The covariates with each unknown value replaced by the series' median, 0 where it has none."""
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
