"""Show the board in the browser, or write a static copy of it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lakehouse.errors import UsageError
from lakehouse.run import command

if TYPE_CHECKING:
    from lakehouse.declare.table import Table

PORT = 8501


@command.job(
    __doc__,
    command.ENV,
    command.WAREHOUSE,
    click.option("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine alone)"),
    click.option("--port", default=PORT, help=f"port to listen on (default: {PORT})"),
    click.option(
        "--export", type=click.Path(path_type=Path), help="write a static copy for reading offline into this folder"
    ),
)
def main(env: str, warehouse: Path | None, host: str, port: int, export: Path | None) -> int:
    """Become the server, or write the copy."""
    import uvicorn

    from lakehouse.run import job
    from lakehouse.run.console import console
    from serving.board import app

    screen = console()
    lake = job.open_lake(env, warehouse, screen)
    board = app.Board(lake, readable(), made_by())
    if export is not None:
        screen.print(f"Board      {app.export(board, export)}", markup=False)
        return 0
    listening = _listening(host, port)
    screen.print(f"Board      http://{host}:{port} (Ctrl-C ends it)", markup=False)
    if host not in app.LOOPBACK:
        screen.print("           whoever reaches this machine can read it: it asks for no password", markup=False)
    config = uvicorn.Config(app.application(board, host), log_level="warning", server_header=False)
    uvicorn.Server(config).run(sockets=[listening])
    return 0


def readable() -> list[Table]:
    """All tables and their quarantines; of rows that may hold personal data only why they were refused is readable."""
    from jobs.steps import catalogued
    from lakehouse.catalogue.pages import private_tables, tables_of
    from lakehouse.promotion.quarantine import quarantine_of
    from lakehouse.promotion.staged import GROUP

    steps = catalogued()
    tables, private = tables_of(steps), private_tables(steps)
    refused = [quarantine_of(table) for table in tables.values()]
    hidden = {f"{name}__quarantine" for name in private}
    masked = [
        replace(table, fields=tuple(replace(f, personal=f.name in ("_row", GROUP)) for f in table.fields))
        if table.name in hidden
        else table
        for table in refused
    ]
    return [*tables.values(), *masked]


def made_by() -> Mapping[str, str]:
    """By scored table, the commands that make it; all others come by `shoplake run`."""
    from gold.models import model_scorecard
    from ml.families import FAMILIES

    scored = {
        output.table.name: f"`shoplake train {name}` and `shoplake score {name}`"
        for name, family in FAMILIES.items()
        for experiment in family
        for output in experiment.outputs
    }
    return scored | {model_scorecard.TABLE.name: "`shoplake train FAMILY`"}


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else "there is no such port"
        raise UsageError(f"--port {port}: cannot listen on {host} ({why}); choose another by --port") from error


if __name__ == "__main__":
    command.guarded(main)
