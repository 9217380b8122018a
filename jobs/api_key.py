"""Keys of the API: api-key add NAME --role ROLE | list | remove NAME. A running API takes changes up within seconds."""

from pathlib import Path

import click
from rich.table import Table as Grid

from lakehouse.clock import system_clock
from lakehouse.run import command
from lakehouse.run.console import console
from serving.api import keys as known
from serving.api.keys import ROLES, Role


@command.job(
    __doc__,
    click.argument("action", type=click.Choice(("add", "list", "remove"))),
    click.argument("name", required=False),
    click.option("--role", type=click.Choice(ROLES), help="for add: storefront (what to show) or manager (everything)"),
    click.option(
        "--keys",
        "file",
        type=click.Path(path_type=Path, dir_okay=False),
        required=True,
        help="file of the keys' hashes, as shoplake api reads it",
    ),
)
def main(action: str, name: str | None, role: Role | None, file: Path) -> int:
    """Make a key and show it once, list the keys, or let one open nothing any more."""
    screen = console()
    if action == "list":
        grid = Grid("name", "role", "made (UTC)", box=None, pad_edge=False)
        found = known.listed(file)
        for key in found:
            grid.add_row(key.name, key.role, f"{key.made_at[:16].replace('T', ' ')}")
        screen.print(grid if found else "There is no key yet.")
        return 0
    if not name:
        raise click.UsageError(f"{action} needs the name of a key")
    if action == "remove":
        known.remove(file, name)
        screen.print(f"The key of {name} opens nothing any more.", markup=False)
        return 0
    if role is None:
        raise click.UsageError(f"add needs a role: --role {' or '.join(ROLES)}")
    screen.print(f"Key of {name}, shown only now; it goes into the header X-API-Key:", markup=False)
    screen.print(known.add(file, name, role, system_clock), markup=False)
    return 0


if __name__ == "__main__":
    command.guarded(main)
