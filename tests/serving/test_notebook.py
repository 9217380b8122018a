"""Notebooks as this machine runs them: what a file is taken apart into, what a cell may use, what a page shows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from lakehouse.errors import UsageError
from serving import figures, notebook

SMALL = """# Databricks notebook source
# MAGIC %md
# MAGIC # A title
# MAGIC Some *text*.

# COMMAND ----------

dbutils.widgets.text("shop", "ours")
shop = dbutils.widgets.get("shop")
print("shop", shop)

# COMMAND ----------

import pandas as pd
display(pd.DataFrame({"shop": [shop], "revenue": [1234567.5], "note": ["<script>"]}))
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "small.py"
    path.write_text(text)
    return path


def test_a_file_is_cells_of_text_and_code(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL)
    found = notebook.cells(path)
    assert [cell.is_text for cell in found] == [True, False, False]
    assert found[0].source == "\n# A title\nSome *text*."
    assert notebook.title(path) == "A title"
    assert SMALL.splitlines()[found[2].line] == "import pandas as pd"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("print(1)\n", "the first line of a notebook must be"),
        ("# Databricks notebook source\n# MAGIC %sql\n# MAGIC SELECT 1\n", "small.py:2: %sql runs on Databricks alone"),
    ],
)
def test_what_is_no_notebook_here_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        notebook.cells(written(tmp_path, text))


def test_cells_share_names_and_parameters_have_defaults(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL)
    for given, shop in (({}, "ours"), ({"shop": "theirs"}, "theirs")):
        text, code, table = notebook.run(path, given)
        assert (text.outputs, code.outputs) == ((), (f"shop {shop}\n",))
        (frame,) = table.outputs
        assert isinstance(frame, pd.DataFrame)
        assert list(frame["shop"]) == [shop]
    with pytest.raises(UsageError, match="small has no parameter town; it has shop"):
        notebook.run(path, {"town": "Rome"})


def test_an_error_is_told_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL + "\n# COMMAND ----------\n\nfine = 1\nfine / 0\n")
    with pytest.raises(notebook.NotebookFailed, match=r"small\.py:20: ZeroDivisionError: division by zero"):
        notebook.run(path, {})
    with pytest.raises(UsageError, match="of ours"):  # as it is: with its own exit code
        notebook.run(
            written(tmp_path, SMALL + "\nfrom lakehouse.errors import UsageError\nraise UsageError('of ours')\n"), {}
        )


def test_a_page_shows_text_tables_and_pictures_and_runs_nothing(tmp_path: Path) -> None:
    picture = (
        "\n# COMMAND ----------\n\nfrom serving import figures\ndisplay(figures.bars(['a'], [1], 'One bar', 'EUR'))\n"
    )
    path = written(tmp_path, SMALL + picture)
    page = notebook.page(path, notebook.run(path, {}), datetime(2026, 1, 2, tzinfo=UTC), "Warehouse of a test")
    assert "<em>text</em>" in page
    assert "1,234,567.50" in page
    assert '<img alt="One bar" src="data:image/png;base64,' in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "Warehouse of a test" in page


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, ""),
        (float("nan"), ""),
        (pd.NaT, ""),
        (True, "True"),
        (1234567, "1,234,567"),
        (1234.5678, "1,234.57"),
        (0.12345, "0.123"),
        (Decimal("-9876.5"), "-9,876.50"),
        (date(2024, 2, 29), "2024-02-29"),
        (pd.Timestamp("2024-02-29"), "2024-02-29"),
        (datetime(2024, 2, 29, 12, 30), "2024-02-29 12:30"),  # noqa: DTZ001 - as a table holds it
        ("text", "text"),
    ],
)
def test_values_are_written_as_people_read_them(value: object, told: str) -> None:
    assert figures.written(value) == told


def test_a_picture_for_the_dark_differs_in_its_ink_alone() -> None:
    def drawn() -> Figure:
        return figures.over_time([date(2024, 1, day) for day in (1, 2)], {"revenue": [1, Decimal(2)]}, "title", "EUR")

    light = figures.svg(drawn())
    with figures.in_the_dark():
        dark = figures.svg(drawn())
    assert light == figures.svg(drawn())
    assert light != dark
    assert "#e8e6e1" in dark
    assert "#e8e6e1" not in light


def test_a_waterfall_ends_at_the_value_before_and_all_changes() -> None:
    figure = figures.waterfall(
        ["price", "volume"], [Decimal("10.5"), Decimal(-3)], 100.0, "why", "EUR", ("then", "now")
    )
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["100", "108", "+10", "-3"]
