"""Score with each shop's champion into gold, through the gates and the accounts: score.py segment [--shop SHOP]."""

from collections.abc import Sequence

from lakehouse.promotion import gate
from lakehouse.run import job
from lakehouse.run.console import console, run_shown, summarise
from lakehouse.run.options import parser
from ml.core import lifecycle, scoring
from ml.core.tracking import Store
from ml.families import FAMILIES


def main(arguments: Sequence[str] | None = None) -> int:
    """Score a family's tables; see --help. Where no model is champion, the plain baseline scores."""
    options = parser(__doc__ or "")
    options.add_argument("family", choices=sorted(FAMILIES), help="which family of models")
    options.add_argument("--shop", help="one shop, such as online_retail (default: all that have rows)")
    chosen = options.parse_args(arguments)
    screen = console()
    gate.warm_up()
    lake = job.open_lake(chosen.env, chosen.warehouse, screen)
    store = Store(lake)
    todo = [
        step
        for experiment, shop in lifecycle.pairs(lake, FAMILIES[chosen.family], chosen.shop)
        for step in scoring.steps(experiment, shop, lifecycle.serving(store, experiment, shop))
    ]
    report = run_shown(lake, todo, screen)
    summarise(lake, report, screen)
    return report.exit_code


if __name__ == "__main__":
    job.guarded(main)
