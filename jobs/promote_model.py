"""Which model is champion, since when and why, and the way back: promote_model.py history | rollback FAMILY."""

from collections.abc import Sequence

from lakehouse.promotion import gate
from lakehouse.run import job
from lakehouse.run.console import console, run_shown, summarise
from lakehouse.run.options import parser
from ml.core import lifecycle, output, scorecard, scoring
from ml.core.tracking import Store
from ml.families import FAMILIES


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the moves of the aliases, or make an older version champion and score with it; see --help."""
    options = parser(__doc__ or "")
    options.add_argument("action", choices=("history", "rollback"))
    options.add_argument("family", nargs="?", choices=sorted(FAMILIES), help="for rollback: the family")
    options.add_argument("--shop", help="for rollback: the shop")
    options.add_argument("--version", type=int, help="for rollback: which version (default: the champion before)")
    chosen = options.parse_args(arguments)
    if chosen.action == "rollback" and not (chosen.family and chosen.shop):
        options.error("rollback needs a family and --shop")
    screen = console()
    gate.warm_up()
    lake = job.open_lake(chosen.env, chosen.warehouse, screen)
    store = Store(lake)
    if chosen.action == "history":
        screen.print(output.of_moves(lifecycle.moves(lake)))
        return 0
    ((experiment, _),) = lifecycle.pairs(lake, FAMILIES[chosen.family], chosen.shop)
    version = lifecycle.roll_back(lake, store, experiment, chosen.shop, chosen.version)
    screen.print(f"{scoring.model_name(experiment, chosen.shop)}: version {version} is champion", markup=False)
    steps = scoring.steps(experiment, chosen.shop, lifecycle.serving(store, experiment, chosen.shop))
    report = run_shown(lake, [scorecard.step(store), *steps], screen)
    summarise(lake, report, screen)
    return report.exit_code


if __name__ == "__main__":
    job.guarded(main)
