"""The options that jobs share, their mistakes as one line, and which steps they choose."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from lakehouse.declare.table import Step
from lakehouse.errors import USAGE, UsageError


class Parser(argparse.ArgumentParser):
    """Arguments whose mistakes are one line and exit code 2."""

    def error(self, message: str) -> NoReturn:
        """End with the message and the exit code of a wrong use."""
        self.exit(USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser(description: str) -> Parser:
    """The options that all jobs share."""
    made = Parser(description=description)
    made.add_argument("--env", default="local", help="which conf/<env>.yaml (default: local)")
    made.add_argument("--warehouse", type=Path, help="folder of all tables (default: as configured)")
    return made


def choose(steps: Sequence[Step], source: str | None = None, table: str | None = None) -> list[Step]:
    """The steps for one source, and for one table with all that it is made from. Unknown names are a `UsageError`."""
    sources = sorted({step.source for step in steps if step.source})
    if source is not None and sources and source not in sources:  # gold is of all sources
        raise UsageError(f"--source {source}: unknown source; known sources: {', '.join(sources)}")
    names = sorted({step.table.name for step in steps})
    if table is not None and table not in names:
        raise UsageError(f"--table {table}: unknown table here; known tables: {', '.join(names)}")
    chosen = [step for step in steps if source is None or step.source in (None, source)]
    return chosen if table is None else [step for step in chosen if step.table.name in _ancestry(chosen, table)]


def _ancestry(steps: Sequence[Step], table: str) -> set[str]:
    needed = {table}
    for step in reversed(steps):
        if step.table.name in needed:
            needed |= {read.table.name for read in step.reads}
            needed |= {rule.reference.name for rule in step.table.row_rules if rule.reference}
    return needed


def check_inputs(steps: Sequence[Step], inputs: Path | None) -> None:
    """Raise `UsageError` where the input folder is missing, or holds no file of a feed of the steps."""
    feeds = [step.feed for step in steps if step.feed]
    if inputs is None or not feeds:
        return
    if not inputs.is_dir():
        raise UsageError(f"--input {inputs}: there is no such folder; name the folder of the delivered files")
    if not any(next(inputs.glob(feed.pattern), None) for feed in feeds):
        expected = ", ".join(sorted({feed.pattern for feed in feeds}))
        others = (inputs.absolute().parent, *sorted(path for path in inputs.iterdir() if path.is_dir()))
        meant = next((path for path in others if any(next(path.glob(feed.pattern), None) for feed in feeds)), None)
        hint = f"; did you mean {meant}?" if meant else ""
        raise UsageError(f"--input {inputs}: no file there belongs to a known feed; expected {expected}{hint}")
