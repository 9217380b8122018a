"""Blocks as HTML: the same page for the server and for the static copy, which differ in their links alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lakehouse.accounts.releases import Release
from serving.board import words
from serving.board.blocks import Block, Choice, Figure, Note, Page, Tiles
from serving.board.scope import AGAINST, Period, Scope, Shop

HERE = Path(__file__).parent
SHOWN = 300
"""So many rows of a figure stand on the page; its csv file has all."""
_NUMBERS = (pl.Decimal, pl.Float64, pl.Float32, pl.Int64, pl.Int32, pl.Int16, pl.Int8, pl.UInt32, pl.UInt64)


@dataclass(frozen=True)
class Links:
    """Where links of a page lead: to a page (of another shop, where one is named), a period, and the rows of a figure.

    `static` is put before the names of scripts and styles.
    """

    page: Callable[[str, Shop | None], str]
    preset: Callable[[Period], str]
    csv: Callable[[str], str]
    static: str = ""
    is_static: bool = False


def live(page: Page, scope: Scope) -> Links:
    """Links of the page as a server shows it."""
    return Links(
        lambda name, _: scope.address(name),
        lambda period: scope.address(page.name, **{"from": str(period.first), "to": str(period.last)}),
        lambda figure: scope.address(f"{page.name}/{figure}.csv", **scope.choices),
        "static/",
    )


def html(
    page: Page,
    pages: Sequence[Page],
    blocks: Iterable[Block],
    links: Links,
    *,
    scope: Scope | None = None,
    shops: Sequence[Shop] = (),
    release: Release | None = None,
) -> str:
    """The page as a document. Without a scope there is nothing to choose: what is told is that something is wrong."""
    return (
        _templates()
        .get_template("page.html.j2")
        .render(
            page=page,
            pages=pages,
            blocks=[_shown(block) for block in blocks],
            scope=scope,
            shops=shops,
            against=AGAINST,
            release=release,
            static=links.static,
            is_static=links.is_static,
            link=lambda name, shop=None: links.page(name, shop),
            preset=links.preset,
            csv=links.csv,
        )
    )


def csv(rows: pl.DataFrame) -> str:
    """All rows as csv with a header; lists as text with semicolons between."""
    lists = [name for name, kind in rows.schema.items() if isinstance(kind, (pl.List, pl.Struct))]
    plain = rows.with_columns(pl.Series(name, [words.cell(each) for each in rows[name].to_list()]) for name in lists)
    return plain.write_csv()


def _shown(block: Block) -> Mapping[str, Any]:
    """A block as the template reads it."""
    if isinstance(block, Tiles):
        return {"kind": "tiles", "tiles": block.tiles}
    if isinstance(block, Note):
        return {"kind": "note", "title": block.title, "parts": block.text.split("`"), "tone": block.tone}
    if isinstance(block, Choice):
        return {"kind": "choice"} | vars(block)
    return {"kind": "figure", **_figure(block)}


def _figure(figure: Figure) -> Mapping[str, Any]:
    rows = figure.rows
    columns = [
        {
            "title": figure.titles.get(name, name.replace("_", " ")),
            "meaning": figure.meanings.get(name, ""),
            "is_number": isinstance(kind, _NUMBERS),
        }
        for name, kind in rows.schema.items()
    ]
    cells = [
        [words.cell(value, figure.kinds.get(name, "")) for name, value in row.items()]
        for row in rows.head(SHOWN).iter_rows(named=True)
    ]
    told = words.things(len(rows), "row")
    return {
        "name": figure.name,
        "title": figure.title,
        "takeaway": figure.takeaway,
        "note": figure.note,
        "spec": _spec(figure),
        "count": f"The numbers: {told}" if len(rows) <= SHOWN else f"The numbers: first {SHOWN} of {told}; csv has all",
        "columns": columns,
        "cells": cells,
    }


def _spec(figure: Figure) -> Markup | None:
    """The chart as JSON inside a script element, which no text of the data can end."""
    if figure.chart is None or figure.rows.is_empty():
        return None
    # Charts are made by our own functions: to validate each against the schema costs more than all else of a page.
    spec = json.dumps(figure.chart.to_dict(validate=False), separators=(",", ":"))
    return Markup(spec.replace("<", "\\u003c"))


@cache
def _templates() -> Environment:
    loader = FileSystemLoader(HERE / "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
