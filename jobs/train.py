"""Train models, log them to MLflow, and make champion what its evidence allows: train.py segment [--shop SHOP]."""

from collections.abc import Sequence
from functools import partial

from rich.console import Console

from lakehouse.accounts.journal import flush
from lakehouse.run import job
from lakehouse.run.console import attempt, console, run_shown
from lakehouse.run.options import parser
from lakehouse.run.runner import note_run
from lakehouse.store.lake import Lake
from ml.core import lifecycle, output, scorecard, scoring
from ml.core.experiment import Experiment
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
    code = train_each(lake, store, screen, lifecycle.pairs(lake, FAMILIES[chosen.family], chosen.shop), chosen.seed)
    board = run_shown(lake, [scorecard.step(store)], screen)
    if store.is_there:
        screen.print(f"MLflow     {store.uri}", markup=False)
    return max(code, board.exit_code)


def train_each(lake: Lake, store: Store, screen: Console, found: Sequence[tuple[Experiment, str]], seed: int) -> int:
    """Train a model of each experiment and shop, and note the run; an error of one is a line, and the others go on."""
    started, codes, versions, failures = lake.clock(), [0], 0, list[str]()
    for experiment, shop in found:
        name = scoring.model_name(experiment, shop)
        train = partial(lifecycle.train, lake, store, experiment, shop, seed)
        training, code = attempt(screen, "training", name, partial(lifecycle.told, lake, name, train, failures))
        codes.append(code)
        if training:
            versions += 1
            screen.print(output.of_training(training), markup=False)
    note_run(lake, started, max(codes), versions, next(iter(failures), None), step="train")
    flush(lake)
    return max(codes)


if __name__ == "__main__":
    job.guarded(main)
