"""How the shop is doing: its KPIs, revenue over time, what to expect, and why revenue changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import polars as pl

from gold.kpis import KPIS, named
from gold.sales import revenue_drivers
from serving import kpis
from serving.board import charts, words
from serving.board.blocks import Block, Figure, Page, Tile, Tiles, View, section
from serving.board.scope import Period, months_after

_TILES = (
    "net_revenue",
    "orders",
    "average_order_value",
    "margin",
    "margin_rate",
    "conversion_rate",
    "repeat_rate",
    "new_customers",
    "return_rate",
)
_LESS_IS_BETTER = {"cancelled_share", "return_rate"}
_NO_JUDGEMENT = {"marketing_spend", "cost_coverage"}
_SALES = "gold.sales_by_order"
_HISTORY_DAYS = 90
"""So many days of history are drawn before a forecast."""


def tone(name: str, now: Any, then: Any) -> str:
    """Whether a change is good or bad; neither where it is told as none, or where nobody can say."""
    change = words.change(now, then, named(name).unit)
    if change == words.NONE or not change.strip("+-0. %points") or name in _NO_JUDGEMENT:
        return ""
    return "good" if (now > then) != (name in _LESS_IS_BETTER) else "bad"


@section("Key figures", _SALES)
def key_figures(view: View) -> Iterator[Block]:
    """Each KPI of the period beside the period compared with and a year before."""
    scope = view.scope
    now, then, year = (view.kpis(period) for period in (scope.period, scope.compared, scope.period.year_before))
    tiles = []
    for name in (name for name in _TILES if now.get(name) is not None):
        kpi = named(name)
        changes = [f"{words.change(now[name], then[name], kpi.unit)} against {scope.compared}"]
        if scope.compared != scope.period.year_before and year[name]:
            changes.append(f"{words.change(now[name], year[name], kpi.unit)} against a year before")
        coverage = now.get("cost_coverage")
        if name.startswith("margin") and coverage is not None and round(float(coverage), 3) != 1:
            changes.append(f"cost is known of {words.share(coverage)} of the revenue")
        value = words.told(now[name], kpi.unit, view.currency)
        tiles.append(Tile(kpi.title, value, tuple(changes), tone(name, now[name], then[name]), kpi.meaning))
    yield Tiles(tuple(tiles))


@section("Revenue over time", _SALES)
def revenue(view: View) -> Iterator[Block]:
    """The period's revenue over the one compared with, laid over each other from their first days on."""
    scope = view.scope
    kpi = named("net_revenue")
    now, then = (_filled(view, period, scope.period.grain) for period in (scope.period, scope.compared))
    labels = [f"{scope.period}", f"{scope.compared} (compared)"]
    shift = now["period_on"].first()
    laid_over = then.with_row_index().join(
        now.with_row_index().select("index", pl.col("period_on").alias("drawn_on")), "index", how="inner"
    )
    rows = pl.concat(
        [
            now.select("period_on", pl.col("period_on").alias("drawn_on"), "value", series=pl.lit(labels[0])),
            laid_over.select("period_on", "drawn_on", "value", series=pl.lit(labels[1])),
        ]
    )
    best = now.sort("value", descending=True, nulls_last=True).row(0, named=True)
    marks = charts.events(view, scope.period)
    marked = ", ".join(words.things(len(g), k[0]) for k, g in marks.group_by("kind", maintain_order=True))
    yield Figure(
        "revenue",
        f"Net revenue by {scope.period.grain}",
        f"The best {scope.period.grain} began on {best['period_on']} with {words.amount(best['value'], view.currency)}."
        if scope.period.grain != "day"
        else f"The best day was {best['period_on']:%A, %Y-%m-%d} with {words.amount(best['value'], view.currency)}.",
        rows.select("series", "period_on", "value").sort("series", "period_on"),
        charts.lines(rows, "drawn_on", "value", f"{kpi.title} ({view.currency})", "series", order=labels, marks=marks)
        if shift
        else None,
        meanings={"value": kpi.meaning},
        note=f"Marked: {marked}." if marked else "",
    )


