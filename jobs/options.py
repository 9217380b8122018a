"""The options that jobs of models share."""

import click

from lakehouse.run import command
from ml.families import FAMILIES

FAMILY = click.Choice(sorted(FAMILIES))
OF_MODELS = (
    command.ENV,
    command.WAREHOUSE,
    click.argument("family", type=FAMILY),
    click.option("--shop", help="one shop, such as online_retail (default: all that have rows)"),
)
