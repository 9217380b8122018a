"""Training of the forecast: an ensemble learnt from rolling cutoffs, evaluated on the newest of them."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from lakehouse.errors import UsageError
from ml.core.evidence import Evidence
from ml.core.experiment import Earlier, Frames, Trained, Trial
from ml.forecast import figures, uplift
from ml.forecast.backtest.metrics import compared
from ml.forecast.ensemble import fit
from ml.forecast.evaluation import ENSEMBLE, EVERYTHING, NAIVE, HeldOut, against, held_out
from ml.forecast.fallback.fallback import LEAST_KNOWN
from ml.forecast.model import ForecastModel
from ml.forecast.panel import panels
from ml.forecast.panel.panel import Panel
from ml.forecast.settings import Settings

_SHORT = 180  # periods below which a history teaches little, and networks learn it in a few steps
_EXAMPLE_SERIES = 2
_ACTIONS = ("log_price", "promoted", "discount")
"""What a shop decides: an elasticity, an uplift beyond the price, and the discount of weekly and monthly sources."""
_ESTIMATED = ("effect", "standard_error", "low", "high")


def train_days(frames: Frames, earlier: Earlier, seed: int) -> Trained:
    """Learn the products' daily demand, and the shop's revenue."""
    panel = panels.of_products(frames)
    revenue = panels.of_revenue(frames)
    return _trained(panel, revenue, earlier, seed)


def train_periods(frames: Frames, earlier: Earlier, seed: int) -> Trained:
    """Learn weekly or monthly series."""
    return _trained(panels.of_periods(frames), None, earlier, seed)


def _trained(panel: Panel, revenue: Panel | None, earlier: Earlier, seed: int) -> Trained:
    length = panel.cube.length
    horizon = len(panel.cube.dates) - length
    if length - horizon < LEAST_KNOWN[panel.frequency]:
        raise UsageError(
            f"a forecast of {horizon} periods needs {LEAST_KNOWN[panel.frequency] + horizon} known ones, to learn from "
            f"and to be judged on the newest; there are {length}. The baseline serves until there are more"
        )
    settings = Settings(seed=seed) if length >= _SHORT or panel.frequency != "D" else _small(seed)
    settings = replace(settings, anchored=True)
    newest = earlier.newest()
    kept = newest.said if isinstance(newest, ForecastModel) else {}
    fitted = fit(panel, horizon, settings, kept)
    folds = [fold for newer in range(len(fitted.backtest.cutoffs)) if (fold := held_out(fitted, newer))][::-1]
    seen = folds[-1]  # so long a history has a cutoff
    of_revenue = None
    if revenue is not None:
        of_revenue = fit(revenue, len(revenue.cube.dates) - revenue.cube.length, settings, kept)
    measures = [fold.measures() for fold in folds]
    measured = measures[-1]
    effects = uplift.by_category(panel, _ACTIONS)
    return Trained(
        ForecastModel(fitted, of_revenue, measured),
        Evidence(
            measure="MASE",
            window=f"{seen.dates[0]:%Y-%m-%d} to {seen.dates[-1]:%Y-%m-%d}",
            against_baseline=compared(seen.errors(ENSEMBLE), seen.errors(NAIVE), seed),
            against_champion=against(earlier.champion.demand, panel, seen, seed)
            if isinstance(earlier.champion, ForecastModel)
            else None,
        ),
        params={
            "frequency": panel.frequency,
            "horizon": horizon,
            "series": len(panel.cube.ids),
            "periods": length,
            "known": ", ".join(panel.cube.covariates),
            "members": ", ".join(settings.members),
            "origins": len(fitted.backtest.cutoffs),
            "dropped": "; ".join(fitted.dropped.values()) or "nothing",
            "seed": seed,
        },
        metrics=_of(measured, ENSEMBLE) | {"MASE_seasonal_naive": _of(measured, NAIVE)["MASE"]},
        example=_example(panel),
        trials=(
            *(_trial(fold, found) for fold, found in zip(folds, measures, strict=True) if len(found)),
            *(Trial(name, {"member": name}, _of(measured, name)) for name in fitted.backtest.names),
            *(
                Trial(f"effect of {row.feature}, {row.category}", {}, {name: row[name] for name in _ESTIMATED})
                for _, row in effects.iterrows()
            ),
        ),
        figures=figures.of(fitted, seen) | ({"effects": figures.effects(effects)} if len(effects) else {}),
    )


def _trial(fold: HeldOut, measured: pd.DataFrame) -> Trial:
    """A rolling cutoff, evaluated by those before it; the first by none."""
    window = {"first": f"{fold.dates[0]:%Y-%m-%d}", "last": f"{fold.dates[-1]:%Y-%m-%d}"}
    others = {
        f"MASE_{name.replace(' ', '_')}": _of(measured, name)["MASE"] for name in fold.forecasts if name != ENSEMBLE
    }
    return Trial(f"origin {window['first']}", window, _of(measured, ENSEMBLE) | others)


def _small(seed: int) -> Settings:
    return Settings(seed=seed, origins=2, lstm_seeds=1, lstm_steps=60)


def _of(measured: pd.DataFrame, member: str) -> dict[str, float]:
    rows = measured[(measured["member"] == member) & (measured["demand_class"] == EVERYTHING)]
    return {
        str(name).replace(" ", "_"): float(value) for name, value in zip(rows["measure"], rows["value"], strict=True)
    }


def _example(panel: Panel) -> pd.DataFrame:
    """A few whole series, with the periods to come."""
    shown = panel.cube.ids[:_EXAMPLE_SERIES]
    rows = panel.frame[panel.frame["series_id"].isin(shown)].reset_index(drop=True)
    return rows.assign(on=rows["on"].dt.strftime("%Y-%m-%d"))
