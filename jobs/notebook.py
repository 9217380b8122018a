"""Run a notebook on a warehouse and write what it shows as one page; without NAME: list them. notebook.py [NAME]."""

from pathlib import Path
from typing import Any

import click
from rich.table import Table as Grid

from jobs.steps import catalogued
from lakehouse.catalogue.pages import tables_of
from lakehouse.clock import system_clock
from lakehouse.errors import UsageError, writing
from lakehouse.run import command, job
from lakehouse.run.console import console, working
from lakehouse.run.options import warehouse_of
from lakehouse.settings import load
from serving import notebook
from serving.reader import Reader

_HERE = Path(__file__).resolve().parent
# Beside the packages in a clone, inside this one where it is installed.
_LINES = "gold.kpi_daily"
FOLDER = next(
    (path for path in (_HERE.parent / "notebooks", _HERE / "notebooks") if path.is_dir()), _HERE / "notebooks"
)


@command.job(
    __doc__,
    command.ENV,
    command.WAREHOUSE,
    click.argument("name", required=False),
    click.option("--set", "given", multiple=True, metavar="PARAMETER=VALUE", help="such as shop=online_retail"),
    click.option(
        "--output", type=click.Path(path_type=Path), help="the page (default: WAREHOUSE/ops/notebooks/NAME.html)"
    ),
)
def main(env: str, warehouse: Path | None, name: str | None, given: tuple[str, ...], output: Path | None) -> int:
    """List the notebooks, or run one."""
    screen = console()
    known = {path.stem: path for path in sorted(FOLDER.glob("*.py"))}
    if name is None:
        grid = Grid("notebook", "what it answers", box=None, pad_edge=False)
        for stem, path in known.items():
            grid.add_row(stem, notebook.title(path))
        screen.print(grid)
        return 0
    if name not in known:
        raise UsageError(f"{name}: there is no such notebook; there are {', '.join(known)}")
    folder = warehouse_of(load(env), warehouse)
    parameters = {"env": env, "warehouse": str(folder)} | dict(map(command.pair, given))
    with working(screen, f"running {name}"):
        done = notebook.run(known[name], parameters)
    target = (output or folder / "ops" / "notebooks" / f"{name}.html").absolute()
    page = notebook.page(known[name], done, system_clock(), f"Warehouse {folder.absolute().name}")
    with writing("--output", target, "file"):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page, encoding="utf-8")
    screen.print(f"Notebook   {target}", markup=False)
    return 0


def opened(dbutils: Any, *needed: str) -> tuple[Reader, str, str]:
    """What a notebook reads (the newest release of the warehouse that its parameters name), the shop, its currency.

    Unless the parameter `shop` names one, it is the shop with most order lines; the currency is that of most of them.
    Raises `UsageError` where a `needed` table is not there. On Databricks `warehouse` is a folder of a volume.
    """
    for parameter, default in (("env", "local"), ("warehouse", ""), ("shop", "")):
        dbutils.widgets.text(parameter, default)
    env, folder, shop = (dbutils.widgets.get(parameter) for parameter in ("env", "warehouse", "shop"))
    lake = job.open_lake(env, Path(folder) if folder else None, console())
    reader = Reader(lake, list(tables_of(catalogued()).values()))
    if missing := sorted({_LINES, *needed} - set(reader.tables)):
        raise UsageError(
            f"{lake.warehouse}: the newest release lacks {', '.join(missing)}; shoplake run fills tables, and "
            "shoplake score those of models"
        )
    most = reader.rows(f"SELECT shop_id, currency FROM {_LINES} GROUP BY ALL ORDER BY sum(lines) DESC")
    own = [row for row in most if shop in ("", row["shop_id"]) and row["currency"]]
    if not own:
        known = sorted({row["shop_id"] for row in most})
        raise UsageError(f"shop={shop}: {_LINES} has no sales of it; it has those of {', '.join(known)}")
    return reader, own[0]["shop_id"], own[0]["currency"]


if __name__ == "__main__":
    command.guarded(main)
