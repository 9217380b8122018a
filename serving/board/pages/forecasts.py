"""Any series that is forecast: its history, what to expect, what members say, how good it was, and what moves it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import polars as pl

from serving.board import charts, words
from serving.board.blocks import Block, Choice, Figure, Page, View, section
from serving.board.scope import Period

_FORECAST, _MEMBERS, _METRICS = "gold.demand_forecast", "gold.forecast_members", "gold.forecast_metrics"
_HISTORY = {"D": 120, "W": 2 * 366, "M": 5 * 366}
"""Days of history that are drawn, by frequency of the series."""
_WORDS = {"D": "day", "W": "week", "M": "month"}
_LEVELS = {"total": "all products", "category": "category", "series": "product"}


def _series(view: View) -> dict[str, str]:
    """All that is forecast, by `level/series`: the total, categories, series with the largest forecast first."""
    found = view.rows(
        "SELECT level, series_id, any_value(name) AS name, sum(mean) AS mean FROM gold.demand_forecast"
        f" LEFT JOIN {view.names} ON product_id = series_id WHERE shop_id = $shop GROUP BY level, series_id"
        " ORDER BY level = 'series', level = 'category', mean DESC, series_id"
    )
    return {
        f"{row['level']}/{row['series_id']}": _LEVELS["total"]
        if row["level"] == "total"
        else f"{_LEVELS[row['level']]} {row['name'] or row['series_id']}"
        for row in found
    }


def _chosen(view: View, options: dict[str, str]) -> tuple[str, str]:
    """Level and series that the address names; the first where it names none that there is."""
    asked = view.scope.choices.get("series", "")
    level, _, series = (asked if asked in options else next(iter(options))).partition("/")
    return level, series


def _history(view: View, level: str, series: str, first: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """What was asked for of the series before the forecast, and its unit; only products that are forecast count."""
    frequency, start = first["frequency"][0], first["period_on"][0]
    since = start - timedelta(_HISTORY[frequency])
    of_series = "SELECT series_id FROM gold.demand_forecast WHERE shop_id = $shop AND level = 'series'"
    if frequency == "D" and view.has("gold.demand_daily"):
        category = (
            " JOIN (SELECT product_id, coalesce(category, 'none') AS category FROM gold.products WHERE shop_id = $shop)"
            " USING (product_id)"
            if level == "category"
            else ""
        )
        own = {"series": "product_id = $series", "category": "category = $series"}.get(level, "true")
        rows = view.frame(
            "SELECT demand_on AS period_on, CAST(sum(quantity) AS DOUBLE) AS demand,"
            " bool_or(is_promoted) AS is_promoted, bool_or(is_stockout) AS is_stockout"
            f" FROM gold.demand_daily{category} WHERE shop_id = $shop AND demand_on >= $since AND demand_on < $start"
            f" AND product_id IN ({of_series}) AND {own} GROUP BY demand_on ORDER BY demand_on",
            since=since,
            start=start,
            series=series,
        )
        return rows, "pieces"
    if frequency != "D" and view.has("gold.demand_periods"):
        own = "series_id = $series" if level == "series" else "product_id = $series" if level == "category" else "true"
        rows = view.frame(
            "SELECT period_on, sum(demand) AS demand, any_value(unit) AS unit FROM gold.demand_periods"
            f" WHERE shop_id = $shop AND period_on >= $since AND period_on < $start AND {own}"
            f" AND series_id IN ({of_series}) GROUP BY period_on ORDER BY period_on",
            since=since,
            start=start,
            series=series,
        )
        unit = next(iter(rows["unit"].drop_nulls()), "units")
        return rows.drop("unit"), unit
    return pl.DataFrame(schema={"period_on": pl.Date, "demand": pl.Float64}), "units"


@section("Forecast", _FORECAST)
def forecast(view: View) -> Iterator[Block]:
    """History, expected demand with its interval, and what each member says."""
    options = _series(view)
    if not options:
        return
    level, series = _chosen(view, options)
    yield Choice("series", "Series", f"{level}/{series}", options)
    ahead = view.frame(
        "SELECT period_on, frequency, mean, median, q10, q90, q025, q975, is_fallback, fallback, model"
        " FROM gold.demand_forecast WHERE shop_id = $shop AND level = $level AND series_id = $series"
        " ORDER BY period_on",
        level=level,
        series=series,
    )
    seen, unit = _history(view, level, series, ahead)
    name, each = options[f"{level}/{series}"], _WORDS[ahead["frequency"][0]]
    last, first = ahead["period_on"][-1], ahead["period_on"][0]
    total = float(ahead["mean"].sum())
    told = (
        f"For {name}, {words.count(total)} {unit} are expected in {words.things(len(ahead), each)}, {first} to {last}"
    )
    same = seen.tail(len(ahead))
    if len(same) == len(ahead):
        told += f"; the {words.things(len(ahead), each)} before brought {words.count(same['demand'].sum())}"
    rows = pl.concat(
        [
            seen.select("period_on", pl.col("demand").alias("value"), series=pl.lit("history")),
            ahead.select("period_on", pl.col("mean").alias("value"), "q10", "q90", series=pl.lit("expected")),
        ],
        how="diagonal",
    )
    days = Period(seen["period_on"][0] if len(seen) else first, last)
    note = f"Shaded: 8 of 10 {each}s are expected within. Made by {ahead['model'][0]}."
    if ahead["is_fallback"][0]:
        note += f" A plain rule forecasts this series: {ahead['fallback'][0]}."
    yield Figure(
        "forecast",
        f"Demand of {name}",
        f"{told}.",
        ahead.drop("frequency", "model"),
        charts.lines(
            rows,
            "period_on",
            "value",
            unit,
            "series",
            order=("history", "expected"),
            bounds=("q10", "q90"),
            marks=charts.events(view, days, series if level == "series" else None),
        ),
        meanings=view.meanings(_FORECAST, *ahead.columns),
        note=note,
    )
    if level == "series" and view.has(_MEMBERS):
        yield from _members(view, series, name, unit)
    yield from _moved(seen, name, unit)


def _members(view: View, series: str, name: str, unit: str) -> Iterator[Block]:
    rows = view.frame(
        "SELECT period_on, member, forecast, weight FROM gold.forecast_members WHERE shop_id = $shop"
        " AND series_id = $series ORDER BY member, period_on",
        series=series,
    )
    if rows.is_empty():
        return
    weights = rows.group_by("member").agg(pl.col("weight").mean()).sort("weight", "member", descending=[True, False])
    top = weights.row(0, named=True)
    yield Figure(
        "members",
        f"What the members of the ensemble say of {name}",
        f"{top['member']} weighs most: {words.share(top['weight'])} of the forecast.",
        rows,
        charts.lines(rows, "period_on", "forecast", unit, "member"),
        kinds={"weight": "share"},
        meanings=view.meanings(_MEMBERS, *rows.columns),
    )


def _moved(seen: pl.DataFrame, name: str, unit: str) -> Iterator[Block]:
    """What moves a daily series: weekdays, promotions, days without stock, each as the mean of its days."""
    if "is_promoted" not in seen.columns or seen.is_empty():
        return
    weekday = seen.with_columns(
        pl.col("period_on").dt.strftime("%A").alias("days"), pl.col("period_on").dt.weekday().alias("place")
    )
    parts = [
        weekday.group_by("days", "place")
        .agg(pl.col("demand").mean(), pl.len().alias("number"))
        .sort("place")
        .drop("place")
    ]
    for column, yes, no in (
        ("is_promoted", "with a promotion", "without promotion"),
        ("is_stockout", "with a product out of stock", "all in stock"),
    ):
        if seen[column].n_unique() > 1:
            label = pl.when(column).then(pl.lit(yes)).otherwise(pl.lit(no)).alias("days")
            parts.append(seen.group_by(label).agg(pl.col("demand").mean(), pl.len().alias("number")).sort("days"))
    rows = pl.concat(parts, how="vertical_relaxed")
    best = parts[0].sort("demand", descending=True).row(0, named=True)
    told = f"{best['days']} is the strongest day, with {words.amount(best['demand'])} {unit} on average"
    yield Figure(
        "moves",
        f"What moves the demand of {name}",
        f"{told}, in the {words.things(len(seen), 'day')} before the forecast.",
        rows,
        charts.bars(rows, "days", "demand", f"{unit} a day, on average"),
        titles={"number": "number of days"},
        note="Means of days: they go together, which does not say that one causes the other.",
    )


@section("How good it was", _METRICS)
def backtest(view: View) -> Iterator[Block]:
    """The error on days held out, of the ensemble, its members and the plain rule."""
    rows = view.frame(
        "SELECT demand_class, member, measure, value, series FROM gold.forecast_metrics WHERE shop_id = $shop"
        " ORDER BY demand_class <> 'all', demand_class, measure, value"
    )
    errors = rows.filter((pl.col("demand_class").is_in(["all", "all series"])) & (pl.col("measure") == "MASE"))
    errors = errors.filter(pl.col("value").is_not_null())
    if errors.is_empty():
        return
    best = errors.row(0, named=True)
    covered = rows.filter((pl.col("measure") == "coverage 80") & (pl.col("member") == "ensemble"))
    told = f"On periods that it had not seen, {best['member']} was closest: an error of {best['value']:.2f}"
    told += " of that of the naive forecast within the history (MASE)."
    if not covered.is_empty() and covered["value"][0] is not None:
        told += f" {words.share(covered['value'][0])} fell into the interval of 80 %."
    yield Figure(
        "backtest",
        "How good the forecast was on time that it had not seen",
        told,
        rows,
        charts.bars(errors, "member", "value", "MASE: less is better"),
        meanings=view.meanings(_METRICS, *rows.columns),
    )


PAGE = Page(
    "forecasts",
    "Forecasts",
    "What will be asked for, how sure is that, and what is it made of?",
    (forecast, backtest),
    ("series",),
)