def _filled(view: View, period: Period, grain: str) -> pl.DataFrame:
    """Net revenue of each day, week or month of a period; 0 where nothing was sold."""
    shop = view.scope.shop.shop
    found = kpis.series(
        view.reader, named("net_revenue"), view.scope.period.grain, shop, view.currency, period.first, period.last
    )
    every = view.frame(
        f"SELECT DISTINCT CAST(date_trunc('{grain}', day) AS DATE) AS period_on"
        " FROM (SELECT unnest(generate_series(CAST($from AS DATE), CAST($to AS DATE), INTERVAL 1 DAY)) AS day)"
        " ORDER BY 1",
        **{"from": period.first, "to": period.last},
    )
    return every.join(found, "period_on", how="left").with_columns(pl.col("value").fill_null(0)).sort("period_on")


@section("Month by month", _SALES)
def months(view: View) -> Iterator[Block]:
    """All whole and begun months, each beside that of the year before."""
    sales = view.scope.shop.sales
    if sales is None:
        return
    shop = view.scope.shop.shop
    found = kpis.series(view.reader, named("net_revenue"), "month", shop, view.currency, sales.first, sales.last)
    found = found.with_columns(pl.col("period_on").dt.year().cast(pl.String).alias("year"))
    found = found.with_columns(pl.col("period_on").dt.strftime("%m").alias("month"))
    last = months_after(sales.last, 0)
    running = "" if (sales.last + timedelta(1)).day == 1 else f" {sales.last:%B %Y} ends with {sales.last:%Y-%m-%d}."
    now, prior, before = (
        next(iter(found.filter(pl.col("period_on") == day)["value"]), None)
        for day in (last, months_after(last, -1), months_after(last, -12))
    )
    told = f"{last:%B %Y} brought {words.amount(now, view.currency)}"
    if not running:
        compared = {"the month before": prior, "a year before": before}
        told += "".join(
            f", {words.change(now, then, 'money')} against {said}" for said, then in compared.items() if then
        )
    told += "."
    yield Figure(
        "months",
        "Net revenue by month, year over year",
        told + running,
        found.select("period_on", "value"),
        charts.lines(
            found.with_columns(
                pl.col("period_on").map_elements(lambda d: d.replace(year=2000), pl.Date).alias("drawn_on")
            ),
            "drawn_on",
            "value",
            f"Net revenue ({view.currency})",
            "year",
            months=True,
        ),
        meanings={"value": named("net_revenue").meaning},
    )


@section("What to expect", "gold.revenue_forecast", _SALES)
def forecast(view: View) -> Iterator[Block]:
    """The forecast with its intervals, after the last days of sales and beside the same days of last year."""
    ahead = view.frame(
        "SELECT sold_on, mean, median, q10, q90, q025, q975, model FROM gold.revenue_forecast"
        " WHERE shop_id = $shop AND currency = $currency ORDER BY sold_on"
    )
    if ahead.is_empty():
        return
    days = Period(ahead["sold_on"][0], ahead["sold_on"][-1])
    history = Period(days.first - timedelta(_HISTORY_DAYS), days.first - timedelta(1))
    shop = view.scope.shop.shop
    kpi = named("net_revenue")

    def sold(period: Period) -> pl.DataFrame:
        return kpis.series(view.reader, kpi, "day", shop, view.currency, period.first, period.last)

    seen = sold(history)
    last_year = sold(days.year_before)
    total = float(ahead["mean"].sum())
    told = f"{words.amount(total, view.currency)} are expected from {days.first} to {days.last}"
    before = sum(last_year["value"].to_list())
    told += f", {words.change(total, before, 'money')} against the same days of last year." if before else "."
    moved = last_year.with_columns(pl.col("period_on").dt.offset_by("1y").alias("sold_on"))
    rows = pl.concat(
        [
            ahead.select("sold_on", pl.col("mean").alias("value"), "q10", "q90", series=pl.lit("expected")),
            seen.select(pl.col("period_on").alias("sold_on"), pl.col("value").cast(pl.Float64), series=pl.lit("sold")),
            moved.select("sold_on", pl.col("value").cast(pl.Float64), series=pl.lit("same day of last year")),
        ],
        how="diagonal",
    )
    yield Figure(
        "forecast",
        "Net revenue to expect",
        told,
        ahead,
        charts.lines(
            rows,
            "sold_on",
            "value",
            f"Net revenue ({view.currency})",
            "series",
            order=("sold", "expected", "same day of last year"),
            bounds=("q10", "q90"),
            marks=charts.events(view, history),
        ),
        meanings=view.meanings("gold.revenue_forecast", "mean", "median", "q10", "q90", "q025", "q975"),
        note=f"Shaded: 8 of 10 days are expected within. Made by {ahead['model'][0]}.",
    )


