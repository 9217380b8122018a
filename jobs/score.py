"""Score with each shop's champion into gold, through the gates and the accounts: score.py segment [--shop SHOP]."""

from pathlib import Path

from jobs.options import OF_MODELS
from lakehouse.run import command, job
from lakehouse.run.console import console, run_shown, summarise
from ml.core import lifecycle, scoring
from ml.core.tracking import Store
from ml.families import FAMILIES


@command.job(__doc__, *OF_MODELS)
def main(env: str, warehouse: Path | None, family: str, shop: str | None) -> int:
    """Score a family's tables. Where no model is champion, the plain baseline scores."""
    screen = console()
    lake = job.open_lake(env, warehouse, screen)
    store = Store(lake)
    todo = [
        step
        for experiment, of_shop in lifecycle.pairs(lake, FAMILIES[family], shop)
        for step in scoring.steps(experiment, of_shop, lifecycle.serving(store, experiment, of_shop))
    ]
    report = run_shown(lake, todo, screen)
    summarise(lake, report, screen)
    return report.exit_code


if __name__ == "__main__":
    command.guarded(main)
