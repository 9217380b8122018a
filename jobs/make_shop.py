"""Make a synthetic shop with planted truth and counted dirt."""

from datetime import date, datetime
from pathlib import Path

import click

from lakehouse.run import command
from synthetic.base import Options, ShopError
from synthetic.shop import make_shop, summary

DAY = click.DateTime(("%Y-%m-%d",))


@command.job(
    __doc__,
    click.option("--output", type=click.Path(path_type=Path), required=True, help="folder of the shop"),
    click.option("--seed", default=7, help="the same seed gives the same bytes (default: 7)"),
    click.option("--start", type=DAY, default=date(2024, 1, 1).isoformat(), help="first day (default: 2024-01-01)"),
    click.option("--days", default=90, help="default: 90"),
    click.option("--customers", default=2000, help="default: 2000"),
    click.option("--products", default=300, help="default: 300"),
    click.option("--orders-per-day", default=60, help="default: 60"),
    click.option("--feeds", default=",".join(Options.feeds), help="names, with commas between them (default: all)"),
    click.option("--clean", is_flag=True, help="plant no dirt"),
)
def main(
    output: Path,
    seed: int,
    start: datetime,
    days: int,
    customers: int,
    products: int,
    orders_per_day: int,
    feeds: str,
    clean: bool,
) -> int:
    """Make the shop, say what was made."""
    asked = (output, seed, start.date(), days, customers, products, orders_per_day, tuple(feeds.split(",")), clean)
    try:
        click.echo(summary(make_shop(Options(*asked))), nl=False)
    except ShopError as error:
        raise click.UsageError(str(error)) from error
    return 0


if __name__ == "__main__":
    command.guarded(main)
