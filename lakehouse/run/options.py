"""What options mean: which steps they choose, and what is wrong with them before a run starts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from lakehouse.declare.table import Step
from lakehouse.errors import UsageError
from lakehouse.intake.folder import holds, meant_instead, unaccounted
from lakehouse.settings import Settings


def warehouse_of(settings: Settings, given: Path | None, *, may_be_new: bool = False) -> Path:
    """The folder of the warehouse that an option names, or else the settings.

    One that is not there is a `UsageError` unless it `may_be_new`: what only reads a warehouse must not make it.
    """
    folder = given or Path(settings.warehouse)
    if not may_be_new and not (folder / "ops").is_dir():
        what = "holds no warehouse" if folder.is_dir() else "does not exist"
        raise UsageError(
            f"--warehouse {folder}: this folder {what}; name that of an earlier run, or make one: "
            "shoplake run --input FOLDER --warehouse DIR"
        )
    return folder


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


def check_rebuild(steps: Sequence[Step], chosen: Sequence[Step], table: str | None) -> None:
    """Raise `UsageError` where a table cannot be made anew: unknown, not made of tables, or not by all of its steps."""
    if table is None:
        return
    own = [step for step in steps if step.table.name == table]
    if not own:
        names = sorted({step.table.name for step in steps if step.reads})
        raise UsageError(f"--rebuild {table}: unknown table here; known tables: {', '.join(names)}")
    if any(step.feed for step in own):
        raise UsageError(
            f"--rebuild {table}: it holds what was delivered and is made from no table; see: shoplake files"
        )
    if missing := [step.name for step in own if step not in chosen]:
        raise UsageError(
            f"--rebuild {table}: this run leaves out {', '.join(missing)}, whose rows would be gone; run it without"
            " --source and --table"
        )


def check_spellings(steps: Sequence[Step], settings: Settings) -> None:
    """Raise `UsageError` where words are configured for a column that no feed has, or that keys are made of."""
    columns = {step.table.name: list(step.feed.columns) for step in steps if step.feed}
    for name in settings.spellings:
        table, _, column = name.rpartition(".")
        if columns and column not in columns.get(table, ()):
            known = columns.get(table, columns)
            raise UsageError(f"conf: spellings: there is no {name}; known here: {', '.join(sorted(known))}")
        reads = [read for step in steps for read in step.reads if read.table.name == table]
        keys = [sql for read in reads for sql in (*(read.groups or {}).values(), *(read.joins or {}).values())]
        if any(re.search(rf"\b{column}\b", sql) for sql in keys):
            raise UsageError(f"conf: spellings: {name} is part of a key; keys are read as they are delivered")


def check_inputs(steps: Sequence[Step], inputs: Path | None) -> None:
    """Raise `UsageError` where the input folder is missing, or holds no file of a feed of the steps.

    The message says what is expected there, and what may have been meant: another folder, or another name of a file.
    """
    feeds = [step.feed for step in steps if step.feed]
    if inputs is None or not feeds:
        return
    if not inputs.is_dir():
        raise UsageError(f"--input {inputs}: there is no such folder; name the folder of the delivered files")
    if holds(feeds, inputs):
        return
    expected = ", ".join(sorted({feed.pattern for feed in feeds}))
    told = f"--input {inputs}: no file there belongs to a known feed; expected {expected}"
    if folders := meant_instead(feeds, inputs):
        told += f"; did you mean {' or '.join(folders[:5])}?"
    else:
        mistyped = [why for _, _, why in unaccounted(feeds, inputs) if "did you mean" in why]
        told += f"; {mistyped[0]}" if mistyped else ""
    raise UsageError(told)
