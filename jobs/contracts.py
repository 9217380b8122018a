"""Write a data contract of each table of silver, gold and ops, by the Open Data Contract Standard (ODCS 3.1)."""

from pathlib import Path

import click

from jobs.steps import catalogued
from lakehouse.accounts import ops_tables
from lakehouse.catalogue import contracts
from lakehouse.catalogue.pages import tables_of
from lakehouse.run import command
from lakehouse.run.console import console


@command.job(
    __doc__,
    click.option("--output", type=click.Path(path_type=Path), default="contracts", help="folder (default: contracts)"),
)
def main(output: Path) -> int:
    """Write the contracts; no warehouse is needed."""
    tables = [table for table in tables_of(catalogued()).values() if table.layer != "bronze"]
    written = contracts.write([*tables, *ops_tables.TABLES], output)
    console().print(f"Contracts  {len(written)} in {output}", markup=False)
    return 0


if __name__ == "__main__":
    command.guarded(main)
