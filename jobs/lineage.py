"""Tell what ran and which version of which table went into which as OpenLineage events: to a file, or to a server."""

from pathlib import Path

import click

from jobs.steps import catalogued
from lakehouse.accounts import ops_tables
from lakehouse.catalogue import openlineage
from lakehouse.catalogue.pages import tables_of
from lakehouse.run import command, job
from lakehouse.run.console import console


@command.job(
    __doc__,
    command.ENV,
    command.WAREHOUSE,
    click.option("--run", "run_id", help="one run, as ops.runs names it (default: all)"),
    click.option(
        "--output",
        type=click.Path(path_type=Path),
        help="file, a line of JSON per event (default: WAREHOUSE/ops/openlineage.ndjson)",
    ),
    click.option("--url", help="server that takes OpenLineage, such as Marquez, instead of a file"),
)
def main(env: str, warehouse: Path | None, run_id: str | None, output: Path | None, url: str | None) -> int:
    """Write or send the events."""
    screen = console()
    lake = job.open_lake(env, warehouse, screen)
    found = openlineage.events(lake, [*tables_of(catalogued()).values(), *ops_tables.TABLES], run_id)
    place = url or str(output or lake.warehouse / "ops" / "openlineage.ndjson")
    told = openlineage.send(found, url) if url else openlineage.write(found, Path(place))
    screen.print(f"Lineage    {told} events in {place}", markup=False)
    return 0


if __name__ == "__main__":
    command.guarded(main)
