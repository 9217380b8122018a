"""What a process and all that it started (Java, Spark's Python workers) cost: CPU time and memory, from /proc."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, STDOUT, Popen, TimeoutExpired

PROC = Path("/proc")
EVERY_SECONDS = 0.5
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """A command's highest memory (proportional set size of all its processes), exit code and output."""

    peak_bytes: int
    exit_code: int
    output: str


def run(command: Sequence[str], folder: Path, log: Path) -> Cost:
    """Run a command in a folder to its end, and watch the memory of it and of all that it starts."""
    peak = 0
    with log.open("w") as screen, Popen(command, cwd=folder, stdin=DEVNULL, stdout=screen, stderr=STDOUT) as process:
        while True:
            try:
                code = process.wait(EVERY_SECONDS)
                break
            except TimeoutExpired:
                peak = max(peak, sum(map(_memory, _tree(process.pid))))
    return Cost(peak, code, log.read_text())


def cpu_seconds() -> float:
    """User and system time of this process and of all that it started, as far as they were not orphaned."""
    return sum(map(_cpu, _tree(os.getpid())))


def _tree(root: int) -> list[int]:
    """A process and its descendants."""
    children = defaultdict(list)
    for folder in PROC.glob("[0-9]*"):
        if fields := _stat(int(folder.name)):
            children[int(fields[1])].append(int(folder.name))
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the name, from the state on; empty where the process is gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _cpu(pid: int) -> float:
    """Own time and that of children that have ended."""
    return sum(int(ticks) for ticks in _stat(pid)[11:15]) / _TICKS


def _memory(pid: int) -> int:
    """Memory of a process; a page that several share counts in parts."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
