"""Every notebook runs on the promoted shop: by the command, or as far as its models let it."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure
from rich.console import Console

from gold import kpis
from jobs import notebook as notebook_job
from jobs import report
from lakehouse.errors import UsageError
from lakehouse.run.console import run_shown
from lakehouse.store.lake import Lake
from ml.core import lifecycle, scorecard, scoring
from ml.core.tracking import Store
from ml.families import FAMILIES
from serving import notebook
from serving.notebook import Done
from tests.integration.conftest import Promoted
from tests.integration.habits import lines_of, publish
from tests.integration.warehouse import done, lake_at, rows

NAMES = sorted(path.stem for path in notebook_job.FOLDER.glob("*.py"))
OF_MODELS = ("customers", "forecast_and_stock", "recommendations")


@pytest.fixture(scope="module")
def served(scored: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A copy of the shop that every family has scored by its baseline, in which a model of segments has scored since.

    The shop has too few days to learn from: what its model knows it learned of customers of the same name elsewhere.
    """
    folder = tmp_path_factory.mktemp("notebooks") / "warehouse"
    shutil.copytree(scored.warehouse, folder)
    lake, elsewhere = (lake_at(scored.spark, path) for path in (folder, folder.with_name("elsewhere")))
    store = Store(lake)
    (segment,) = FAMILIES["segment"]
    publish(elsewhere, lines_of("shop", 240))
    learnt = lifecycle.train(elsewhere, Store(elsewhere), segment, "shop", seed=0).trained
    lifecycle.train(lake, store, replace(segment, train=lambda *_: learnt), "shop", seed=0)
    steps = scoring.steps(segment, "shop", lifecycle.serving(store, segment, "shop"))
    done(run_shown(lake, [scorecard.step(store), *steps], Console(file=io.StringIO())))
    yield lake
    shutil.rmtree(folder)


def ran(lake: Lake, name: str, **given: str) -> list[Done]:
    return notebook.run(notebook_job.FOLDER / f"{name}.py", {"warehouse": str(lake.warehouse)} | given)


def outputs(found: list[Done], kind: type) -> list[object]:
    return [output for each in found for output in each.outputs if isinstance(output, kind)]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "your_shop"])
def test_a_notebook_runs_and_shows_something(served: Lake, name: str) -> None:
    found = ran(served, name)
    told = outputs(found, str)
    if name == "why_revenue_changed":  # the shop has sold in one month
        assert "no whole month with one before it" in "".join(map(str, told))
        return
    assert told
    assert outputs(found, Figure)
    assert any(len(table) for table in outputs(found, pd.DataFrame) if isinstance(table, pd.DataFrame))


def test_the_first_look_shows_the_revenue_of_the_shop(served: Lake) -> None:
    months = next(each for each in outputs(ran(served, "first_look"), pd.DataFrame))
    assert isinstance(months, pd.DataFrame)
    sold = sum(row["net_revenue"] for row in rows(served.warehouse, kpis.named("net_revenue").table.name))
    assert months["net_revenue"].sum() == pytest.approx(float(sold), abs=0.01)


@pytest.mark.parametrize("name", OF_MODELS)
def test_a_notebook_says_which_table_it_lacks(promoted: Promoted, name: str) -> None:
    with pytest.raises(UsageError, match=r"the newest release lacks gold\.\w+.*; .* shoplake score"):
        ran(promoted.lake, name)


def test_a_shop_that_is_not_there_is_told(promoted: Promoted) -> None:
    with pytest.raises(UsageError, match=r"shop=theirs: .* it has those of shop"):
        ran(promoted.lake, "first_look", shop="theirs")


def test_own_order_lines_become_tables(promoted: Promoted, tmp_path: Path) -> None:
    found = ran(replace(promoted.lake, warehouse=tmp_path / "own"), "your_shop")
    told = "".join(map(str, outputs(found, str)))
    (account,) = [row for row in rows(tmp_path / "own", "ops.row_ledger") if row["table"] == "silver.order_lines"]
    assert account["rows_accepted"] > 0.9 * account["rows_read"] > 0
    assert f"{account['rows_read']:,} lines read = {account['rows_accepted']:,} accepted" in told
    assert len(outputs(found, Figure)) == 2


def test_own_order_lines_are_not_put_beside_another_shop(promoted: Promoted) -> None:
    with pytest.raises(notebook.NotebookFailed, match="holds another shop already"):
        ran(promoted.lake, "your_shop")


def test_the_command_writes_a_page_and_lists_what_there_is(
    promoted: Promoted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    where = ["--warehouse", str(promoted.warehouse), "--output", str(page)]
    assert notebook_job.main(["first_look", *where]) == 0
    assert "A first look at a shop" in page.read_text()
    assert notebook_job.main([]) == 0
    assert all(name in capsys.readouterr().out for name in NAMES[:1])
    with pytest.raises(UsageError, match="nothing: there is no such notebook"):
        notebook_job.main(["nothing", *where])


def test_the_catalogue_has_charts_of_the_newest_release(promoted: Promoted, tmp_path: Path) -> None:
    index = report.write(promoted.lake, tmp_path / "catalogue").read_text()
    assert index.count("<figure") == 3
    best = max(_revenue_by_country(promoted).items(), key=lambda item: (item[1], item[0]))[0]
    assert f"{best} first" in index


def _revenue_by_country(promoted: Promoted) -> dict[str, float]:
    found: dict[str, float] = {}
    for row in rows(promoted.warehouse, "gold.sales_by_country"):
        found[row["country"]] = found.get(row["country"], 0) + float(row["net_revenue"])
    return found
