"""Serve recommendations, forecasts, stock plans, segments and KPIs of a warehouse over HTTP."""

from pathlib import Path

import click

from lakehouse.errors import UsageError
from lakehouse.run import command
from lakehouse.run.console import console
from lakehouse.run.options import warehouse_of
from lakehouse.settings import load


@command.job(
    __doc__,
    command.ENV,
    command.WAREHOUSE,
    click.option("--host", default="127.0.0.1", help="address to listen on; other than loopback only with --keys"),
    click.option("--port", default=8000, type=click.IntRange(1, 65535), help="port (default: 8000)"),
    click.option(
        "--keys",
        type=click.Path(path_type=Path, dir_okay=False),
        help="file of API keys, made by: shoplake api-key add (default: no key is asked for)",
    ),
    click.option(
        "--rate",
        default=500.0,
        type=click.FloatRange(min=0, min_open=True),
        help="requests a second for each key, or address, in the long run; twice as many at once (default: 500)",
    ),
)
def main(env: str, warehouse: Path | None, host: str, port: int, keys: Path | None, rate: float) -> int:
    """Load the newest release, and answer from it until the process ends."""
    settings = load(env)
    folder = warehouse_of(settings, warehouse)

    import uvicorn

    from lakehouse.store.lake import Lake
    from serving.api.access import Access, is_loopback
    from serving.api.app import create
    from serving.api.release import Live
    from serving.reader import without_spark

    if keys is None and not is_loopback(host):
        raise UsageError(
            f"--host {host}: others could ask without a key; make one and name its file: "
            "shoplake api-key add NAME --role storefront --keys FILE"
        )
    access = Access(keys, rate)
    live = Live(Lake(without_spark, folder, settings))
    screen = console()
    screen.print(f"Release    {live.now.release.run_id}, {', '.join(live.now.shops) or 'no shop'}", markup=False)
    screen.print(f"API        http://{host}:{port}/openapi.json (Ctrl-C ends it)", markup=False)
    # Without a log of requests: they name customers.
    uvicorn.run(create(live, access), host=host, port=port, access_log=False, log_level="warning")
    return 0


if __name__ == "__main__":
    command.guarded(main)
