"""What a run costs where little is new: day by day on what is there, and nothing: `python -m benchmarks.incremental`.

A synthetic shop without its last days is taken all the way in one run, then those days one by one in the same session,
then nothing. With `--days 1100 --batches 1000` the many small batches of a shop that delivers often.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.__main__ import shop_of
from benchmarks.measure import cpu_seconds
from benchmarks.shoplake_run import promote_all
from lakehouse.run import job
from lakehouse.run.console import console
from lakehouse.session import SMALL_DATA


@dataclass(frozen=True)
class Cost:
    """Wall and CPU seconds of a run."""

    seconds: float
    cpu_seconds: float

    def __str__(self) -> str:
        return f"{self.seconds:8.2f} s {self.cpu_seconds:8.2f} CPU s"


def main() -> None:
    """Make or find the shop, deliver it, print what each run cost."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.incremental", description=__doc__)
    options.add_argument("--lines", type=int, default=5_000_000, help="about how many order lines (default 5,000,000)")
    options.add_argument("--days", type=int, default=365, help="on how many days they come (default 365)")
    options.add_argument("--batches", type=int, default=3, help="how many of them come one by one (default 3)")
    options.add_argument("--small", action="store_true", help="with the settings of small data")
    options.add_argument("--keep", type=Path, help="folder in which the shop is kept, and found the next time")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="shoplake-bench-") as scratch:
        shop = shop_of(chosen.keep or Path(scratch), chosen.lines, chosen.days)
        inputs = Path(scratch) / "in"
        files = sorted((shop / "order_lines").iterdir(), key=lambda file: file.name)
        settings = SMALL_DATA if chosen.small else None
        lake = job.open_lake("local", Path(scratch) / "warehouse", console(), settings, may_be_new=True)
        print(f"Spark {lake.spark.version}")

        def took(*delivered: Path) -> Cost:
            for file in delivered:
                target = inputs / file.relative_to(shop)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, target)
            started, cpu = time.monotonic(), cpu_seconds()
            promote_all(lake, inputs)
            return Cost(time.monotonic() - started, cpu_seconds() - cpu)

        first = took(*(shop / "products").iterdir(), *files[: -chosen.batches])
        batches = [took(file) for file in files[-chosen.batches :]]
        nothing = took()
    print(f"\n{text(first, batches, nothing)}")


def text(first: Cost, batches: Sequence[Cost], nothing: Cost) -> str:
    """What is told: of many batches the ten around the hundredth against the last ten."""
    lines = [f"all but the last days   {first}"]
    if len(batches) < 20:
        lines += [f"then a day              {batch}" for batch in batches]
    else:
        middle, last = (_median(part) for part in (batches[95:105] or batches[:10], batches[-10:]))
        lines += [f"the hundredth of {len(batches):6} {middle}", f"the last of {len(batches):11} {last}"]
        lines += [f"ratio {last.seconds / middle.seconds:.2f} (CPU {last.cpu_seconds / middle.cpu_seconds:.2f})"]
    return "\n".join([*lines, f"then nothing            {nothing}"])


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(statistics.median(c.seconds for c in costs), statistics.median(c.cpu_seconds for c in costs))


if __name__ == "__main__":
    main()
