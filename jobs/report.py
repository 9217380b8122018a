"""Write the catalogue of the warehouse as static pages: tables, lineage, ledger, quarantine, operations."""

from pathlib import Path

import click

from jobs.steps import catalogued
from lakehouse.catalogue import pages
from lakehouse.run import command, job
from lakehouse.run.console import console


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
    index = pages.write(lake, catalogued(), output)
    screen.print(f"Catalogue  {index}", markup=False)
    return 0


if __name__ == "__main__":
    command.guarded(main)
