"""Train models, log them to MLflow, and make champion what its evidence allows: train.py segment [--shop SHOP]."""

from collections.abc import Sequence
from functools import partial

from lakehouse.run import job
from lakehouse.run.console import attempt, console, run_shown
from lakehouse.run.options import parser
from ml.core import lifecycle, output, scorecard, scoring
from ml.core.tracking import Store
from ml.families import FAMILIES


def main(arguments: Sequence[str] | None = None) -> int:
    """Train a family's model for each shop; see --help."""
    options = parser(__doc__ or "")
    options.add_argument("family", choices=sorted(FAMILIES), help="which family of models")
    options.add_argument("--shop", help="one shop, such as online_retail (default: all that have rows)")
    options.add_argument("--seed", type=int, default=0, help="the same data and seed give the same model (default: 0)")
    chosen = options.parse_args(arguments)
    screen = console()
    lake = job.open_lake(chosen.env, chosen.warehouse, screen)
    store = Store(lake)
    codes = []
    for experiment, shop in lifecycle.pairs(lake, FAMILIES[chosen.family], chosen.shop):
        train = partial(lifecycle.train, lake, store, experiment, shop, chosen.seed)
        training, code = attempt(screen, "training", scoring.model_name(experiment, shop), train)
        codes.append(code)
        if training:
            screen.print(output.of_training(training), markup=False)
    board = run_shown(lake, [scorecard.step(store)], screen)
    screen.print(f"MLflow     {store.uri}", markup=False)
    return max([*codes, board.exit_code])


if __name__ == "__main__":
    job.guarded(main)
