from __future__ import annotations

import json
import re

import altair as alt
import polars as pl
import pytest

from serving.board import render, words
from serving.board.blocks import Figure, Page
from serving.board.pages import PAGES

LINKS = render.Links(lambda name, _: f"{name}.html", lambda _: "", lambda figure: f"{figure}.csv")
EVIL = "</script><script>alert(1)</script>"


def drawn(rows: pl.DataFrame) -> str:
    figure = Figure("evil", EVIL, EVIL, rows, alt.Chart(rows).mark_bar().encode(x="name:N"))
    return render.html(Page("p", "P", "?", ()), PAGES, [figure], LINKS)


def test_no_text_of_the_data_becomes_code() -> None:
    text = drawn(pl.DataFrame({"name": [EVIL]}))
    assert EVIL not in text
    spec = re.search(r'class="spec">(.*?)</script>', text, re.DOTALL)
    assert spec is not None
    assert EVIL in json.dumps(json.loads(spec[1]), ensure_ascii=False)


def test_a_page_shows_the_first_rows_and_its_csv_all() -> None:
    rows = pl.DataFrame({"name": [f"n{number}" for number in range(render.SHOWN + 1)]})
    text = drawn(rows)
    assert f"<td>n{render.SHOWN - 1}</td>" in text
    assert f"<td>n{render.SHOWN}</td>" not in text
    assert "csv has all" in text
    assert len(render.csv(rows).splitlines()) == len(rows) + 1


def test_lists_are_text_in_csv() -> None:
    assert render.csv(pl.DataFrame({"reasons": [["a", "b"]]})).splitlines()[1] == "a; b"


@pytest.mark.parametrize(
    ("now", "then", "unit", "told"),
    [
        (150, 100, "money", "+50.0 %"),
        (50, 100, "count", "-50.0 %"),
        (0.25, 0.2, "ratio", "+5.0 points"),
        (6.0, 4.0, "ratio", "+50.0 %"),
        (5, 0, "money", words.NONE),
        (None, 1, "money", words.NONE),
        (50, -100, "money", "+150.0 %"),
    ],
)
def test_changes_are_told_as_people_compare(now: float | None, then: float, unit: str, told: str) -> None:
    assert words.change(now, then, unit) == told
