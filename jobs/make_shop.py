"""Make a synthetic shop with planted truth and counted dirt."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from lakehouse.run import command
from synthetic.base import Options, ShopError
from synthetic.shop import make_shop, summary

DAY = click.DateTime(("%Y-%m-%d",))


@command.job(
    __doc__,
    click.option("--output", type=click.Path(path_type=Path), required=True, help="folder of the shop"),
    click.option("--seed", default=Options.seed, help=f"the same seed gives the same bytes (default: {Options.seed})"),
    click.option("--start", type=DAY, default=f"{Options.start}", help=f"first day (default: {Options.start})"),
    click.option("--days", default=Options.days, help=f"default: {Options.days}"),
    click.option("--customers", default=Options.customers, help=f"default: {Options.customers}"),
    click.option("--products", default=Options.products, help=f"default: {Options.products}"),
    click.option("--orders-per-day", default=Options.orders_per_day, help=f"default: {Options.orders_per_day}"),
    click.option("--feeds", default=",".join(Options.feeds), help="names, with commas between them (default: all)"),
    click.option("--clean", is_flag=True, help="plant no dirt"),
)
def main(start: datetime, feeds: str, **asked: Any) -> int:
    """Make the shop, say what was made."""
    try:
        options = Options(start=start.date(), feeds=tuple(feeds.split(",")), **asked)
        click.echo(summary(make_shop(options)), nl=False)
    except ShopError as error:
        raise click.UsageError(str(error)) from error
    return 0


if __name__ == "__main__":
    command.guarded(main)
