"""Which model is champion, since when and why, and the way back: promote_model.py history | rollback FAMILY."""

from pathlib import Path

import click
from rich.console import Console

from jobs.options import FAMILY
from lakehouse.run import command, job
from lakehouse.run.console import console, run_shown, summarise
from lakehouse.store.lake import Lake
from ml.core import moves
from ml.families import FAMILIES


@command.job(
    __doc__,
    command.ENV,
    command.WAREHOUSE,
    click.argument("action", type=click.Choice(("history", "rollback"))),
    click.argument("family", type=FAMILY, required=False),
    click.option("--shop", help="for rollback: the shop"),
    click.option("--version", type=int, help="for rollback: which version (default: the champion before)"),
)
def main(
    env: str, warehouse: Path | None, action: str, family: str | None, shop: str | None, version: int | None
) -> int:
    """Show the moves of the aliases, or make an older version champion and score with it."""
    if action == "rollback" and not (family and shop):
        raise click.UsageError("rollback needs a family and --shop")
    screen = console()
    lake = job.open_lake(env, warehouse, screen)
    if action == "history":
        screen.print(moves.shown(moves.made(lake)))
        return 0
    return _roll_back(lake, screen, family or "", shop or "", version)


def _roll_back(lake: Lake, screen: Console, family: str, shop: str, version: int | None) -> int:
    from ml.core import lifecycle, scorecard, scoring  # what only looks does not wait for MLflow
    from ml.core.tracking import Store

    store = Store(lake)
    ((experiment, _),) = lifecycle.pairs(lake, FAMILIES[family], shop)
    version = lifecycle.roll_back(lake, store, experiment, shop, version)
    screen.print(f"{scoring.model_name(experiment, shop)}: version {version} is champion", markup=False)
    steps = scoring.steps(experiment, shop, lifecycle.serving(store, experiment, shop))
    report = run_shown(lake, [scorecard.step(store), *steps], screen)
    summarise(lake, report, screen)
    return report.exit_code


if __name__ == "__main__":
    command.guarded(main)
