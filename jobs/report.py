"""Write the catalogue of the warehouse as static pages: tables, lineage, ledger, quarantine, operations."""

from collections.abc import Sequence
from pathlib import Path

from jobs.steps import catalogued
from lakehouse.catalogue import pages
from lakehouse.run import job
from lakehouse.run.console import console
from lakehouse.run.options import parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages; see --help."""
    options = parser(__doc__ or "")
    options.add_argument("--output", type=Path, help="folder for the pages (default: WAREHOUSE/ops/catalogue)")
    chosen = options.parse_args(arguments)
    screen = console()
    lake = job.open_lake(chosen.env, chosen.warehouse, screen)
    index = pages.write(lake, catalogued(), chosen.output)
    screen.print(f"Catalogue  {index}", markup=False)
    return 0


if __name__ == "__main__":
    job.guarded(main)
