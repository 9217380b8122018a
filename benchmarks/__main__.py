"""Shoplake against Polars with delta-rs, on the same files in one invocation: `python -m benchmarks --help`.

A synthetic shop is made first, outside of what is timed. Then, in turn, each in a fresh process: Polars, Shoplake, and
Shoplake with its gates and its ledger off. All must have made the same tables, or there is no result.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import measure
from benchmarks.facts import Facts, differences, facts_of
from benchmarks.report import Measured, text
from benchmarks.words import write_words
from synthetic.base import Options
from synthetic.shop import make_shop

ROOT = Path(__file__).resolve().parents[1]
LINES_PER_ORDER = 2.96
CONTENDERS = {
    "Polars + delta-rs": ("benchmarks.polars_run", []),
    "Shoplake": ("benchmarks.shoplake_run", []),
    "Shoplake without gates and ledger": ("benchmarks.shoplake_run", ["--bare"]),
}


def main() -> int:
    """Make or find the shop, run the contenders, compare what they made, print the table."""
    options = argparse.ArgumentParser(prog="python -m benchmarks", description="Shoplake against Polars and delta-rs.")
    options.add_argument("--lines", type=int, default=5_000_000, help="about how many order lines (default 5,000,000)")
    options.add_argument("--repeat", type=int, default=1, help="rounds, of which the medians are told (default 1)")
    options.add_argument("--keep", type=Path, help="folder in which the shop is kept, and found the next time")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="shoplake-bench-") as scratch:
        shop = shop_of(chosen.keep or Path(scratch), chosen.lines)
        ledger = json.loads((shop / "truth" / "dirt.json").read_text())["order_lines"]["ledger"]
        measured = []
        for number in range(chosen.repeat):
            print(f"round {number + 1} of {chosen.repeat}", flush=True)
            measured += _round(shop, Path(scratch), ledger["clean_distinct_rows"])
    print(f"\n{text(ledger['physical_records'], measured)}", end="")
    return 0


def shop_of(folder: Path, lines: int, days: int | None = None) -> Path:
    """A shop with about so many order lines on so many days; made where it is not there yet.

    By default it is a year of a shop, and a month of a small one.
    """
    days = days or (365 if lines >= 100_000 else 30)
    shop = folder.absolute() / f"shop-{lines}-{days}"
    if not (shop / "truth" / "dirt.json").exists():
        made = make_shop(
            Options(
                shop,
                days=days,
                customers=max(200, lines // 50),
                products=min(2000, max(100, lines // 500)),
                orders_per_day=max(1, round(lines / days / LINES_PER_ORDER)),
                feeds=("order_lines", "products"),
            )
        )
        print(f"made a shop in {made.seconds:.0f} s", flush=True)
    return shop


def _round(shop: Path, scratch: Path, accepted: int) -> list[Measured]:
    """Each contender once; what they made must be alike, and as many lines as the shop knows to be good."""
    measured = []
    first: Facts | None = None
    for contender in CONTENDERS:
        warehouse = scratch / "warehouse"
        shutil.rmtree(warehouse, ignore_errors=True)
        measured.append(run(contender, shop, warehouse, scratch))
        made = facts_of(warehouse)
        wrong = differences(first, made) if first else []
        if made.counts["silver.order_lines"] != accepted:
            wrong.append(f"{made.counts['silver.order_lines']} lines are in silver, and {accepted} are good")
        if wrong:
            sys.exit("\n".join([f"{contender} made something else, so there is no result:", *wrong]))
        first = first or made
    print(f"all made the same: {first.counts if first else None}", flush=True)
    return measured


def run(contender: str, shop: Path, warehouse: Path, scratch: Path) -> Measured:
    """Run one contender in a fresh process, on files that are in the system's cache and with nothing left to write."""
    module, extra = CONTENDERS[contender]
    for path in shop.glob("*/*"):
        path.read_bytes()
    os.sync()
    result = scratch / "result.json"
    words = [str(write_words(scratch / "words.json"))] if module == "benchmarks.polars_run" else []
    command = [sys.executable, "-m", module, str(shop), str(warehouse), *words, str(result), *extra]
    started = time.monotonic()
    cost = measure.run(command, ROOT, scratch / "log.txt")
    if cost.exit_code:
        sys.exit(f"{contender} stopped:\n{cost.output[-4000:]}")
    told = json.loads(result.read_text())
    print(f"{contender}: {told['seconds']:.1f} s\n{cost.output}", end="", flush=True)
    return Measured(
        contender,
        told["ready_at"] - started,
        told["stages"],
        told["seconds"],
        told["cpu_seconds"],
        cost.peak_bytes,
    )


if __name__ == "__main__":
    sys.exit(main())
