"""What all members share: the log scale, the seasonality, and the pooled effects of features.

Members forecast what is left, `z`, so each of them starts from the seasonality of the whole panel. A forecast is
`to_units(base + z)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.forecast.panel.design import design, designs_against
from ml.forecast.panel.last_year import weekly_alignment
from ml.forecast.panel.panel import YEAR, Array, Frequency, History
from ml.forecast.settings import Settings

_SMOOTHING = 0.6  # how much of a series' own week-to-week noise is taken out of last year
_SECOND_YEAR = 0.4  # weight of the year before last, where there is one
_CATEGORY_PRIOR = 6.0  # series of other categories that weigh as much as one of the same
_RIDGE = 10.0  # periods of no effect that the panel starts from: series share their shocks, so periods count
_SWEEPS = 3  # of season and effects in turn
_BELIEFS = (1.0, 0.75, 0.5, 0.25, 0.0)  # shares of last year's weeks that may be expected again
_MUCH_BETTER = 1.15  # another share than the whole must be: Christmas comes once, and hardly counts among all weeks
_HALF_LIFE_YEARS = 1.0
_YEAR_DAYS = YEAR["D"]
# From when on there is a season of the year; the days that two years have tell its growth from it.
_FOR_YEAR: dict[Frequency, int] = {"D": _YEAR_DAYS + 56, "W": 60, "M": 18}
_SMOOTH_DAYS = 10  # on both sides
_BELIEF = 0.8  # of what one or two years show of a season
_NOTHING_IS_RARE = 0.02  # share of periods without demand up to which a series is one of ratios
_LEAST_UNIT = 1e-9
_SOFTENED = 0.3  # of the mean: the unit of the logarithm of other series, so that a zero is no abyss


@dataclass(frozen=True)
class Decomposition:
    """The shared part of a forecast, on the log scale of `y / unit` (see `to_log`).

    `base` (series, T + horizon) is what is expected before a member speaks, `z` (series, T) what the past held beyond
    it, NaN where unknown, with outliers cut at 4 robust standard deviations. `design` (series, T + horizon, columns)
    are the features of local regressions; the first `everywhere` columns are there in every history of a kind of panel.
    """

    unit: Array
    base: Array
    z: Array
    design: Array
    everywhere: int
    recency: Array  # (T,) weights of past periods, 1 for the last

    @property
    def cues(self) -> Array:
        """The features of global members, which must find in later histories what they learnt from."""
        return self.design[:, :, : self.everywhere]

    def to_units(self, z: Array) -> Array:
        """Forecasts in units of y from `z` (series, horizon)."""
        horizon = z.shape[1]
        return to_units(self.base[:, -horizon:] + z, self.unit)

    def spread_over(self, rows: npt.NDArray[np.intp], count: int) -> Decomposition:
        """The same as these rows of `count` series; nothing is expected and nothing known of the others."""

        def spread(values: Array, blank: float) -> Array:
            found = np.full((count, *values.shape[1:]), blank)
            found[rows] = values
            return found

        return Decomposition(
            unit=spread(self.unit, _LEAST_UNIT),
            base=spread(self.base, 0.0),
            z=spread(self.z, np.nan),
            design=spread(self.design, 0.0),
            everywhere=self.everywhere,
            recency=self.recency,
        )

    def only(self, rows: npt.NDArray[np.intp]) -> Decomposition:
        """The same of some of the series."""
        return Decomposition(
            self.unit[rows], self.base[rows], self.z[rows], self.design[rows], self.everywhere, self.recency
        )


def to_log(y: Array, unit: Array) -> Array:
    """log1p of y in its unit. Negative values, returns beyond sales, count as nothing."""
    logs: Array = np.log1p(np.clip(y, 0, None) / unit[:, None])
    return logs


def to_units(logs: Array, unit: Array) -> Array:
    """The inverse of `to_log`, never below 0."""
    return np.clip(np.expm1(np.minimum(logs, 30.0)) * unit[:, None], 0, None)


def knows_year(history: History) -> bool:
    """Whether the past is long enough for a season of the year."""
    return history.length >= _FOR_YEAR[history.frequency]


def decompose(history: History, settings: Settings) -> Decomposition:
    """Learn the shared part from the past of a whole panel; a series of which nothing is known yet tells nothing."""
    known = np.flatnonzero(np.isfinite(history.y).any(axis=1))
    if 0 < len(known) < len(history.ids):
        return decompose(history.only(known), settings).spread_over(known, len(history.ids))
    unit = _unit(history.y)
    logs = to_log(history.y, unit)
    age = np.arange(history.length)[::-1]
    recency: Array = 0.5 ** (age / (_HALF_LIFE_YEARS * history.year))
    if history.frequency == "W" and knows_year(history):
        base, columns = _against_last_year(logs, history, recency, settings)
        everywhere = columns.shape[2]
    else:
        columns, everywhere = design(history)
        base = _backfitted(logs, history, columns, recency)
    z = without_outliers(logs - base[:, : history.length])
    return Decomposition(unit=unit, base=base, z=z, design=columns, everywhere=everywhere, recency=recency)


def _backfitted(logs: Array, history: History, columns: Array, recency: Array) -> Array:
    """Season and effects of features, each learnt from what the other leaves.

    Backfitting (Buja, Hastie and Tibshirani 1989, doi:10.1214/aos/1176347115): promotions that often fall on a weekday
    would else pass for that weekday.
    """
    effects = np.zeros((len(logs), len(history.dates)))
    season = effects
    for _ in range(_SWEEPS if columns.shape[2] else 1):
        season = _seasons(logs - effects[:, : history.length], history)
        rest = without_outliers(logs - season[:, : history.length])
        effects = _effects(rest, columns, recency)
    return season + effects


def _seasons(logs: Array, history: History) -> Array:
    """What weekdays and the time of the year, or months, are expected to do, (series, T + horizon)."""
    if history.frequency == "M" and knows_year(history):
        return _seasonality(logs, history.dates.month.to_numpy() - 1, 12, history.category)
    if history.frequency == "D" and history.length >= 21:
        week = _seasonality(logs, history.dates.dayofweek.to_numpy(), 7, history.category)
        if not knows_year(history):
            return week
        return week + _year(logs - week[:, : history.length], len(history.dates), history.category)
    return np.zeros((len(history.ids), len(history.dates)))


def _against_last_year(logs: Array, history: History, recency: Array, settings: Settings) -> tuple[Array, Array]:
    """Base and columns for weeks: last year's aligned week, or the share of it that has told most of this year's.

    Where seasons rule it is the whole, where promotions come as they like nothing.
    """
    alignment = weekly_alignment(history.dates, settings.easter)
    earlier = _last_year(logs, alignment, history)
    found: list[tuple[float, Array, Array]] = []
    for belief, columns in zip(_BELIEFS, designs_against(history, alignment, _BELIEFS), strict=True):
        base = belief * earlier
        base = base + _effects(without_outliers(logs - base[:, : history.length]), columns, recency)
        found.append((_unrest(logs - base[:, : history.length], history), base, columns))
    whole, best = found[0], min(found, key=lambda one: one[0])
    _, base, columns = whole if whole[0] <= _MUCH_BETTER * best[0] else best
    return base, columns


def _unrest(z: Array, history: History) -> float:
    """How far z lies from its level on the average, over the periods that have a last year."""
    compared = z[:, history.year :]
    return float(row_means(np.abs(compared - row_means(compared)[:, None])).mean())


def _unit(y: Array) -> Array:
    """What logarithms are taken in: 1 or less, and a part of the mean where there often is no demand."""
    mean = row_means(np.clip(y, 0, None))
    idle = row_means(np.where(np.isfinite(y), (y <= 0).astype(float), np.nan))
    unit: Array = np.where(idle > _NOTHING_IS_RARE, _SOFTENED * mean, np.minimum(mean, 1.0))
    return np.maximum(unit, _LEAST_UNIT)


def row_means(values: Array) -> Array:
    """The mean of each row (along the second axis) over what is known, 0 where nothing is."""
    known = np.isfinite(values)
    means: Array = np.where(known, values, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return means


def row_medians(values: Array) -> Array:
    """The median of each row over what is known, 0 where nothing is."""
    known = np.isfinite(values).any(axis=1)
    medians = np.zeros(len(values))
    medians[known] = np.nanmedian(values[known], axis=1)
    return medians


def without_outliers(values: Array) -> Array:
    """Each row cut at 4 robust standard deviations (median absolute deviation) around its median."""
    middle = row_medians(values)[:, None]
    spread = 1.4826 * row_medians(np.abs(values - middle))[:, None]
    return np.where(spread > 0, np.clip(values, middle - 4 * spread, middle + 4 * spread), values)


def moving_mean(values: Array, reach: int, least: int = 1) -> Array:
    """The mean of each row over `reach` periods on both sides, over what is known; NaN where less than `least` is."""
    known = np.isfinite(values)
    kernel = np.ones(2 * reach + 1)

    def summed(rows: Array) -> Array:
        width = rows.shape[1]
        return np.apply_along_axis(lambda row: np.convolve(row, kernel)[reach : reach + width], 1, rows)

    count = summed(known.astype(float))
    sums = summed(np.where(known, values, 0.0))
    return np.where(count > least - 0.5, sums / np.maximum(count, 1), np.nan)


def pooled(values: Array, category: tuple[str, ...]) -> Array:
    """For each row the mean of its category's rows, drawn to the median of all rows; 0 where nothing is known.

    A category with few series leans on the others: the median of all counts as `_CATEGORY_PRIOR` series.
    """
    known = np.isfinite(values)
    overall = np.zeros(values.shape[1])
    some = known.any(axis=0)
    overall[some] = np.nanmedian(values[:, some], axis=0)
    names = np.array(category)
    result = np.empty_like(values)
    for name in set(category):
        rows = names == name
        count = known[rows].sum(axis=0)
        sums = np.where(known[rows], values[rows], 0.0).sum(axis=0)
        result[rows] = (sums + _CATEGORY_PRIOR * overall) / (count + _CATEGORY_PRIOR)
    return result


def _last_year(logs: Array, alignment: Array, history: History) -> Array:
    """Last year's aligned week, with the noise of single weeks taken out, and the year before last where it is known.

    A week's deviation from its neighbors has a part that all series share, which is kept, and one of its own, which
    is shrunk the more, the less such deviations differ from noise in that week (James and Stein).
    """
    own = logs - moving_mean(logs, 1)
    shared = pooled(own, history.category)
    own = own - shared
    noise = 1.4826 * row_medians(np.abs(own))[:, None] + 1e-9
    strength = np.sqrt(row_means((np.clip(own / noise, -6, 6) ** 2).T))
    usual = np.median(strength[strength > 0]) if (strength > 0).any() else 1.0
    shrink = _SMOOTHING * np.minimum(1.0, (usual / np.maximum(strength, 1e-9)) ** 2)
    smooth = logs - shrink * np.nan_to_num(own)
    past = history.length
    reference = _looked_up(smooth, alignment[:, :past])
    shape = smooth - moving_mean(logs, 10)
    twice = (alignment @ alignment)[:, :past]
    change = _looked_up(shape, twice) - _looked_up(shape, alignment[:, :past])
    reference = reference + _SECOND_YEAR * np.nan_to_num(change)
    return _filled(reference, logs)


def _looked_up(values: Array, alignment: Array) -> Array:
    known = np.isfinite(values)
    weight = known.astype(float) @ alignment.T
    sums = np.where(known, values, 0.0) @ alignment.T
    found: Array = np.where(weight > 0.3, sums / np.maximum(weight, 0.3), np.nan)
    return found


def _filled(reference: Array, logs: Array) -> Array:
    """Series without a last year move as the others do, around their own level."""
    recent = row_means(logs[:, -26:])[:, None]
    known = np.isfinite(reference)
    common = np.nan_to_num(pooled(reference - recent, ("all",) * len(logs)))
    filled: Array = np.where(known, reference, recent + common)
    return filled


def _seasonality(logs: Array, slot: npt.NDArray[np.intp], slots: int, category: tuple[str, ...]) -> Array:
    """How each month of the year, or day of the week, differs from the year or week around it.

    A series' own mean, drawn to its category's. `slot` (T + horizon,) is the month or weekday of each period.
    """
    deviation = logs - moving_mean(logs, slots // 2)
    past = slot[: logs.shape[1]]
    own = np.full((len(logs), slots), np.nan)
    count = np.zeros((len(logs), slots))
    for number in range(slots):
        cells = deviation[:, past == number]
        count[:, number] = np.isfinite(cells).sum(axis=1)
        own[:, number] = np.where(count[:, number] > 0, row_means(cells), np.nan)
    season = np.nan_to_num(own) * count + pooled(own, category) * _CATEGORY_PRIOR
    season /= count + _CATEGORY_PRIOR
    season -= season.mean(axis=1, keepdims=True)
    return np.asarray(season[:, slot], dtype=float)


def _year(logs: Array, days: int, category: tuple[str, ...]) -> Array:
    """How the weeks of last year stood against its others, for each day; `logs` (series, T) are without weekdays.

    Growth, told by the days that two years have, is taken out first. A series' own season counts as much as its
    category's.
    """
    length = logs.shape[1]
    smooth = moving_mean(logs, _SMOOTH_DAYS)
    gain = smooth[:, _YEAR_DAYS:] - smooth[:, : length - _YEAR_DAYS]
    growth = row_means(gain)
    growth = (growth + np.median(growth)) / 2
    flat = smooth - growth[:, None] * np.arange(length)[None, :] / _YEAR_DAYS
    flat = flat - row_means(flat)[:, None]
    phases = np.full((len(logs), -(-length // _YEAR_DAYS) * _YEAR_DAYS), np.nan)
    phases[:, :length] = flat
    phases = phases.reshape(len(logs), -1, _YEAR_DAYS)
    profile = np.where(np.isfinite(phases).any(axis=1), row_means(phases), np.nan)
    shared = pooled(profile, category)
    profile = np.where(np.isfinite(profile), (profile + shared) / 2, shared)
    profile -= profile.mean(axis=1, keepdims=True)
    believed: Array = _BELIEF * profile[:, np.arange(days) % _YEAR_DAYS]
    return believed


def _effects(z: Array, columns: Array, recency: Array) -> Array:
    """What the columns do to z, (series, T + horizon), by one coefficient for all series.

    Weighted ridge regression within series; what a series differs by is for the members to find.
    """
    if columns.shape[2] == 0:
        return np.zeros(columns.shape[:2])
    past = z.shape[1]
    weight = np.isfinite(z) * recency[None, :]
    total = np.maximum(weight.sum(axis=1, keepdims=True), 1e-9)
    target = np.nan_to_num(z) - (np.nan_to_num(z) * weight).sum(axis=1, keepdims=True) / total
    centred = columns[:, :past] - ((columns[:, :past] * weight[:, :, None]).sum(axis=1) / total)[:, None, :]
    gram = np.einsum("ntk,nt,ntj->kj", centred, weight, centred, optimize=True)
    moment = np.einsum("ntk,nt,nt->k", centred, weight, target)
    gram[np.diag_indices_from(gram)] += _RIDGE * len(z)
    effects: Array = columns @ np.linalg.solve(gram, moment)
    return effects
