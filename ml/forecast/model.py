"""The forecast model of a shop, and the plain baseline that serves where no model beat it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Protocol

import numpy as np
import pandas as pd

from gold.demand.bounds import MOST
from lakehouse.errors import UsageError
from ml.forecast.backtest.kept import Said
from ml.forecast.ensemble import Fitted
from ml.forecast.frames import Forecast
from ml.forecast.lead_time import lead_time_demand, sum_quantiles
from ml.forecast.panel.panel import SEASON, Panel
from ml.forecast.reconciliation import TOTAL, roll_up
from ml.forecast.settings import QUANTILES, column
from ml.forecast.uncertainty.bounds import highest, limits

NO_MEASURES = pd.DataFrame({"demand_class": [], "member": [], "measure": [], "value": [], "series": []})


class Forecaster(Protocol):
    """What the scored tables ask of a model."""

    measured: pd.DataFrame

    def series(self, panel: Panel) -> Forecast:
        """Every series of a panel, for the horizon."""

    def reconcile(self, panel: Panel, forecast: Forecast) -> pd.DataFrame:
        """Categories and the total: level, name, on, step, mean, median, q025 ... q975, highest."""

    def lead_times(self, panel: Panel, forecast: Forecast, periods: Mapping[str, int]) -> pd.DataFrame:
        """Demand over each series' lead time: series_id, periods, mean, and quantiles q50 ... q99."""

    def of_revenue(self, panel: Panel) -> Forecast:
        """The shop's revenue: as a series."""

    def sums_of_revenue(self, panel: Panel, forecast: Forecast, spans: Sequence[tuple[int, int]]) -> pd.DataFrame:
        """The revenue over spans of steps: first, last, mean, median, q025 ... q975."""


