"""Pictures of the recommender, for the MLflow run."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from matplotlib.figure import Figure

from ml.recommend.candidates.pool import Task


def by_method(quality: Mapping[Task, pl.DataFrame]) -> Figure:
    """NDCG@10 of each way to recommend, for all products and for new ones."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    for panel, (task, table) in zip(figure.subplots(1, len(quality), squeeze=False)[0], quality.items(), strict=True):
        ordered = table.sort("ndcg", descending=True, nulls_last=True)
        shades = ["tab:blue" if name == "hybrid" else "lightsteelblue" for name in ordered["method"]]
        bars = panel.barh(ordered["method"].to_list(), ordered["ndcg"].fill_null(0).to_list(), color=shades)
        panel.bar_label(bars, fmt="%.3f", padding=3)
        panel.invert_yaxis()
        panel.margins(x=0.15)
        panel.set_title(f"NDCG@10, {'all products' if task == 'ALL' else 'products new to the customer'}")
    return figure


def by_history(lengths: Mapping[Task, pl.DataFrame], base: Mapping[Task, str]) -> Figure:
    """NDCG@10 over that of the baseline, by how many products a customer had bought before."""
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    for panel, (task, table) in zip(figure.subplots(1, len(lengths), squeeze=False)[0], lengths.items(), strict=True):
        names = [f"{row['history']} ({row['customers']})" for row in table.iter_rows(named=True)]
        ratio = table["ratio"].to_numpy()
        spans = [ratio - table["low"].to_numpy(), table["high"].to_numpy() - ratio]
        panel.errorbar(ratio, range(len(names)), xerr=spans, fmt="o", color="tab:blue", capsize=3)
        panel.axvline(1, color="grey", linestyle=":")
        panel.set_yticks(range(len(names)), names)
        panel.invert_yaxis()
        panel.set_title(f"{task}: NDCG@10 over {base[task]}, by products bought before (customers)", fontsize=9)
    return figure


def precision_recall(curves: Mapping[Task, pl.DataFrame]) -> Figure:
    """Precision against recall of the first places, a line for each class of customers by products bought before."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    for panel, (task, table) in zip(figure.subplots(1, len(curves), squeeze=False)[0], curves.items(), strict=True):
        for number, name in enumerate(table["history"].unique(maintain_order=True)):
            rows = table.filter(history=name)
            colour, width = ("black", 2) if not number else (None, 1)
            panel.plot(rows["recall"], rows["precision"], ".-", label=name, color=colour, linewidth=width)
        panel.set(xlabel="recall", ylabel="precision", xlim=(0, None), ylim=(0, None))
        panel.set_title(
            f"{task}: the first 1 to {table['places'].n_unique()} places, by products bought before", fontsize=9
        )
        panel.legend(fontsize=8)
    return figure