@section("The months to come", "gold.revenue_forecast_monthly")
def months_ahead(view: View) -> Iterator[Block]:
    """What each month to come is expected to bring, with the interval of its sum."""
    rows = view.frame(
        "SELECT sold_month, through_on, is_whole, known_revenue, mean, median, q10, q90, q025, q975"
        " FROM gold.revenue_forecast_monthly WHERE shop_id = $shop AND currency = $currency ORDER BY sold_month"
    )
    if rows.is_empty():
        return
    first = rows.row(0, named=True)
    span = f"{first['sold_month']:%B %Y}" + ("" if first["is_whole"] else f" up to {first['through_on']}")
    yield Figure(
        "months_ahead",
        "The months to come",
        f"{span} is expected to bring {words.amount(first['mean'], view.currency)}; with a chance of 80 %, between "
        f"{words.amount(first['q10'])} and {words.amount(first['q90'], view.currency)}.",
        rows,
        meanings=view.meanings("gold.revenue_forecast_monthly", *rows.columns),
    )


@section("Why revenue changed", revenue_drivers.TABLE.name)
def explained(view: View) -> Iterator[Block]:
    """The change of the month in which the period ends, told apart by cause, customers, country and product."""
    month = months_after(view.scope.period.last, 0)
    basis = "previous year" if view.scope.against == "year" else "previous month"
    rows = view.frame(
        "SELECT dimension, driver, effect, revenue, compared_revenue, change, compared_month, through_on"
        " FROM gold.revenue_drivers WHERE shop_id = $shop AND currency = $currency AND month = $month"
        " AND basis = $basis ORDER BY dimension, abs(effect) DESC, driver",
        month=month,
        basis=basis,
    )
    if rows.is_empty():
        return
    change, compared, through = (rows[name][0] for name in ("change", "compared_month", "through_on"))
    for dimension in rows["dimension"].unique(maintain_order=True):
        own = rows.filter(pl.col("dimension") == dimension)
        if dimension == "product":
            own = own.join(view.frame(f"SELECT product_id AS driver, name FROM {view.names}"), "driver", how="left")
            own = own.with_columns(pl.coalesce("name", "driver").alias("driver")).drop("name")
        shown = own.filter(pl.col("effect") != 0)
        if shown.is_empty():
            continue
        top = shown.row(0, named=True)
        verb = "added most" if top["effect"] > 0 else "took away most"
        yield Figure(
            f"change_by_{dimension}",
            f"Change of revenue by {dimension}",
            f"Of the change of {words.amount(change, view.currency)} from {compared:%B %Y} to {month:%B %Y} "
            f"(to {through}), {top['driver']} {verb}: {words.amount(top['effect'], view.currency)}.",
            own.select("driver", "effect", "revenue", "compared_revenue"),
            charts.bars(shown.head(12), "driver", "effect", view.currency or "", signed=True),
            meanings=view.meanings(revenue_drivers.TABLE.name, "driver", "effect", "revenue", "compared_revenue"),
            note="The effects of all drivers add up to the change, to the cent.",
        )


