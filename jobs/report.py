"""Write the catalogue of the warehouse as static pages: tables, lineage, ledger, quarantine, operations."""

from pathlib import Path

import click

from jobs.steps import catalogued
from lakehouse.accounts import releases
from lakehouse.catalogue import pages
from lakehouse.run import command, job
from lakehouse.run.console import console
from lakehouse.store.lake import Lake
from serving import overview
from serving.reader import Reader


@command.job(
    __doc__,
    command.ENV,
    command.WAREHOUSE,
    click.option(
        "--output",
        type=click.Path(path_type=Path),
        help="folder for the pages (default: WAREHOUSE/ops/catalogue)",
    ),
)
def main(env: str, warehouse: Path | None, output: Path | None) -> int:
    """Write the pages."""
    screen = console()
    lake = job.open_lake(env, warehouse, screen)
    screen.print(f"Catalogue  {write(lake, output)}", markup=False)
    return 0


def write(lake: Lake, output: Path | None = None) -> Path:
    """Write the catalogue with charts of what the newest release says, if there is one; returns its index."""
    steps = catalogued()
    tables = list(pages.tables_of(steps).values())
    charts = overview.charts(Reader(lake, tables)) if releases.newest(lake) else []
    return pages.write(lake, steps, output, charts)


if __name__ == "__main__":
    command.guarded(main)
