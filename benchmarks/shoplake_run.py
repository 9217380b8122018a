"""Shoplake's half of the benchmark: delivered files -> bronze -> silver -> gold.sales_daily, as its jobs do it."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import cpu_seconds
from jobs.steps import ALL
from lakehouse.run import job
from lakehouse.run.console import console, run_shown
from lakehouse.run.options import choose
from lakehouse.store.lake import Lake

TARGET = "gold.sales_daily"


def promote_all(lake: Lake, shop: Path) -> dict[str, float]:
    """Promote all that the target is made from; the seconds of each layer, and of what a run does beside its steps."""
    started = time.monotonic()
    steps = choose(ALL, "shop", TARGET)
    report = run_shown(lake, steps, console(), inputs=shop)
    if report.exit_code:
        raise RuntimeError(f"Shoplake stopped: {[message for _, message, _ in report.errors] or report.unreadable}")
    layers = dict.fromkeys(("bronze", "silver", "gold"), 0.0)
    for outcome in report.promotions:
        layers[outcome.step.table.layer] += outcome.seconds
    return layers | {"rest": time.monotonic() - started - sum(layers.values())}


def main() -> None:
    """Run as a process of its own: start Spark, promote, and leave what was measured in a file."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("shop", type=Path)
    options.add_argument("warehouse", type=Path)
    options.add_argument("result", type=Path)
    options.add_argument("--bare", action="store_true", help="with gates and ledger off")
    chosen = options.parse_args()
    lake = job.open_lake("local", chosen.warehouse, console(), may_be_new=True)
    print(f"Spark {lake.spark.version}")  # its start is not in what is timed
    if chosen.bare:
        lake = replace(lake, gates=False, ledger=False)
    ready, cpu = time.monotonic(), cpu_seconds()
    stages = promote_all(lake, chosen.shop)
    measured = {"ready_at": ready, "seconds": time.monotonic() - ready, "cpu_seconds": cpu_seconds() - cpu}
    chosen.result.write_text(json.dumps(measured | {"stages": stages}))


if __name__ == "__main__":
    main()
