"""Make a small shop and take it all the way, to see what comes out."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from jobs.steps import ALL
from lakehouse import docs, gate, job, quarantine
from lakehouse.session import SMALL_DATA
from synthetic.base import Options
from synthetic.shop import make_shop, summary


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; see --help. An older one in the same folder is replaced."""
    options = job.Parser(description=__doc__)
    options.add_argument("--output", type=Path, default=Path("demo"), help="folder of the shop and of its tables")
    folder = options.parse_args(arguments).output
    screen = job.console()
    screen.rule("1. A shop's raw files, with dirt in them", align="left")
    screen.print(
        summary(make_shop(Options(folder / "shop", days=60, customers=500, products=100, orders_per_day=25))),
        markup=False,
    )
    screen.rule("2. Raw files -> bronze -> silver -> gold", align="left")
    shutil.rmtree(folder / "warehouse", ignore_errors=True)
    gate.warm_up()
    lake = job.open_lake("local", folder / "warehouse", screen, SMALL_DATA)
    outcome = job.run_steps(lake, job.choose(ALL, "shop"), screen, inputs=folder / "shop")
    screen.rule("3. What became of every row and every cent", align="left")
    job.summarise(lake, outcome, screen)
    refused = sum(w.rows for w in quarantine.waiting(lake, ALL))
    screen.print(f"Catalogue  {docs.write(lake, ALL)}", markup=False)
    screen.rule("4. What to do next", align="left")
    for what, command in _next(lake.warehouse, folder, refused):
        screen.print(f"{what}\n    {command}", markup=False)
    return outcome.exit_code


def _next(warehouse: Path, folder: Path, refused: int) -> list[tuple[str, str]]:
    at = f"--warehouse {warehouse}"
    return [
        (f"See the {refused} refusals, by table and rule:", f".venv/bin/shoplake quarantine list {at}"),
        ("See why a line was refused:", f".venv/bin/shoplake quarantine show silver.order_lines {at}"),
        ("Run again, and see that nothing is new:", f".venv/bin/shoplake run --input {folder / 'shop'} {at}"),
        ("Run your own shop: read 'Add a source' in CONTRIBUTING.md", "or try the real one in README.md"),
    ]


if __name__ == "__main__":
    job.guarded(main)
