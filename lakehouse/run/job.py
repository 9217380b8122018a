"""What every job does around its steps: a warehouse, the run, the summary, the exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from pyspark.sql import SparkSession
from rich.console import Console

from lakehouse.clock import system_clock
from lakehouse.declare.table import Step
from lakehouse.promotion import gate
from lakehouse.run.command import ENV, WAREHOUSE, Job, job
from lakehouse.run.console import console, run_shown, summarise
from lakehouse.run.options import check_inputs, check_rebuild, check_spellings, choose, warehouse_of
from lakehouse.session import spark_session
from lakehouse.settings import load
from lakehouse.store.lake import Lake


def over(description: str | None, steps: Sequence[Step]) -> Job:
    """The job that promotes steps and says what changed."""
    options = [
        ENV,
        WAREHOUSE,
        click.option("--source", help="one source of files, such as online_retail (default: all)"),
        click.option("--table", help="one table, such as gold.sales_daily, with what it needs"),
        click.option("--full", is_flag=True, help="build again from bronze instead of taking in what is new"),
    ]
    if any(step.reads for step in steps):
        made_anew = "make a table of silver or gold anew, as it is declared now"
        options.append(click.option("--rebuild", metavar="TABLE", help=made_anew))
    if any(step.feed for step in steps):
        folder = click.Path(path_type=Path)
        options.append(click.option("--input", "inputs", type=folder, required=True, help="folder of delivered files"))

    @job(description, *options)
    def promoted(
        env: str,
        warehouse: Path | None,
        source: str | None,
        table: str | None,
        full: bool,
        rebuild: str | None = None,
        inputs: Path | None = None,
    ) -> int:
        todo = choose(steps, source, table)
        check_rebuild(steps, todo, rebuild)
        check_inputs(todo, inputs)
        screen = console()
        lake = open_lake(env, warehouse, screen, may_be_new=inputs is not None)
        check_spellings(steps, lake.settings)
        feeds = [step.feed for step in steps if step.feed]
        report = run_shown(lake, todo, screen, full=full, rebuild=rebuild, inputs=inputs, feeds=feeds)
        summarise(lake, report, screen)
        return report.exit_code

    return promoted


def open_lake(
    env: str,
    warehouse: Path | None,
    console: Console,
    overrides: Mapping[str, str] | None = None,
    *,
    may_be_new: bool = False,
) -> Lake:
    """The warehouse that the options name; Spark starts with its first use, with `overrides` of its settings.

    One that is not there is a `UsageError` unless it `may_be_new`.
    """
    settings = load(env)
    folder = warehouse_of(settings, warehouse, may_be_new=may_be_new)

    def start() -> SparkSession:
        gate.warm_up()
        return spark_session(overrides)

    return Lake(start, folder, settings, system_clock, say=lambda text: console.print(text, style="dim"))
