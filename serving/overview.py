"""What is sold, in three pictures for each shop: on top of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

from matplotlib.figure import Figure

from lakehouse.catalogue.pages import Chart
from serving import figures
from serving.reader import Reader

SHOPS, BEST = 2, 8
"""The shops that are shown, by order lines; and how many products or countries."""
DAYS = 120
"""Of so many days each is drawn; of more, their months."""
READ = ("gold.kpi_daily", "gold.sales_by_product", "gold.sales_by_country")

_SHOPS = """
    SELECT shop_id, currency, min(kpi_on) AS first_on, max(kpi_on) AS last_on FROM gold.kpi_daily
    WHERE lines > 0 GROUP BY ALL ORDER BY sum(lines) DESC LIMIT ?
"""
_REVENUE = """
    SELECT CAST(date_trunc(?, kpi_on) AS DATE) AS day, sum(net_revenue) AS value FROM gold.kpi_daily
    WHERE shop_id = ? AND currency = ? AND lines > 0 GROUP BY ALL ORDER BY ALL
"""
_PRODUCTS = """
    SELECT coalesce(product_name, product_id) AS name, sum(net_revenue) AS value FROM gold.sales_by_product
    WHERE shop_id = ? AND currency = ? AND sold_month = ? GROUP BY ALL ORDER BY value DESC, name LIMIT ?
"""
_COUNTRIES = """
    SELECT country AS name, sum(net_revenue) AS value FROM gold.sales_by_country
    WHERE shop_id = ? AND currency = ? AND date_trunc('month', sold_on) = ?
    GROUP BY ALL ORDER BY value DESC, name LIMIT ?
"""
_BEST = {"products": _PRODUCTS, "countries": _COUNTRIES}


def charts(reader: Reader) -> list[Chart]:
    """Net revenue over time, and the best products and countries of a month, of the shops with most order lines."""
    if not set(READ) <= set(reader.tables):
        return []
    return [chart for shop in reader.rows(_SHOPS, [SHOPS]) for chart in _of_shop(reader, **shop)]


def _of_shop(reader: Reader, shop_id: str, currency: str, first_on: date, last_on: date) -> Iterator[Chart]:
    """A month that is not over yet says little: the newest is the last whole one, if there is one."""
    this = last_on.replace(day=1)
    is_over = (last_on + timedelta(1)).day == 1
    before = (this - timedelta(1)).replace(day=1)
    month = this if is_over or before < first_on else before
    months = {row["day"]: row["value"] for row in reader.rows(_REVENUE, ["month", shop_id, currency])}
    by_day = (last_on - first_on).days < DAYS
    shown = (
        reader.rows(_REVENUE, ["day", shop_id, currency])
        if by_day
        else [{"day": day, "value": value} for day, value in months.items() if day <= month]
    )
    yield _chart(
        f"{shop_id}: net revenue by {'day' if by_day else 'month'}",
        _compared(months, month, first_on, currency),
        partial(
            figures.over_time,
            [row["day"] for row in shown],
            {"net revenue": [row["value"] for row in shown]},
            "",
            currency,
            height=2.6,
        ),
        ("day" if by_day else "month", f"net revenue, {currency}"),
        [(row["day"], row["value"]) for row in shown],
        is_wide=True,
    )
    for what, sql in _BEST.items():
        best = reader.rows(sql, [shop_id, currency, month, BEST])
        part = sum(row["value"] for row in best) / months[month] if months.get(month) else None
        yield _chart(
            f"{shop_id}: best {what} of {month:%B %Y}",
            f"{best[0]['name']} first" + (f"; these {len(best)} make {part:.0%} of the net revenue." if part else "."),
            partial(
                figures.bars,
                [row["name"] for row in best],
                [row["value"] for row in best],
                "",
                f"net revenue, {currency}",
                width=5.4,
            ),
            (what, f"net revenue, {currency}"),
            [(row["name"], row["value"]) for row in best],
        )


def _compared(months: Mapping[date, Any], month: date, first_on: date, currency: str) -> str:
    """The revenue of a month in words, beside the same month a year before, else the month before, if it is whole."""
    now = f"{month:%B %Y}: {months.get(month, 0):,.0f} {currency}"
    year_before, month_before = month.replace(year=month.year - 1), (month - timedelta(1)).replace(day=1)
    for other in (year_before, month_before):
        if other >= first_on and months.get(other, 0) > 0:
            return f"{now}, {months[month] / months[other] - 1:+.0%} on {other:%B %Y}."
    return f"{now}."


def _chart(
    title: str,
    says: str,
    draw: Callable[[], Figure],
    columns: Sequence[str],
    rows: Sequence[tuple[Any, Any]],
    *,
    is_wide: bool = False,
) -> Chart:
    with figures.in_the_dark():
        dark = figures.svg(draw())
    written = [[figures.written(value) for value in row] for row in rows]
    return Chart(title, says, figures.svg(draw()), dark, columns, written, is_wide)
