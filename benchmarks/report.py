"""The measurements of one invocation as a table, in Markdown that reads well on a screen."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median

PACKAGES = ("polars", "deltalake", "pyspark", "delta-spark", "great-expectations")


@dataclass(frozen=True)
class Measured:
    """What one contender cost in one round. The promotion is what lies between its start and its end."""

    contender: str
    start_seconds: float
    stages: dict[str, float]
    seconds: float
    cpu_seconds: float
    peak_bytes: int


def text(lines: int, measured: Sequence[Measured]) -> str:
    """The table of all contenders, the first of which is the measure of the others, and how it was taken."""
    names = list(dict.fromkeys(m.contender for m in measured))
    by_name = {name: [m for m in measured if m.contender == name] for name in names}
    rows = [["", *names], ["---", *["---:"] * len(names)]]
    for title, value, shown in _figures(lines):
        values = [median(map(value, by_name[name])) for name in names]
        rows.append([title, *map(shown, values)])
        if title in _COMPARED:
            rows.append([f"... times {names[0]}", *(f"{each / values[0]:.2f}" for each in values)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["| " + " | ".join(map(_padded, row, widths, range(len(row)))) + " |" for row in rows]
    rounds = len(by_name[names[0]])
    return "\n".join([*table, "", *_shares(by_name), "", *_circumstances(lines, rounds), ""])


_COMPARED = ("promotion, s", "promotion, CPU s", "peak memory, MiB")


def _figures(lines: int) -> list[tuple[str, Callable[[Measured], float], Callable[[float], str]]]:
    cores = len(os.sched_getaffinity(0))

    def stage(name: str) -> Callable[[Measured], float]:
        return lambda m: m.stages[name]

    layers = ("bronze", "silver", "gold", "rest")
    return [
        ("start, s", lambda m: m.start_seconds, "{:,.1f}".format),
        *((f"{name}, s", stage(name), "{:,.1f}".format) for name in layers),
        ("promotion, s", lambda m: m.seconds, "{:,.1f}".format),
        ("start and promotion, s", lambda m: m.start_seconds + m.seconds, "{:,.1f}".format),
        ("promotion, CPU s", lambda m: m.cpu_seconds, "{:,.1f}".format),
        ("lines/s", lambda m: lines / m.seconds, "{:,.0f}".format),
        ("lines/s per core", lambda m: lines / m.seconds / cores, "{:,.0f}".format),
        ("lines per CPU s", lambda m: lines / m.cpu_seconds, "{:,.0f}".format),
        ("peak memory, MiB", lambda m: m.peak_bytes / 2**20, "{:,.0f}".format),
    ]


def _padded(cell: str, width: int, column: int) -> str:
    if cell.startswith("---"):
        return cell[0] * (width - cell.count(":")) + ":" * cell.count(":")
    return cell.rjust(width) if column else cell.ljust(width)


def _shares(by_name: dict[str, list[Measured]]) -> list[str]:
    """What gates and ledger take of a promotion: (on - off) / on, by the last two contenders."""
    whole, bare = list(by_name)[-2:]
    told = []
    for what, value in (("time", lambda m: m.seconds), ("CPU time", lambda m: m.cpu_seconds)):
        on, off = (median(map(value, by_name[name])) for name in (whole, bare))
        told.append(f"Gates and ledger take {(on - off) / on:.0%} of the promotion's {what}: (on - off) / on.")
    return told


def _circumstances(lines: int, rounds: int) -> list[str]:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()
    java = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr.split("\n")[0]
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return [
        f"{lines:,} order lines; {'one round' if rounds == 1 else f'medians of {rounds} rounds'}. All contenders made"
        " the same tables: rows, rejections by rule, the sum of all amounts, and every value of gold.sales_daily.",
        f"{cores} cores, {memory:.0f} GiB of memory, {platform.system()} {platform.machine()}; load at the end"
        f" {load[0]:.1f}, {load[1]:.1f}, {load[2]:.1f} (1, 5, 15 minutes).",
        f"Python {platform.python_version()}, {java}, {packages}.",
        "Start is a process with its imports, and Spark with its Java. Rest is what a run does after its steps: the"
        " ops tables and Data Docs. Memory is that of all processes of a contender, sampled every half second.",
        "One round on a machine that does other work is noisy: repeat with `python -m benchmarks --repeat 3 --keep"
        " DIR`, and trust CPU time more than time.",
    ]
