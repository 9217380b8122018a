"""Train models, log them to MLflow, and make champion what its evidence allows: train.py segment [--shop SHOP]."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from jobs.options import OF_MODELS
from lakehouse.accounts.journal import flush
from lakehouse.run import command, job
from lakehouse.run.console import attempt, console, run_shown
from lakehouse.run.runner import note_run
from lakehouse.store.lake import Lake
from ml.core import lifecycle, output, scorecard, scoring
from ml.core.experiment import Experiment
from ml.core.tracking import Store
from ml.families import FAMILIES


@command.job(
    __doc__,
    *OF_MODELS,
    click.option("--seed", default=0, help="the same data and seed give the same model (default: 0)"),
)
def main(env: str, warehouse: Path | None, family: str, shop: str | None, seed: int) -> int:
    """Train a family's model for each shop."""
    screen = console()
    lake = job.open_lake(env, warehouse, screen)
    store = Store(lake)
    code = train_each(lake, store, screen, lifecycle.pairs(lake, FAMILIES[family], shop), seed)
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
    command.guarded(main)
