"""Judge a family on days held out, beside its parts and baselines; nothing that serves changes: evaluate.py segment."""

from functools import partial
from pathlib import Path

import click

from jobs.options import OF_MODELS
from lakehouse.run import command, job
from lakehouse.run.console import attempt, console
from ml.core import lifecycle, output, scoring
from ml.core.tracking import Store
from ml.families import FAMILIES


@command.job(
    __doc__,
    *OF_MODELS,
    click.option("--seed", default=0, help="the same data and seed give the same figures"),
)
def main(env: str, warehouse: Path | None, family: str, shop: str | None, seed: int) -> int:
    """Evaluate for each shop. What was measured is logged to MLflow, without a model."""
    screen = console()
    lake = job.open_lake(env, warehouse, screen)
    store = Store(lake)
    codes = [0]
    for experiment, of_shop in lifecycle.pairs(lake, FAMILIES[family], shop):
        name = scoring.model_name(experiment, of_shop)
        evaluate = partial(lifecycle.evaluate, lake, store, experiment, of_shop, seed)
        trained, code = attempt(screen, "evaluating", name, partial(lifecycle.told, lake, name, evaluate))
        codes.append(code)
        if trained:
            screen.print(output.of_evaluation(name, trained))
    if store.is_there:
        screen.print(f"MLflow     {store.uri}", markup=False)
    return max(codes)


if __name__ == "__main__":
    command.guarded(main)