@section("Campaigns", "gold.campaign_results")
def campaigns(view: View) -> Iterator[Block]:
    """What campaigns of the period cost and brought."""
    rows = view.frame(
        "SELECT campaign_id, name, kind, channel, starts_on, ends_on, spend, orders, net_revenue, margin, contribution,"
        " discount, sales, sales_before, sales_after, untold FROM gold.campaign_results WHERE shop_id = $shop"
        " AND currency = $currency AND starts_on <= $last AND coalesce(ends_on, $last) >= $first"
        " ORDER BY contribution DESC NULLS LAST, net_revenue DESC NULLS LAST, name, starts_on"
    )
    if rows.is_empty():
        return
    known = rows.filter(pl.col("contribution").is_not_null())
    paid = known.filter(pl.col("contribution") >= 0)
    told = f"There were {words.things(len(rows), 'campaign')} in {view.scope.period}."
    if not known.is_empty():
        left = words.amount(known["contribution"].sum(), view.currency)
        told += (
            f" Of {len(known)} whose result can be told, {len(paid)} earned what they cost; together they left {left}."
        )
    named_rows = known.with_columns(
        pl.format("{} ({})", "campaign_id", pl.col("starts_on").dt.strftime("%b %Y")).alias("campaign")
    )
    yield Figure(
        "campaigns",
        "What campaigns brought",
        told,
        rows,
        charts.bars(
            pl.concat([named_rows.head(8), named_rows.tail(8)]).unique(maintain_order=True),
            "campaign",
            "contribution",
            f"margin less spend ({view.currency})",
            signed=True,
        )
        if not known.is_empty()
        else None,
        meanings=view.meanings("gold.campaign_results", *rows.columns),
    )


@section("Experiments", "gold.experiment_results")
def experiments(view: View) -> Iterator[Block]:
    """What each variant of an experiment brought against control, as far as exposures tell."""
    rows = view.frame("SELECT * EXCLUDE (shop_id) FROM gold.experiment_results WHERE shop_id = $shop ORDER BY 1, 2")
    if rows.is_empty():
        return
    told = []
    for row in rows.filter(pl.col("revenue_difference").is_not_null()).to_dicts():
        low, high = row["revenue_low"], row["revenue_high"]
        verdict = "more than chance explains" if low > 0 or high < 0 else "which chance may explain"
        told.append(
            f"{row['experiment_id']}: {row['variant']} brought {row['revenue_difference']:+,.2f} "
            f"{row['currency'] or ''} a unit against control, {verdict}."
        )
    yield Figure(
        "experiments",
        "What experiments brought",
        " ".join(told) or "No difference can be told yet; the table says why.",
        rows,
        meanings=view.meanings("gold.experiment_results", *rows.columns),
    )


@section("What happened in these days")
def happened(view: View) -> Iterator[Block]:
    """Promotions, releases, incidents and moves of models that are marked on the charts."""
    marks = charts.events(view, view.scope.period)
    told = f"{words.things(len(marks), 'event')} in {view.scope.period}." if len(marks) else "Nothing was marked."
    yield Figure("events", "What happened in these days", told, marks)


@section("All key figures", _SALES)
def all_figures(view: View) -> Iterator[Block]:
    """Every KPI with its meaning."""
    scope = view.scope
    now, then, year = (view.kpis(period) for period in (scope.period, scope.compared, scope.period.year_before))
    rows = [
        {
            "KPI": kpi.title,
            str(scope.period): words.told(now[kpi.name], kpi.unit, view.currency),
            str(scope.compared): words.told(then[kpi.name], kpi.unit, view.currency),
            "change": words.change(now[kpi.name], then[kpi.name], kpi.unit),
            "a year before": words.told(year[kpi.name], kpi.unit, view.currency),
            "meaning": kpi.meaning,
        }
        for kpi in KPIS
        if kpi.name in now
    ]
    revenue = words.change(now["net_revenue"], then["net_revenue"], "money")
    told = (
        f"Net revenue of {scope.period} is {words.amount(now['net_revenue'], view.currency)}, "
        f"{revenue} against {scope.compared}."
    )
    if revenue == words.NONE:
        told = (
            f"Net revenue of {scope.period} is {words.amount(now['net_revenue'], view.currency)}; "
            f"there were no sales in {scope.compared} to compare it with."
        )
    yield Figure("kpis", "All key figures and what they mean", told, pl.DataFrame(rows))


PAGE = Page(
    "executive",
    "Executive",
    "How is the shop doing, why, and what comes next?",
    (key_figures, revenue, months, forecast, months_ahead, explained, campaigns, experiments, happened, all_figures),
)
