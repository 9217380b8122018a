"""KPIs of a release: a formula of `gold.kpis` asked of any span of days, or period by period."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from itertools import groupby

import polars as pl

from gold.kpis import KPIS, Kpi, Period
from serving.reader import Reader

Value = int | float | Decimal | None


def of_days(
    reader: Reader, shop: str, currency: str | None, first: date, last: date, kpis: Iterable[Kpi] = KPIS
) -> dict[str, Value]:
    """Each KPI over the days from first to last, by name; null where nothing is known.

    KPIs of tables that the release lacks are left out. Those of one table are asked by one query.
    """
    found: dict[str, Value] = {}
    there = [kpi for kpi in kpis if kpi.table.name in reader.tables]
    for (table, on, has_currency), group in groupby(there, key=lambda kpi: (kpi.table.name, kpi.on, kpi.has_currency)):
        formulas = ", ".join(f"{kpi.formula} AS {kpi.name}" for kpi in group)
        own = " AND currency = $currency" if has_currency else ""
        sql = f"SELECT {formulas} FROM {table} WHERE shop_id = $shop AND {on} BETWEEN $first AND $last{own}"
        (row,) = reader.rows(sql, {"shop": shop, "currency": currency, "first": first, "last": last})
        found |= row
    return found


def series(
    reader: Reader, kpi: Kpi, grain: Period, shop: str, currency: str | None, first: date, last: date
) -> pl.DataFrame:
    """A KPI over the days from first to last, by day, week, month, quarter or year: `period_on` and `value`.

    The first and the last week or month are of those of their days that are in the span.
    """
    own = " AND currency = $currency" if kpi.has_currency else ""
    return reader.frame(
        f"SELECT CAST(date_trunc('{grain}', {kpi.on}) AS DATE) AS period_on, {kpi.formula} AS value"
        f" FROM {kpi.table.name} WHERE shop_id = $shop AND {kpi.on} BETWEEN $first AND $last{own}"
        " GROUP BY 1 ORDER BY 1",
        {"shop": shop, "currency": currency, "first": first, "last": last},
    )
