"""Many equally spaced series: in long form as people see them, and as dense arrays as models read them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from lakehouse.errors import UsageError
from ml.forecast.panel.closures import closed

Frequency = Literal["D", "W", "M"]
Array = npt.NDArray[np.float64]

SEASON: dict[Frequency, int] = {"D": 7, "W": 52, "M": 12}  # periods after which demand looks alike
YEAR: dict[Frequency, int] = {"D": 364, "W": 52, "M": 12}  # a year in whole weeks, so that weekdays match
_STEP: dict[Frequency, str] = {"D": "D", "W": "7D", "M": "MS"}
_MISSING_GROUP = "(none)"
_OPEN = "open"


@dataclass(frozen=True)
class Panel:
    """Equally spaced series in long form.

    `frame` has the columns series_id (str), on (datetime64, start of the period), y (float; NaN = missing, or censored
    by a stockout) and the `covariates`, known-future ones (float; known for future periods too, NaN allowed). Every
    series is without gaps from its first period to the panel's last known one; future rows have y = NaN. In a daily
    panel a covariate `open` is each series' plan of closures: where it is 0, nothing is learnt and nothing expected.
    `groups` gives each series_id its category.
    """

    frame: pd.DataFrame
    frequency: Frequency
    covariates: tuple[str, ...] = ()
    groups: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        if self.frequency not in SEASON:
            raise UsageError(f"frequency {self.frequency!r}: a panel is daily (D), weekly (W) or monthly (M)")
        if lacking := [name for name in ("series_id", "on", "y", *self.covariates) if name not in self.frame.columns]:
            raise UsageError(
                f"the panel lacks the columns {', '.join(lacking)}: add them, or do not list them as known"
            )
        if self.frame.empty or not self.frame["y"].notna().any():
            raise UsageError("the panel has no known value of y: there is nothing to learn from")
        infinite = [name for name in ("y", *self.covariates) if np.isinf(self.frame[name].to_numpy(float)).any()]
        if infinite:
            raise UsageError(f"the panel has infinite values in {', '.join(infinite)}: make them NaN or finite")
        ordered = self.frame.sort_values(["series_id", "on"], kind="stable").reset_index(drop=True)
        object.__setattr__(self, "frame", ordered)
        if twice := int(ordered.duplicated(["series_id", "on"]).sum()):
            raise UsageError(f"{twice} rows of the panel repeat a series_id and period: sum or remove them first")

    @property
    def cutoff(self) -> pd.Timestamp:
        """The last period with a known value."""
        return pd.Timestamp(self.frame.loc[self.frame["y"].notna(), "on"].max())

    @cached_property
    def cube(self) -> Cube:
        """The same values as dense arrays, one row per series and one column per period."""
        return _cube(self)


@dataclass(frozen=True)
class Cube:
    """A panel as dense arrays: `y` (series, periods), `x` (series, periods, features), NaN where nothing is known.

    `plan` (series, periods) is the plan of closures of a daily panel that has one: 0 where closed.
    """

    ids: tuple[str, ...]
    dates: pd.DatetimeIndex
    y: Array
    x: Array
    covariates: tuple[str, ...]
    category: tuple[str, ...]
    frequency: Frequency
    length: int  # periods up to and with the panel's last known one
    plan: Array | None = None

    def until(self, length: int, horizon: int) -> History:
        """What was known after the first `length` periods, and the covariates of `horizon` more."""
        end = length + horizon
        dates, x, plan = self.dates, self.x, self.plan
        if end > len(dates):
            missing = end - len(dates)
            dates = pd.DatetimeIndex([*dates, *periods_after(dates[-1], missing, self.frequency)])
            x = _longer(x, missing)
            plan = None if plan is None else _longer(plan, missing)
        shut = np.zeros((len(self.ids), end), bool)
        if self.frequency == "D":
            shut = closed(self.y[:, :length], dates[:end], x[:, :end], None if plan is None else plan[:, :end])
        return History(
            ids=self.ids,
            dates=dates[:end],
            y=np.where(shut[:, :length], np.nan, self.y[:, :length]),
            x=x[:, :end],
            covariates=self.covariates,
            category=self.category,
            frequency=self.frequency,
            closed=shut,
        )


@dataclass(frozen=True)
class History:
    """What a model may see at one cutoff: `y` up to it (series, T), `x` and `dates` over T + horizon periods.

    `closed` (series, T + horizon) are days on which a series does not sell: missing in `y`, and forecast as 0.
    """

    ids: tuple[str, ...]
    dates: pd.DatetimeIndex
    y: Array
    x: Array
    covariates: tuple[str, ...]
    category: tuple[str, ...]
    frequency: Frequency
    closed: npt.NDArray[np.bool_]

    @property
    def length(self) -> int:
        """Periods with known values, T."""
        return int(self.y.shape[1])

    @property
    def horizon(self) -> int:
        """Periods to forecast."""
        return len(self.dates) - self.length

    @property
    def season(self) -> int:
        """Periods of the seasonal naive forecast: 7 days, 52 weeks or 12 months."""
        return SEASON[self.frequency]

    @property
    def year(self) -> int:
        """Periods of a year, whole weeks for days: 364, 52 or 12."""
        return YEAR[self.frequency]

    def only(self, rows: npt.NDArray[np.intp]) -> History:
        """The same history of some of the series."""
        return History(
            ids=tuple(self.ids[i] for i in rows),
            dates=self.dates,
            y=self.y[rows],
            x=self.x[rows],
            covariates=self.covariates,
            category=tuple(self.category[i] for i in rows),
            frequency=self.frequency,
            closed=self.closed[rows],
        )


def periods_after(last: pd.Timestamp, count: int, frequency: Frequency) -> pd.DatetimeIndex:
    """The starts of the `count` periods after the one that starts at `last`."""
    return pd.date_range(last, periods=count + 1, freq=_STEP[frequency])[1:]


def leaking(panel: Panel) -> dict[str, str]:
    """The covariates that give sales away, with the reason: they are 0 or empty exactly where nothing was sold.

    Such a price was filled from the sales themselves (Stallion's `price_actual`), so no future row can have it.
    """
    sold = panel.frame.loc[panel.frame["y"].notna()]
    nothing = (sold["y"] == 0).to_numpy()
    found = {}
    for name in _features(panel):
        blank = sold[name].isna().to_numpy() | (sold[name] == 0).to_numpy()
        if nothing.sum() >= 20 and blank[nothing].mean() > 0.9 and blank[~nothing].mean() < 0.05:
            found[name] = f"{name} is 0 or empty where nothing was sold: it was filled from sales, and is not used"
    return found


def _longer(values: Array, missing: int) -> Array:
    """Values (series, periods, ...) with `missing` more periods of which nothing is known."""
    return np.concatenate([values, np.full((len(values), missing, *values.shape[2:]), np.nan)], axis=1)


def _has_plan(panel: Panel) -> bool:
    return panel.frequency == "D" and _OPEN in panel.covariates


def _features(panel: Panel) -> tuple[str, ...]:
    """The covariates but the plan of closures, which says whether a series sells and not how much."""
    return tuple(name for name in panel.covariates if name != _OPEN) if _has_plan(panel) else panel.covariates


def _cube(panel: Panel) -> Cube:
    frame, cutoff = panel.frame, panel.cutoff
    ids, row = np.unique(frame["series_id"].to_numpy(str), return_inverse=True)
    first, last = pd.Timestamp(frame["on"].min()), pd.Timestamp(frame["on"].max())
    dates = pd.date_range(first, last, freq=_STEP[panel.frequency])
    column = dates.get_indexer(pd.DatetimeIndex(frame["on"]))
    if off := int((column < 0).sum()):
        raise UsageError(
            f"{off} rows of the panel lie between its {panel.frequency} periods, which start at {first:%F}"
        )
    length = int(dates.get_indexer(pd.DatetimeIndex([cutoff]))[0]) + 1

    leaks = leaking(panel)
    covariates = tuple(name for name in _features(panel) if name not in leaks)
    y = np.full((len(ids), length), np.nan)
    past = column < length
    y[row[past], column[past]] = frame["y"].to_numpy(float)[past]
    x = np.full((len(ids), len(dates), len(covariates)), np.nan)
    x[row, column] = frame[list(covariates)].to_numpy(float)
    plan = None
    if _has_plan(panel):
        plan = np.full((len(ids), len(dates)), np.nan)
        plan[row, column] = frame[_OPEN].to_numpy(float)

    present = np.zeros((len(ids), length), dtype=bool)
    present[row[past], column[past]] = True
    began = np.maximum.accumulate(present, axis=1)
    if gaps := int((began & ~present).any(axis=1).sum()):
        raise UsageError(
            f"{gaps} series have gaps, or end before {cutoff:%F}: add the missing periods, with y = 0 or NaN"
        )

    category = dict.fromkeys(ids, _MISSING_GROUP)
    if panel.groups is not None:
        named = panel.groups.dropna(subset=["category"])
        category |= dict(zip(named["series_id"].astype(str), named["category"].astype(str), strict=True))
    return Cube(
        ids=tuple(str(one) for one in ids),
        dates=dates,
        y=y,
        x=x,
        covariates=covariates,
        category=tuple(str(category[one]) for one in ids),
        frequency=panel.frequency,
        length=length,
        plan=plan,
    )
