"""What is sold, in three pictures for each shop: on top of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

from matplotlib.figure import Figure

from gold import kpis
from lakehouse.catalogue.pages import Chart
from serving import figures
from serving.reader import Reader

SHOPS, BEST = 2, 8
"""The shops that are shown, by order lines; and how many products or countries."""
DAYS = 120
"""Of so many days each is drawn; of more, their months."""
REVENUE = kpis.named("net_revenue")
READ = (REVENUE.table.name, "gold.products", "gold.sales_by_product", "gold.sales_by_country")

_SHOPS = f"""
    SELECT shop_id, currency, min({REVENUE.on}) AS first_on, max({REVENUE.on}) AS last_on FROM {REVENUE.table.name}
    WHERE currency IS NOT NULL GROUP BY ALL ORDER BY sum(lines) DESC LIMIT ?
"""
_PRODUCTS = """
    SELECT coalesce(p.name, s.product_id) AS name, sum(s.net_revenue) AS value
    FROM gold.sales_by_product s LEFT JOIN gold.products p USING (shop_id, product_id)
    WHERE s.shop_id = ? AND s.currency = ? AND s.sold_month = ? GROUP BY ALL ORDER BY value DESC, name LIMIT ?
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
    months = _revenue(reader, "month", shop_id, currency)
    by_day = (last_on - first_on).days < DAYS
    shown = _revenue(reader, "day", shop_id, currency) if by_day else {d: v for d, v in months.items() if d <= month}
    yield _chart(
        f"{shop_id}: net revenue by {'day' if by_day else 'month'}",
        _compared(months, month, first_on, currency),
        partial(
            figures.over_time,
            list(shown),
            {"net revenue": list(shown.values())},
            "",
            currency,
            height=2.6,
        ),
        ("day" if by_day else "month", f"net revenue, {currency}"),
        list(shown.items()),
        is_wide=True,
    )
    for what, sql in _BEST.items():
        best = reader.rows(sql, [shop_id, currency, month, BEST])
        if not best:
            continue
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


def _revenue(reader: Reader, period: kpis.Period, shop: str, currency: str) -> dict[date, Any]:
    """Net revenue by the first day of each period."""
    found = reader.rows(
        f"FROM ({kpis.by_period(REVENUE, period, shop)}) WHERE currency = ? ORDER BY period_on", [currency]
    )
    return {row["period_on"]: row["value"] for row in found}


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
