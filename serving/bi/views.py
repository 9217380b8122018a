"""What BI tools see of a release: a view per table with all that is declared of it, and the KPIs.

Views over Delta's files, not tables: a view can be of a version, holds the meaning of each column where JDBC asks for
it, and leaves out what is personal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import get_args

from gold.kpis import KPIS, Kpi, Period, all_by_period
from lakehouse.accounts.releases import Release
from lakehouse.declare.rules import quoted
from lakehouse.declare.table import Table
from lakehouse.store import log
from lakehouse.store.lake import Lake

SCHEMAS: Mapping[str, str] = {
    "gold": "What people ask for, by day, product, customer and country, as of the release.",
    "silver": "Typed rows of all shops in one vocabulary, as of the release, without personal data.",
    "ops": "Accounts of rows and money, gates, files and runs, as of now.",
    "kpi": "Each KPI by its one definition, as of the release.",
}
QUOTES_ROWS: Mapping[str, tuple[str, ...]] = {"ops.gate_results": ("examples",), "ops.runs": ("message",)}
"""Columns that quote rows as they were delivered, so that they may hold personal data."""
_BY_PERIOD = {
    "kpi": "KPI, as kpi.definitions explains it",
    "unit": "money (in the currency of the row), count, or ratio (1 is 100 %)",
    "shop_id": "shop",
    "currency": "currency (ISO 4217); null for a KPI of the shop as a whole",
    "period_on": "first day of the period; one that is still running is in it too",
    "value": "value of the KPI in the period; those of shorter periods do not add up where things are counted",
}
_DEFINITION = {
    "kpi": "name in the other views",
    "title": "name for people",
    "meaning": "what it is",
    "unit": "money, count or ratio",
    "formula": "aggregate in SQL",
    "source_table": "table that it is computed from",
    "day": "column of that table that says in which period a row is",
    "known_as": "names in other tools",
}
_SHOWN = {"released_at": "when the release was made (UTC)", "run_id": "run that made it"}


@dataclass(frozen=True)
class View:
    """A view: `columns` are the names and meanings, `query` is SQL, or the YAML of a metric view."""

    name: str
    meaning: str
    columns: Mapping[str, str]
    query: str
    is_metric: bool = False

    @property
    def ddl(self) -> str:
        """The statement that makes it."""
        columns = ", ".join(f"`{name}` COMMENT {quoted(meaning)}" for name, meaning in self.columns.items())
        made = f"CREATE VIEW {self.name} ({columns}) COMMENT {quoted(self.meaning)}"
        return f"{made} WITH METRICS LANGUAGE YAML AS $${self.query}$$" if self.is_metric else f"{made} AS {self.query}"


def views(lake: Lake, tables: Iterable[Table], release: Release) -> list[View]:
    """All views of a release, each after those that it reads."""
    found = [view for table in tables if (view := _of_table(lake, table, release))]
    names = {view.name for view in found}
    return [*found, *_of_kpis([kpi for kpi in KPIS if kpi.table.name in names]), _shown(release)]


def _of_table(lake: Lake, table: Table, release: Release) -> View | None:
    """A table at the version of the release; one of ops, of which releases tell nothing, as of now."""
    version = release.versions.get(table.name)
    is_account = table.layer == "ops" and version is None and log.exists(lake, table.name)
    if table.layer not in SCHEMAS or (version is None and not is_account):
        return None
    stored = log.stored(lake, table.name, version).types
    hidden = {field.name for field in table.fields if field.personal} | set(QUOTES_ROWS.get(table.name, ()))
    columns = {
        name: meaning for name, (_, meaning) in table.all_columns.items() if name in stored and name not in hidden
    }
    selected = ", ".join(f"`{name}`" for name in columns)
    as_of = "" if version is None else f" VERSION AS OF {version}"
    path = lake.path(table).replace("`", "``")
    meaning = f"{table.meaning} Key: {', '.join(table.key)}."
    return View(table.name, meaning, columns, f"SELECT {selected} FROM delta.`{path}`{as_of}")


def _of_kpis(kpis: list[Kpi]) -> list[View]:
    """The KPIs as plain views by period, and as metric views, which a query can break down as it likes."""
    if not kpis:
        return []
    plain = [
        View(
            f"kpi.by_{period}",
            f"All KPIs by shop, currency and {period}.",
            _BY_PERIOD,
            all_by_period(period, kpis=kpis),
        )
        for period in get_args(Period)
    ]
    sources = {kpi.table.name: kpi.table for kpi in kpis}
    return [
        *plain,
        *(_metrics(table, [kpi for kpi in kpis if kpi.table is table]) for table in sources.values()),
        _definitions(kpis),
    ]


def _metrics(table: Table, kpis: list[Kpi]) -> View:
    """A metric view of the KPIs of a table: `SELECT country, MEASURE(net_revenue) FROM ... GROUP BY country`."""
    dimensions = [field for field in table.fields if field.type in ("string", "date", "boolean")]
    declared = {
        "version": "0.1",
        "source": table.name,
        "dimensions": [{"name": field.name, "expr": field.name} for field in dimensions],
        "measures": [{"name": kpi.name, "expr": kpi.formula} for kpi in kpis],
    }
    if all(kpi.has_currency for kpi in kpis):
        declared["filter"] = "currency IS NOT NULL"
    columns = {field.name: field.meaning for field in dimensions}
    columns |= {kpi.name: f"{kpi.meaning} [{kpi.unit}]; ask for it by MEASURE({kpi.name})" for kpi in kpis}
    meaning = (
        f"KPIs over {table.name}, for any of its columns: SELECT {dimensions[0].name}, MEASURE({kpis[0].name}) ..."
    )
    return View(f"kpi.{table.short_name}_metrics", meaning, columns, json.dumps(declared), is_metric=True)


def _definitions(kpis: list[Kpi]) -> View:
    rows = [
        (kpi.name, kpi.title, kpi.meaning, kpi.unit, kpi.formula, kpi.table.name, kpi.on, "; ".join(kpi.known_as))
        for kpi in kpis
    ]
    values = ", ".join(f"({', '.join(map(quoted, row))})" for row in rows)
    return View("kpi.definitions", "What each KPI is.", _DEFINITION, f"SELECT * FROM VALUES {values}")


def _shown(release: Release) -> View:
    shown = f"SELECT TIMESTAMP {quoted(release.at.isoformat())}, {quoted(release.run_id)}"
    return View("ops.release_shown", "The release that this connection reads.", _SHOWN, shown)
