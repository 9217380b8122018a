"""Make a small shop, take it all the way, train models on it, and see what comes out."""

import shutil
from pathlib import Path

import click
from rich.console import Console

from jobs import report as report_job
from jobs.steps import ALL, FEEDS
from lakehouse.promotion import quarantine
from lakehouse.run import command, job
from lakehouse.run.console import console, run_shown, summarise
from lakehouse.run.options import choose
from lakehouse.session import SMALL_DATA
from lakehouse.store.lake import Lake
from synthetic.base import Options
from synthetic.shop import make_shop, summary


@command.job(
    __doc__,
    click.option(
        "--output", type=click.Path(path_type=Path), default=Path("demo"), help="folder of the shop and of its tables"
    ),
    click.option("--without-models", is_flag=True, help="stop at the tables"),
)
def main(output: Path, without_models: bool) -> int:
    """Run the demonstration. An older one in the same folder is replaced."""
    folder, screen = output, console()
    screen.rule("1. A shop's raw files, with dirt in them", align="left")
    screen.print(
        summary(make_shop(Options(folder / "shop", days=60, customers=500, products=100, orders_per_day=25))),
        markup=False,
    )
    screen.rule("2. Raw files -> bronze -> silver -> gold", align="left")
    shutil.rmtree(folder / "warehouse", ignore_errors=True)
    lake = job.open_lake("local", folder / "warehouse", screen, SMALL_DATA, may_be_new=True)
    report = run_shown(lake, choose(ALL, "shop"), screen, inputs=folder / "shop", feeds=FEEDS)
    screen.rule("3. What became of every row and every cent", align="left")
    summarise(lake, report, screen)
    codes = [report.exit_code]
    if not without_models:
        screen.rule("4. Models, trained, judged on days held out, and scored into gold", align="left")
        codes.append(_models(lake, screen))
    refused = sum(w.rows for w in quarantine.waiting(lake, ALL))
    screen.print(f"Catalogue  {report_job.write(lake)}", markup=False)
    screen.rule("What to do next", align="left")
    for what, how in _next(lake.warehouse, folder, refused):
        screen.print(f"{what}\n    {how}", markup=False)
    return max(codes)


def _models(lake: Lake, screen: Console) -> int:
    """Train and score every family; a family that cannot learn from so little is served by its baseline."""
    from jobs.train import train_each
    from ml.core import lifecycle, output, scorecard, scoring
    from ml.core.tracking import Store
    from ml.families import FAMILIES

    store = Store(lake)
    found = [pair for family in FAMILIES.values() for pair in lifecycle.pairs(lake, family, "shop")]
    train_each(lake, store, screen, found, seed=0)
    steps = [
        step
        for experiment, shop in found
        for step in scoring.steps(experiment, shop, lifecycle.serving(store, experiment, shop))
    ]
    report = run_shown(lake, [*steps, scorecard.step(store)], screen)
    summarise(lake, report, screen)
    screen.print(output.of_scores(lake))
    return report.exit_code


def _next(warehouse: Path, folder: Path, refused: int) -> list[tuple[str, str]]:
    at = f"--warehouse {warehouse}"
    return [
        ("Open the board, which shows all of it in the browser:", f"make board WAREHOUSE={warehouse}"),
        (f"See the {refused} refusals, by table and rule:", f".venv/bin/shoplake quarantine list {at}"),
        ("See why a line was refused:", f".venv/bin/shoplake quarantine show silver.order_lines {at}"),
        ("Run again, and see that nothing is new:", f".venv/bin/shoplake run --input {folder / 'shop'} {at}"),
        ("A first look at the shop, with pictures:", f".venv/bin/shoplake notebook first_look {at}"),
        ("Compare the models, with their plots:", f"make mlflow WAREHOUSE={warehouse}"),
        ("Run your own shop: read 'Add a source' in CONTRIBUTING.md", "or try the real one in README.md"),
    ]


if __name__ == "__main__":
    command.guarded(main)
