"""What jobs print about models."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table as Grid

from gold.customers import segment_profiles
from gold.demand import inventory_plan, revenue_forecast
from lakehouse.store import arrow
from lakehouse.store.lake import Lake
from ml.core.experiment import Trained, Trial
from ml.core.lifecycle import Training


def of_training(training: Training) -> str:
    """What was decided, and on what; all that was measured stands in MLflow."""
    became = "is champion now" if training.decision.promoted else "is not promoted"
    return (
        f"{training.model} version {training.version} {became}: {training.decision.why} "
        f"(held out: {training.trained.evidence.window})"
    )


def of_evaluation(name: str, trained: Trained) -> Grid:
    """What was measured of everything that was tried."""
    tried = [Trial("as it would serve", {}, trained.metrics), *trained.trials]
    measures = list(dict.fromkeys(measure for trial in tried for measure in trial.metrics))
    grid = Grid(f"{name}, {trained.evidence.window}", *measures, box=None, pad_edge=False)
    for trial in tried:
        grid.add_row(trial.name, *(f"{trial.metrics[m]:,.3f}" if m in trial.metrics else "·" for m in measures))
    return grid


def of_scores(lake: Lake) -> Grid:
    """What the scored tables say, in a few lines."""
    grid = Grid("asked", "answer", box=None, pad_edge=False)
    for question, answer in _answers(lake):
        grid.add_row(question, answer)
    return grid


def _answers(lake: Lake) -> Iterator[tuple[str, str]]:
    segments = arrow.rows(lake, segment_profiles.TABLE).to_pylist()
    for row in sorted(segments, key=lambda row: -row["net_revenue"]):
        yield (
            f"Who are {row['segment']!r}?",
            f"{row['customers']:,} customers ({row['customer_share']:.0%}) with {row['net_revenue']:,.2f} "
            f"{row['currency']} so far, by {row['model']}",
        )
    revenue = arrow.rows(lake, revenue_forecast.TABLE).to_pylist()
    if revenue:
        days = sorted(row["sold_on"] for row in revenue)
        first = min(revenue, key=lambda row: row["sold_on"])
        yield (
            f"What revenue comes until {days[-1]}?",
            f"{sum(row['mean'] for row in revenue):,.0f} {first['currency']} expected, by {first['model']}; "
            f"on {days[0]} between {first['q025']:,.0f} and {first['q975']:,.0f} (95 %), on no day more than "
            f"{max(row['q975'] for row in revenue):,.0f}",
        )
    plan = arrow.rows(lake, inventory_plan.TABLE).to_pylist()
    now = [row for row in plan if row["alert"] == "order now"]
    if plan:
        pieces = sum(row["order_quantity"] for row in now)
        yield "What must be ordered now?", f"{len(now)} of {len(plan)} products, {pieces:,} pieces"
