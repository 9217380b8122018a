"""Pictures of the forecast, for the MLflow run."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ml.forecast.ensemble import Fitted
from ml.forecast.evaluation import ENSEMBLE, NAIVE, HeldOut
from ml.forecast.settings import QUANTILES

_SHOWN = 6
_MOST_CATEGORIES = 30
_EFFECTS = {"log_price": "price elasticity", "promoted": "promotion beyond its price", "discount": "discount"}


def of(fitted: Fitted, seen: HeldOut) -> dict[str, Figure]:
    """All of them, by name."""
    return {
        "forecast against truth": against_truth(fitted, seen),
        "members": members(seen),
        "calibration": calibration(seen),
        "residuals": residuals(seen),
    }


def against_truth(fitted: Fitted, seen: HeldOut) -> Figure:
    """The largest series with what was said of the periods held out, and the 80 and 95 % intervals."""
    cube = fitted.panel.cube
    cutoff = cube.length - fitted.horizon
    past = min(cutoff, 2 * fitted.horizon)
    largest = np.argsort(-np.nansum(cube.y[:, :cutoff], axis=1))[:_SHOWN]
    figure = Figure(figsize=(11, 2.3 * -(-len(largest) // 2)), layout="constrained")
    panels = figure.subplots(-(-len(largest) // 2), 2, squeeze=False)
    for panel, row in zip(panels.flat, largest, strict=False):
        panel.plot(cube.dates[cutoff - past : cube.length], cube.y[row, cutoff - past :], color="black", linewidth=0.8)
        for low, high, alpha in ((0.025, 0.975, 0.15), (0.1, 0.9, 0.25)):
            bounds = (seen.quantiles[QUANTILES.index(q), row] for q in (low, high))
            panel.fill_between(seen.dates, *bounds, color="tab:blue", alpha=alpha, linewidth=0)
        panel.plot(seen.dates, seen.forecasts[ENSEMBLE][row], color="tab:blue")
        panel.set_title(cube.ids[row], fontsize=9)
        panel.tick_params(labelsize=7)
    for panel in list(panels.flat)[len(largest) :]:
        panel.set_axis_off()
    figure.suptitle("black: truth; blue: median, 80 and 95 % intervals, said before it was known", fontsize=10)
    return figure


def members(seen: HeldOut) -> Figure:
    """MASE of everything said, smaller is better."""
    scores = {name: float(np.nanmean(seen.errors(name))) for name in seen.forecasts}
    order = sorted(scores, key=scores.__getitem__)
    figure = Figure(figsize=(7, 0.8 + 0.4 * len(order)), layout="constrained")
    panel = figure.subplots()
    colours = {ENSEMBLE: "tab:blue", NAIVE: "grey"}
    shades = [colours.get(name, "lightsteelblue") for name in order]
    bars = panel.barh(order, [scores[name] for name in order], color=shades)
    panel.invert_yaxis()
    panel.bar_label(bars, fmt="%.3f", padding=3)
    panel.set_title("mean absolute scaled error on the periods held out")
    return figure


def calibration(seen: HeldOut) -> Figure:
    """How often the truth lay below each quantile, against how often it should."""
    there = np.isfinite(seen.truth)
    below = [float((seen.truth <= quantile)[there].mean()) for quantile in seen.quantiles]
    figure = Figure(figsize=(4.2, 4), layout="constrained")
    panel = figure.subplots()
    panel.plot([0, 1], [0, 1], color="grey", linestyle=":")
    panel.plot(QUANTILES, below, "o-", color="tab:blue")
    panel.set(
        xlabel="quantile", ylabel="share of the truth at or below it", title="calibration on the periods held out"
    )
    return figure


def effects(found: pd.DataFrame) -> Figure:
    """What prices and promotions do by category, with 95 % intervals (see `uplift.effects`)."""
    features = list(dict.fromkeys(found["feature"]))
    categories = sorted(set(found["category"]))[:_MOST_CATEGORIES]
    figure = Figure(figsize=(4.5 * len(features), 1.2 + 0.3 * len(categories)), layout="constrained")
    for panel, name in zip(figure.subplots(1, len(features), squeeze=False).flat, features, strict=True):
        rows = found[(found["feature"] == name) & found["category"].isin(categories)]
        bounds = [rows["effect"] - rows["low"], rows["high"] - rows["effect"]]
        panel.errorbar(rows["effect"], rows["category"], xerr=bounds, fmt="o", color="tab:blue", capsize=3)
        panel.axvline(0, color="grey", linestyle=":")
        panel.set(title=_EFFECTS.get(name, name), xlabel="effect on log demand")
    return figure


def residuals(seen: HeldOut) -> Figure:
    """Forecast less truth in units of each series' seasonal-naive error: all of them, and along the horizon."""
    scaled = (seen.forecasts[ENSEMBLE] - seen.truth) / seen.scale[:, None]
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    known = scaled[np.isfinite(scaled)]
    left.hist(np.clip(known, -4, 4), bins=60, color="tab:blue")
    left.set(title="forecast less truth, scaled", xlabel="seasonal-naive errors")
    steps = 1 + np.flatnonzero(np.isfinite(scaled).any(axis=0))
    bounds = np.nanquantile(scaled[:, steps - 1], [0.1, 0.5, 0.9], axis=0)
    right.fill_between(steps, bounds[0], bounds[2], color="tab:blue", alpha=0.25, linewidth=0)
    right.plot(steps, bounds[1], color="tab:blue")
    right.axhline(0, color="grey", linestyle=":")
    right.set(title="along the horizon: median, and four fifths of the series", xlabel="step")
    return figure
