"""Pictures of the segments, for the MLflow run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ml.core.compare import Floats
from ml.segment.evaluation import Quality
from ml.segment.features import scaled
from ml.segment.model import SegmentModel

_SHOWN = ("recency_days", "frequency", "monetary", "tenure_days", "products", "return_rate")


def choice(candidates: Sequence[Quality], chosen: Quality, baseline_r2: float) -> Figure:
    """Held-out R², stability and silhouette against the number of clusters."""
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    panels = figure.subplots(1, 3)
    clusters = [c.clusters for c in candidates]
    for panel, title, values in (
        (panels[0], "R² of the revenue held out", [c.r2 for c in candidates]),
        (panels[1], "adjusted Rand index", [c.stability for c in candidates]),
        (panels[2], "silhouette", [c.silhouette for c in candidates]),
    ):
        panel.plot(clusters, values, "o-", color="tab:blue")
        panel.axvline(chosen.clusters, color="tab:orange", linestyle=":", label="chosen")
        panel.set(title=title, xlabel="clusters", xticks=clusters)
    panels[0].axhline(baseline_r2, color="grey", linestyle="--", label="RFM quintiles")
    panels[0].legend(frameon=False)
    return figure


def profiles(customers: pd.DataFrame, model: SegmentModel) -> Figure:
    """Median of each feature by segment, coloured by where it stands among all customers."""
    segments = model.predict(customers)["segment"]
    order = _by_value(customers, model, segments)
    medians = customers[list(_SHOWN)].astype("float64").groupby(segments).median().loc[order]
    ranks = customers[list(_SHOWN)].astype("float64").rank(pct=True).groupby(segments).mean().loc[order]
    share = segments.value_counts(normalize=True)
    figure = Figure(figsize=(9, 1.2 + 0.55 * len(order)), layout="constrained")
    panel = figure.subplots()
    panel.imshow(ranks.to_numpy(), cmap="RdYlBu_r", vmin=0, vmax=1, aspect="auto")
    panel.set_xticks(range(len(_SHOWN)), [name.replace("_", " ") for name in _SHOWN])
    panel.set_yticks(range(len(order)), [f"{name} ({share[name]:.0%})" for name in order])
    for row, values in enumerate(medians.to_numpy()):
        for column, value in enumerate(values):
            panel.text(column, row, f"{value:,.2f}" if value < 1 else f"{value:,.0f}", ha="center", va="center")
    panel.set_title("median by segment; red is high among all customers, blue is low")
    return figure


def outcome(segments: Floats, log_revenue: Floats, horizon: int) -> Figure:
    """Who bought again in the days held out, and for how much, by segment."""
    names = sorted(set(segments), key=lambda name: -log_revenue[segments == name].mean())
    bought = [float((log_revenue[segments == name] > 0).mean()) for name in names]
    spent = [float(np.expm1(log_revenue[segments == name]).mean()) for name in names]
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.barh(names, bought, color="tab:blue")
    left.set(title=f"share that bought in the {horizon} days held out", xlim=(0, 1))
    right.barh(names, spent, color="tab:green")
    right.set(title=f"mean net revenue in the {horizon} days held out")
    for panel in (left, right):
        panel.invert_yaxis()
    return figure


def map_of(customers: pd.DataFrame, model: SegmentModel, sample: int = 3000) -> Figure:
    """Customers by recency and expected value, coloured by segment."""
    shown = customers.sample(min(sample, len(customers)), random_state=0)
    made = model.predict(shown)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    panel = figure.subplots()
    for name in _by_value(shown, model, made["segment"]):
        inside = (made["segment"] == name).to_numpy()
        panel.scatter(shown["recency_days"][inside] + 1, made["value_score"][inside], s=7, alpha=0.6, label=name)
    panel.set(xscale="log", xlabel="days since the last order + 1", ylabel="expected log(1 + revenue)")
    panel.legend(frameon=False, markerscale=2)
    return figure


def _by_value(customers: pd.DataFrame, model: SegmentModel, segments: pd.Series[str]) -> list[str]:
    value = pd.Series(model.space.value(scaled(customers)), index=segments.index)
    return list(value.groupby(segments).mean().sort_values(ascending=False).index)
