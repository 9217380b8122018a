"""Serve gold, silver and ops to BI tools by JDBC and ODBC: Spark's Thrift server, which follows new releases."""

import time
from functools import partial
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console

from jobs.steps import catalogued
from lakehouse.accounts import ops_tables
from lakehouse.catalogue.pages import tables_of
from lakehouse.errors import LakehouseError
from lakehouse.run import command, job
from lakehouse.run.console import console, working
from lakehouse.session import spark_session
from serving.bi.access import USER, password_of, users_file
from serving.bi.server import SETTINGS, Server

LOOK_SECONDS = 5
"""How often it looks for a new release."""


@command.job(
    __doc__,
    command.ENV,
    command.WAREHOUSE,
    click.option("--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1, this machine alone)"),
    click.option("--port", default=10000, help="port to listen at (default: 10000)"),
    click.option("--new-password", is_flag=True, help="make a new password; the old one is no longer good"),
)
def main(env: str, warehouse: Path | None, host: str, port: int, new_password: bool) -> int:
    """Serve until it is stopped."""
    screen = console()
    lake = job.open_lake(env, warehouse, screen)
    lake.start = partial(spark_session, SETTINGS)
    with working(screen, "starting Spark's Thrift server"):
        server = Server(lake, [*tables_of(catalogued()).values(), *ops_tables.TABLES], host, port)
    password = password_of(lake, renew=new_password)
    told = f"password {password} (told once)" if password else "the password that was told before (--new-password)"
    screen.print(f"JDBC       jdbc:hive2://{host}:{server.port}/gold (Ctrl-C ends it)", markup=False)
    screen.print(f"User       {USER}, {told}; its hash is in {users_file(lake)}", markup=False)
    if host not in ("127.0.0.1", "localhost", "::1"):
        screen.print("Passwords and rows travel unencrypted: let in only a network that you trust.", style="yellow")
    screen.print(_shown(server), markup=False)
    try:
        _follow(server, screen)
    except KeyboardInterrupt:
        server.stop()
    return 0


def _follow(server: Server, screen: Console) -> NoReturn:
    """Look for new releases for ever. What is wrong with one is told once, and the one before stays."""
    told = ""
    while True:
        time.sleep(LOOK_SECONDS)
        try:
            if server.follow():
                screen.print(f"{_shown(server)}; open connections keep the one before", markup=False)
        except LakehouseError as error:
            if str(error) != told:
                screen.print(f"warning: {error}", style="yellow", markup=False)
            told = str(error)


def _shown(server: Server) -> str:
    return f"Release    {server.release.at:%Y-%m-%d %H:%M:%S} UTC, {len(server.views)} views"


if __name__ == "__main__":
    command.guarded(main)
