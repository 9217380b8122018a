"""What promotions and prices do to demand, with the error of the estimate."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lakehouse.errors import UsageError
from ml.forecast.panel.design import filled
from ml.forecast.panel.panel import Array, Panel

_STEPS, _SMALL = 50, 1e-8
_DAYS_FOR_SEASON = 400
_SEVERAL = 5  # series of a category of which one can be compared with the others
_SWEEPS = 30


def effects(
    panel: Panel, features: tuple[str, ...], logs: tuple[str, ...] = (), *, by_period: bool = False
) -> pd.DataFrame:
    """The effect of features on log demand: feature, effect, standard_error, low, high (95 %), observations.

    The effect of a flag is a log uplift (0.3: exp(0.3) - 1 = 35 % more), that of a feature named in `logs`, whose
    logarithm is taken (a price), an elasticity (-1.5: 1 % dearer sells 1.5 % less). Each series has a level of its own
    and all share weekday (daily panels), season and trend. Other covariates are held fixed. With `by_period` each
    period has a level of its own instead, and effects are those against the panel's other series in the same period:
    what one series takes from the others then does not hide a part of its effect.

    Log-linear in the mean, by Poisson pseudo-likelihood, so that periods without sales count as they are (Santos Silva
    and Tenreyro 2006, "The log of gravity", doi:10.1162/rest.88.4.641); standard errors are clustered by series, since
    errors of one series go together (by period if there are fewer than 8 series).
    """
    asked = [*features, *logs]
    if unknown := sorted(set(asked) - set(panel.cube.covariates)):
        raise UsageError(
            f"{', '.join(unknown)}: not among the known features {', '.join(panel.cube.covariates) or '(none)'}"
        )
    cube = panel.cube
    history = cube.until(cube.length, 0)
    values = filled(history)
    for name in logs:
        k = cube.covariates.index(name)
        if not (values[:, :, k] > 0).all():
            raise UsageError(f"{name} has values that are not above 0: an elasticity needs prices")
        values[:, :, k] = np.log(values[:, :, k])
    others = [k for k, name in enumerate(cube.covariates) if name not in asked]
    order = [cube.covariates.index(name) for name in asked] + others
    columns = values[:, :, order]
    if not by_period:
        columns = np.concatenate([columns, _time(history.dates, len(cube.ids), panel.frequency == "D")], axis=2)
    sold = (cube.y > 0).any(axis=1)
    y = np.clip(cube.y[sold], 0, None)
    if y.size == 0:
        raise UsageError("nothing was sold in any series: no effect can be estimated")
    columns, kept = _varying(columns[sold], np.isfinite(y))
    if lost := [name for k, name in enumerate(asked) if k not in kept]:
        raise UsageError(f"{', '.join(lost)} never changes within a series: no effect can be estimated")
    effect, error = _poisson(y, columns, by_period)
    count = len(asked)
    return pd.DataFrame(
        {
            "feature": asked,
            "effect": effect[:count],
            "standard_error": error[:count],
            "low": effect[:count] - 1.96 * error[:count],
            "high": effect[:count] + 1.96 * error[:count],
            "observations": int(np.isfinite(y).sum()),
        }
    )


def by_category(panel: Panel, features: tuple[str, ...]) -> pd.DataFrame:
    """`effects` of those of the features that change, category by category: category, feature, effect, ..., high.

    Where a category has several series they are compared with each other (`by_period`). Categories and features from
    which nothing can be estimated have no row.
    """
    names, found = np.array(panel.cube.category), []
    for category in np.unique(names):
        inside = [name for name, own in zip(panel.cube.ids, names, strict=True) if own == category]
        rows = panel.frame[panel.frame["series_id"].isin(inside)]
        known = tuple(name for name in panel.covariates if _changes_within(rows, name))
        asked = tuple(name for name in features if name in known)
        if asked and (rows["y"] > 0).any():
            some = Panel(rows, panel.frequency, known)
            several = len(inside) >= _SEVERAL
            found.append(effects(some, asked, by_period=several).assign(category=category))
    columns = ["category", "feature", "effect", "standard_error", "low", "high", "observations"]
    return pd.concat(found)[columns] if found else pd.DataFrame(columns=columns)


def _changes_within(rows: pd.DataFrame, name: str) -> bool:
    sold = rows[rows["y"].notna()]
    return bool((sold.groupby("series_id")[name].nunique() > 1).any())


def _time(dates: pd.DatetimeIndex, series: int, daily: bool) -> Array:
    """Trend, season and weekday; in a part of a year a season is a bend of the trend."""
    place = np.linspace(-1, 1, len(dates))
    if (dates[-1] - dates[0]).days >= _DAYS_FOR_SEASON:
        turn = 2 * np.pi * dates.dayofyear.to_numpy(float) / 365.25
        columns = [place, np.sin(turn), np.cos(turn), np.sin(2 * turn), np.cos(2 * turn)]
    else:
        columns = list(np.polynomial.legendre.legvander(place, 3).T[1:])
    if daily:
        columns += [(dates.dayofweek.to_numpy() == day).astype(float) for day in range(6)]
    stacked = np.stack(columns, axis=1)
    return np.broadcast_to(stacked[None], (series, *stacked.shape))


def _varying(columns: Array, known: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> tuple[Array, list[int]]:
    """The columns that change within some series, centred there."""
    weight = known[:, :, None].astype(float)
    centre = (columns * weight).sum(axis=1, keepdims=True) / np.maximum(weight.sum(axis=1, keepdims=True), 1)
    centred = (columns - centre) * weight
    kept = np.flatnonzero((centred**2).sum(axis=(0, 1)) > _SMALL).tolist()
    return centred[:, :, kept], kept


def _poisson(y: Array, columns: Array, by_period: bool) -> tuple[Array, Array]:
    """Coefficients and clustered standard errors of a Poisson regression with a level per series (and per period)."""
    known = np.isfinite(y)
    sold = np.where(known, y, 0.0)
    effect = np.zeros(columns.shape[2])
    for _ in range(_STEPS):
        relative = np.exp(np.clip(columns @ effect, -20, 20)) * known
        expected, within = relative, columns
        for axis in (1, 0) * _SWEEPS if by_period else (1,):
            expected = expected * _ratio(sold, expected, axis)
        for axis in (1, 0) * _SWEEPS if by_period else (1,):
            within = within - _mean(within, expected, axis)
        gram = np.einsum("nt,ntk,ntj->kj", expected, within, within, optimize=True)
        gram[np.diag_indices_from(gram)] += _SMALL * (1 + np.diag(gram))
        step = np.linalg.solve(gram, np.einsum("nt,ntk->k", sold - expected, within))
        effect = effect + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-8:
            break
    by = "nt,ntk->nk" if len(y) >= 8 else "nt,ntk->tk"
    scores = np.einsum(by, (sold - expected) * known, within)
    bread = np.linalg.inv(gram)
    clusters = len(scores)
    meat = scores.T @ scores * clusters / max(clusters - 1, 1)
    return effect, np.sqrt(np.diag(bread @ meat @ bread))


def _ratio(sold: Array, expected: Array, axis: int) -> Array:
    return np.asarray(sold.sum(axis=axis, keepdims=True) / np.maximum(expected.sum(axis=axis, keepdims=True), _SMALL))


def _mean(columns: Array, weight: Array, axis: int) -> Array:
    """The weighted mean of each column over series (0) or periods (1)."""
    weight = weight[:, :, None]
    sums = (columns * weight).sum(axis=axis, keepdims=True)
    return np.asarray(sums / np.maximum(weight.sum(axis=axis, keepdims=True), _SMALL))
