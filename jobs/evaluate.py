"""Judge a family on days held out, beside its parts and baselines; nothing that serves changes: evaluate.py segment."""

from collections.abc import Sequence
from functools import partial

from lakehouse.run import job
from lakehouse.run.console import attempt, console
from lakehouse.run.options import parser
from ml.core import lifecycle, output, scoring
from ml.core.tracking import Store
from ml.families import FAMILIES


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate for each shop; see --help. What was measured is logged to MLflow, without a model."""
    options = parser(__doc__ or "")
    options.add_argument("family", choices=sorted(FAMILIES), help="which family of models")
    options.add_argument("--shop", help="one shop, such as online_retail (default: all that have rows)")
    options.add_argument("--seed", type=int, default=0, help="the same data and seed give the same figures")
    chosen = options.parse_args(arguments)
    screen = console()
    lake = job.open_lake(chosen.env, chosen.warehouse, screen)
    store = Store(lake)
    codes = [0]
    for experiment, shop in lifecycle.pairs(lake, FAMILIES[chosen.family], chosen.shop):
        name = scoring.model_name(experiment, shop)
        evaluate = partial(lifecycle.evaluate, lake, store, experiment, shop, chosen.seed)
        trained, code = attempt(screen, "evaluating", name, partial(lifecycle.told, lake, name, evaluate))
        codes.append(code)
        if trained:
            screen.print(output.of_evaluation(name, trained))
    if store.is_there:
        screen.print(f"MLflow     {store.uri}", markup=False)
    return max(codes)


if __name__ == "__main__":
    job.guarded(main)