@dataclass(frozen=True)
class ForecastModel:
    """An ensemble over the series, one over the revenue where sales are daily, and what was measured of the first."""

    demand: Fitted
    revenue: Fitted | None
    measured: pd.DataFrame

    def series(self, panel: Panel) -> Forecast:
        """See `Forecaster`."""
        return self.demand.predict(panel)

    def reconcile(self, panel: Panel, forecast: Forecast) -> pd.DataFrame:
        """See `Forecaster`."""
        return roll_up(self.demand, forecast, panel.cube.y)

    def lead_times(self, panel: Panel, forecast: Forecast, periods: Mapping[str, int]) -> pd.DataFrame:  # noqa: ARG002 - the interface's
        """See `Forecaster`."""
        shortest = {name: min(days, self.demand.horizon) for name, days in periods.items()}
        return lead_time_demand(self.demand, forecast, shortest)

    def of_revenue(self, panel: Panel) -> Forecast:
        """See `Forecaster`."""
        return self._revenue().predict(panel)

    def sums_of_revenue(self, panel: Panel, forecast: Forecast, spans: Sequence[tuple[int, int]]) -> pd.DataFrame:  # noqa: ARG002 - the interface's
        """See `Forecaster`."""
        return sum_quantiles(self._revenue(), forecast, spans)

    def _revenue(self) -> Fitted:
        if self.revenue is None:
            raise UsageError("the model was trained without daily sales and cannot forecast revenue; train again")
        return self.revenue

    @property
    def said(self) -> Said:
        """What the members said at the cutoffs of both backtests, for trainings to come."""
        return {**self.demand.backtest.said, **(self.revenue.backtest.said if self.revenue is not None else {})}

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Forecast the series of a panel in long form: series_id, on, y and the covariates."""
        learnt = self.demand.panel
        rows = frame.assign(on=pd.to_datetime(frame["on"]))
        return self.demand.predict(Panel(rows, learnt.frequency, learnt.covariates, learnt.groups)).frame

    def save(self, folder: Path) -> None:
        """Write both ensembles and the measures."""
        self.demand.save(folder / "demand")
        if self.revenue is not None:
            self.revenue.save(folder / "revenue")
        (folder / "measured.json").write_text(self.measured.to_json(orient="records", indent=1))

    @classmethod
    def load(cls, folder: Path) -> ForecastModel:
        """Read what `save` wrote."""
        if not (folder / "measured.json").is_file():
            raise UsageError(f"{folder} holds no forecast model; train again")
        revenue = folder / "revenue"
        return cls(
            Fitted.load(folder / "demand"),
            Fitted.load(revenue) if revenue.is_dir() else None,
            pd.DataFrame(json.loads((folder / "measured.json").read_text())),
        )


class SeasonalNaive:
    """The plain baseline: what was a season ago, as wrong as that was in the past."""

    measured = NO_MEASURES
    _REASON = "no model beats the seasonal naive forecast yet"

    def series(self, panel: Panel) -> Forecast:
        """See `Forecaster`."""
        cube, season = panel.cube, SEASON[panel.frequency]
        horizon = len(cube.dates) - cube.length
        known = np.nan_to_num(cube.y)
        season = min(season, cube.length)
        last = known[:, -season:]
        ahead = np.tile(last, (1, -(-horizon // season)))[:, :horizon]
        change = known[:, season:] - known[:, :-season] if cube.length > season else np.zeros((len(cube.ids), 1))
        spread = np.quantile(change, QUANTILES, axis=1)[:, :, None]
        bounds = np.maximum(ahead[None] + spread, 0.0)
        middle = QUANTILES.index(0.5)
        bounds[middle] = np.maximum(ahead, 0.0)
        bounds = np.minimum(np.sort(bounds, axis=0), limits(cube.y)[None])
        frame = pd.DataFrame(
            {
                "series_id": np.repeat(np.array(cube.ids, dtype=object), horizon),
                "on": np.tile(cube.dates[cube.length :], len(cube.ids)),
                "step": np.tile(np.arange(1, horizon + 1), len(cube.ids)),
                "mean": np.maximum(ahead, 0.0).reshape(-1),
                "median": bounds[middle].reshape(-1),
                **{column(level): bounds[row].reshape(-1) for row, level in enumerate(QUANTILES)},
                "highest": np.repeat(highest(cube.y), horizon),
                "model": "seasonal naive",
                "fallback": self._REASON,
                "is_fallback": True,
            }
        )
        members = frame[["series_id", "on"]].assign(member="seasonal naive", forecast=frame["mean"], weight=1.0)
        return Forecast(frame, members)

    def reconcile(self, panel: Panel, forecast: Forecast) -> pd.DataFrame:
        """See `Forecaster`. Quantiles are added up, as if all series were high or low together."""
        category = dict(zip(panel.cube.ids, panel.cube.category, strict=True))
        rows = forecast.frame.assign(name=forecast.frame["series_id"].map(category), level="category")
        both = pd.concat([rows, rows.assign(name=TOTAL, level=TOTAL)])
        values = ["mean", "median", *(column(level) for level in QUANTILES)]
        sums = both.groupby(["level", "name", "on", "step"], as_index=False)[values].sum()
        sold = pd.DataFrame(np.nan_to_num(panel.cube.y), index=list(panel.cube.ids))
        peaks = sold.groupby(pd.Series(category)).sum().max(axis=1).clip(lower=0.0)
        peaks[TOTAL] = max(float(sold.sum().max()), 0.0)
        sums["highest"] = sums["name"].map(peaks)
        bounded = values[1:]  # means add up
        sums[bounded] = sums[bounded].clip(upper=MOST * sums["highest"].clip(lower=1.0), axis=0)
        return sums

    def lead_times(self, panel: Panel, forecast: Forecast, periods: Mapping[str, int]) -> pd.DataFrame:
        """See `Forecaster`. Days are taken to be independent and sums to be normal."""
        known = np.nan_to_num(panel.cube.y)
        rows = []
        for row, (name, own) in enumerate(forecast.frame.groupby("series_id", sort=True)):
            days = min(periods[str(name)], len(own))
            expected = float(own["mean"].iloc[:days].sum())
            deviation = float(known[row].std()) * days**0.5
            quantiles = {
                column(level): max(0.0, expected + NormalDist().inv_cdf(level) * deviation)
                for level in (0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
            }
            rows.append({"series_id": str(name), "periods": days, "mean": expected} | quantiles)
        return pd.DataFrame(rows)

    def of_revenue(self, panel: Panel) -> Forecast:
        """See `Forecaster`."""
        return self.series(panel)

    def sums_of_revenue(self, panel: Panel, forecast: Forecast, spans: Sequence[tuple[int, int]]) -> pd.DataFrame:
        """See `Forecaster`. Days are taken to be independent and sums to be normal."""
        mean = forecast.frame["mean"].to_numpy(float)
        deviation = float(np.nan_to_num(panel.cube.y[0]).std())
        rows = []
        for first, last in spans:
            expected = float(mean[first - 1 : last].sum())
            spread = deviation * (last - first + 1) ** 0.5
            quantiles = {
                column(level): max(0.0, expected + NormalDist().inv_cdf(level) * spread) for level in QUANTILES
            }
            rows.append({"first": first, "last": last, "mean": expected, "median": quantiles["q50"], **quantiles})
        return pd.DataFrame(rows)

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Forecast the daily series of a panel in long form."""
        return self.series(Panel(frame.assign(on=pd.to_datetime(frame["on"])), "D")).frame

    def save(self, folder: Path) -> None:
        """There is nothing to keep: the rule is the code."""
        folder.mkdir(parents=True, exist_ok=True)
