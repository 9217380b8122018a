"""What a page is made of, and what its sections are given. Nothing here knows how it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import polars as pl

from serving import kpis
from serving.board.scope import Period, Scope
from serving.reader import Reader


@dataclass(frozen=True)
class Tile:
    """One number: its title, what it means, and how it changed, `tone` good, bad or neither."""

    title: str
    value: str
    changes: tuple[str, ...] = ()
    tone: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class Tiles:
    """Numbers side by side."""

    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Note:
    """A sentence where there is nothing to draw, or something to heed (`tone` warn); commands stand in backticks."""

    title: str
    text: str
    tone: str = ""


@dataclass(frozen=True)
class Choice:
    """A choice of the page itself, kept in the address under `name`: `options` are values with what they are called."""

    name: str
    title: str
    value: str
    options: Mapping[str, str]


@dataclass(frozen=True)
class Figure:
    """A sentence of what is to be seen, a chart (if any) and the rows behind it.

    `name` is that of its csv file. `kinds` says which columns are shares, `meanings` what columns mean, `titles` what
    they are called where not by their names.
    """

    name: str
    title: str
    takeaway: str
    rows: pl.DataFrame
    chart: alt.TopLevelMixin | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)
    meanings: Mapping[str, str] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


Block = Tiles | Note | Choice | Figure


@dataclass(frozen=True)
class View:
    """What a section is given: a release, what the address asks for, and which command makes a table."""

    reader: Reader
    scope: Scope
    made_by: Mapping[str, str] = field(default_factory=dict)
    _kpis: dict[Period, dict[str, kpis.Value]] = field(default_factory=dict, compare=False)

    def kpis(self, period: Period) -> dict[str, kpis.Value]:
        """All KPIs over a period, asked once."""
        if period not in self._kpis:
            shop, days = self.scope.shop, (period.first, period.last)
            self._kpis[period] = kpis.of_days(self.reader, shop.shop, shop.currency, *days)
        return self._kpis[period]

    @property
    def currency(self) -> str | None:
        """That of all amounts on the page."""
        return self.scope.shop.currency

    def frame(self, sql: str, **values: Any) -> pl.DataFrame:
        """What a query answers. It may name `$shop`, `$currency`, days `$first` to `$last` of the period, `$first2` to
        `$last2` of that compared with, and values of its own.
        """
        known = {
            "shop": self.scope.shop.shop,
            "currency": self.currency,
            "first": self.scope.period.first,
            "last": self.scope.period.last,
            "first2": self.scope.compared.first,
            "last2": self.scope.compared.last,
        } | values
        return self.reader.frame(sql, known)

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """What a query answers, row by row."""
        return self.frame(sql, **values).to_dicts()

    def has(self, *tables: str) -> bool:
        """Whether the release has tables."""
        return all(table in self.reader.tables for table in tables)

    def knows(self, table: str) -> bool:
        """Whether a table can be asked for, be it of a release or of ops."""
        return table in self.reader.names

    @property
    def names(self) -> str:
        """SQL of a relation of `product_id` and `name`: what the shop's products are called, where gold knows it.

        Of products that share a name each has its code behind it, so that no chart takes them for one.
        """
        if self.has("gold.products"):
            return (
                "(SELECT product_id, CASE WHEN count(*) OVER (PARTITION BY name) > 1"
                " THEN concat(name, ' (', product_id, ')') ELSE name END AS name"
                " FROM gold.products WHERE shop_id = $shop)"
            )
        return "(SELECT CAST(NULL AS VARCHAR) AS product_id, CAST(NULL AS VARCHAR) AS name WHERE false)"

    def meanings(self, table: str, *columns: str) -> dict[str, str]:
        """What columns of a table mean, as declared."""
        return {each.name: each.meaning for each in self.reader.tables[table].fields if each.name in columns}


@dataclass(frozen=True)
class Section:
    """A part of a page. It is drawn only where the release has the tables that it needs."""

    title: str
    needs: tuple[str, ...]
    build: Callable[[View], Iterable[Block]]

    def blocks(self, view: View) -> list[Block]:
        """What is to be seen, or a sentence that says what is missing and which command makes it."""
        missing = [table for table in self.needs if not view.has(table)]
        if missing:
            commands = list(dict.fromkeys(view.made_by.get(table, "`shoplake run`") for table in missing))
            told = f"This warehouse has no {' and no '.join(missing)} yet; run {' and '.join(commands)}."
            return [Note(self.title, told)]
        return list(self.build(view)) or [Note(self.title, f"There is nothing to show of {view.scope.shop.label}.")]


def section(title: str, *needs: str) -> Callable[[Callable[[View], Iterable[Block]]], Section]:
    """Makes a section of a function; `needs` are the tables that it reads."""
    return lambda build: Section(title, needs, build)


@dataclass(frozen=True)
class Page:
    """A page: its name in the address, its title, the question that it answers, and its sections.

    `choices` are the parameters of the address that are its own.
    """

    name: str
    title: str
    question: str
    sections: Sequence[Section]
    choices: tuple[str, ...] = ()
