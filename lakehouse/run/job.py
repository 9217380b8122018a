"""What every job does around its steps: options, a warehouse, the run, the summary, the exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from lakehouse.clock import system_clock
from lakehouse.declare.table import Step
from lakehouse.errors import OTHER, LakehouseError
from lakehouse.promotion import gate
from lakehouse.run.console import console, nothing, run_shown, summarise
from lakehouse.run.options import check_inputs, check_rebuild, check_spellings, check_warehouse, choose, parser
from lakehouse.session import spark_session
from lakehouse.settings import load
from lakehouse.store.lake import Lake


def run_job(description: str, steps: Sequence[Step], arguments: Sequence[str] | None = None) -> int:
    """A job over steps: parse the options, promote, say what changed; returns the exit code."""
    options = parser(description)
    options.add_argument("--source", help="one source of files, such as online_retail (default: all)")
    options.add_argument("--table", help="one table, such as gold.sales_daily, with what it needs")
    options.add_argument("--full", action="store_true", help="build again from bronze instead of taking in what is new")
    if any(step.reads for step in steps):
        options.add_argument(
            "--rebuild", metavar="TABLE", help="make a table of silver or gold anew, as it is declared now"
        )
    if any(step.feed for step in steps):
        options.add_argument("--input", type=Path, required=True, help="folder of delivered files")
    chosen = options.parse_args(arguments)
    inputs = getattr(chosen, "input", None)
    rebuild = getattr(chosen, "rebuild", None)
    todo = choose(steps, chosen.source, chosen.table)
    check_rebuild(steps, todo, rebuild)
    check_inputs(todo, inputs)
    screen = console()
    gate.warm_up()
    lake = open_lake(chosen.env, chosen.warehouse, screen, may_be_new=inputs is not None)
    check_spellings(steps, lake.settings)
    feeds = [step.feed for step in steps if step.feed]
    report = run_shown(lake, todo, screen, full=chosen.full, rebuild=rebuild, inputs=inputs, feeds=feeds)
    summarise(lake, report, screen)
    return report.exit_code


def open_lake(
    env: str,
    warehouse: Path | None,
    console: Console,
    overrides: Mapping[str, str] | None = None,
    *,
    may_be_new: bool = False,
) -> Lake:
    """The warehouse that the options name, with a session; Spark starts here, with `overrides` of its settings.

    One that is not there is a `UsageError` unless it `may_be_new`.
    """
    settings = load(env)
    folder = warehouse or Path(settings.warehouse)
    if not may_be_new:
        check_warehouse(folder)
    with console.status("starting Spark") if console.is_terminal else nothing():
        return Lake(
            spark_session(overrides), folder, settings, system_clock, say=lambda text: console.print(text, style="dim")
        )


def guarded(main: Callable[[Sequence[str] | None], int], arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a job's main and end the process with its exit code; an error of ours is one message, without a trace."""
    try:
        code = main(arguments)
    except LakehouseError as error:
        sys.stderr.write(f"error: {error}\n")
        code = error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was not finished is read again by the next run\n")
        code = OTHER
    sys.exit(code)
