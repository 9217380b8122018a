"""Charts of rows: the few kinds that the pages use. Colours and fonts come from the page, light or dark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl
from altair.utils import schemapi

from serving.board.blocks import View
from serving.board.scope import Period

alt.data_transformers.disable_max_rows()
schemapi.disable_debug_mode()  # charts are made by our own functions: a test validates them, not each reader's page

MARKS = {"promotion": "#b7791f", "release": "#2f855a", "incident": "#c53030", "model": "#6b46c1"}
"""Kinds of what is drawn on time series, with the colour of each, to be told apart on light and dark ground."""
_HEIGHT = 260


def lines(
    rows: pl.DataFrame,
    x: str,
    y: str,
    unit: str,
    by: str | None = None,
    *,
    order: Sequence[str] = (),
    bounds: tuple[str, str] | None = None,
    marks: pl.DataFrame | None = None,
    months: bool = False,
) -> alt.TopLevelMixin:
    """Series over time, one for each value of `by`, with an interval (`bounds`) and marks of events behind them.

    `months` names months alone: the years are laid over each other.
    """
    axis = alt.Axis(format="%b", tickCount="month") if months else alt.Axis(labelOverlap=True)
    base = alt.Chart(plain(rows)).encode(x=alt.X(f"{x}:T", title=None, axis=axis))
    color = (
        alt.Color(f"{by}:N", title=None, sort=list(order) or None, legend=alt.Legend(orient="top", labelLimit=300))
        if by
        else alt.Undefined
    )
    dash = alt.StrokeDash(f"{by}:N", title=None, sort=list(order) or None, legend=None) if by else alt.Undefined
    tips = [alt.Tooltip(f"{x}:T"), *([alt.Tooltip(f"{by}:N")] if by else []), alt.Tooltip(f"{y}:Q", format=",.2f")]
    layers: list[alt.Chart] = []
    if marks is not None and not marks.is_empty():
        layers += _marks(marks)
    if bounds:
        layers.append(base.mark_area(opacity=0.2).encode(y=alt.Y(f"{bounds[0]}:Q"), y2=f"{bounds[1]}:Q"))
    line = base.mark_line(point=len(rows) < 30).encode(y=alt.Y(f"{y}:Q", title=unit), color=color, strokeDash=dash)
    hover = base.mark_point(opacity=0, size=200).encode(y=f"{y}:Q", tooltip=tips)
    return sized(alt.layer(*layers, line, hover).resolve_scale(color="independent"), _HEIGHT)


def _marks(marks: pl.DataFrame) -> list[alt.Chart]:
    """Spans of events with an end, lines of those of a day."""
    kinds = [kind for kind in MARKS if kind in set(marks["kind"])]
    base = alt.Chart().encode(
        x="from_on:T",
        color=alt.Color(
            "kind:N",
            title=None,
            scale=alt.Scale(domain=kinds, range=[MARKS[kind] for kind in kinds]),
            legend=alt.Legend(orient="bottom", symbolType="square"),
        ),
        tooltip=[alt.Tooltip("kind:N"), alt.Tooltip("what:N"), alt.Tooltip("from_on:T"), alt.Tooltip("to_on:T")],
    )
    spans = marks.filter(pl.col("to_on").is_not_null())
    days = marks.filter(pl.col("to_on").is_null())
    layers = [base.mark_rect(opacity=0.1).encode(x2="to_on:T").properties(data=spans)] if len(spans) else []
    return layers + ([base.mark_rule(strokeWidth=1.5).properties(data=days)] if len(days) else [])


def bars(
    rows: pl.DataFrame, label: str, value: str, unit: str, *, by: str | None = None, signed: bool = False
) -> alt.TopLevelMixin:
    """A bar for each row, in the order of the rows; `signed` tells what adds from what takes away."""
    color: Any = alt.Undefined
    if signed:
        color = alt.condition(f"datum['{value}'] < 0", alt.value("#c05621"), alt.value("#2b6cb0"))
    elif by:
        color = alt.Color(f"{by}:N", title=None, sort=None, legend=alt.Legend(orient="top"))
    encoded = {"yOffset": alt.YOffset(f"{by}:N", sort=None)} if by else {}
    tips = [
        alt.Tooltip(f"{label}:N"),
        *([alt.Tooltip(f"{by}:N")] if by else []),
        alt.Tooltip(f"{value}:Q", format=",.3~f"),
    ]
    chart = (
        alt.Chart(plain(rows))
        .mark_bar()
        .encode(
            y=alt.Y(f"{label}:N", sort=None, title=None, axis=alt.Axis(labelLimit=190)),
            x=alt.X(f"{value}:Q", title=unit),
            color=color,
            tooltip=tips,
            **encoded,
        )
    )
    step = 24 * (max(1, rows[by].n_unique()) if by else 1)
    return sized(chart, max(60, rows[label].n_unique() * min(step, 48)))


def heat(rows: pl.DataFrame, x: str, y: str, value: str, *, titles: tuple[str, str], form: str) -> alt.TopLevelMixin:
    """A table of colours, with the number in each cell where there are few."""
    base = alt.Chart(plain(rows)).encode(
        x=alt.X(
            f"{x}:O", title=titles[0], sort=None, axis=alt.Axis(labelAngle=0 if rows[x].dtype.is_numeric() else -30)
        ),
        y=alt.Y(f"{y}:O", title=titles[1], sort=None),
    )
    cells = base.mark_rect().encode(
        color=alt.Color(f"{value}:Q", legend=None, scale=alt.Scale(scheme="blues")),
        tooltip=[alt.Tooltip(f"{y}:O"), alt.Tooltip(f"{x}:O"), alt.Tooltip(f"{value}:Q", format=form)],
    )
    numbers = [float(each) for each in rows[value] if each is not None] or [0.0]
    middle = (max(numbers) + min(numbers)) / 2 or 0.5
    number = base.mark_text(fontSize=10).encode(
        text=alt.Text(f"{value}:Q", format=form),
        color=alt.condition(f"datum['{value}'] > {middle}", alt.value("white"), alt.value("#1a202c")),
    )
    layered: Any = alt.layer(cells, number) if rows[x].n_unique() <= 14 else cells
    return sized(layered, max(80, 26 * rows[y].n_unique()))


def points(
    rows: pl.DataFrame, x: str, y: str, color: str, *, titles: tuple[str, str], tips: Sequence[str]
) -> alt.TopLevelMixin:
    """A point for each row; the upright axis is logarithmic, so rows must be above 0 there."""
    chart = (
        alt.Chart(plain(rows))
        .mark_circle(size=40, opacity=0.6)
        .encode(
            x=alt.X(f"{x}:Q", title=titles[0]),
            y=alt.Y(f"{y}:Q", title=titles[1], scale=alt.Scale(type="log")),
            color=alt.Color(f"{color}:N", title=None, legend=alt.Legend(orient="top", columns=4)),
            tooltip=list(tips),
        )
    )
    return sized(chart, 340)


def sized(chart: alt.Chart | alt.LayerChart, height: int) -> alt.TopLevelMixin:
    """As wide as its place on the page."""
    sized: alt.TopLevelMixin = chart.properties(width="container", height=height)
    return sized


def plain(rows: pl.DataFrame) -> pl.DataFrame:
    """Amounts as numbers that a chart can draw; rows and tables keep them exact."""
    return rows.with_columns(pl.col(pl.Decimal).cast(pl.Float64))


def events(view: View, period: Period, product: str | None = None) -> pl.DataFrame:
    """What happened in a period: `kind` (of `MARKS`), `what`, `from_on`, `to_on` (null: that day).

    Promotions are those of a product where one is named. Releases, models and incidents (blocked gates, files that
    could not be read) are of the day (UTC) on which they happened here.
    """
    told = []
    if view.has("silver.promotions"):
        own = "AND (product_id = $product OR product_id IS NULL)" if product else ""
        told.append(
            "SELECT 'promotion' AS kind, coalesce(name, promotion_id) || coalesce(' on ' || product_id, '') AS what,"
            " greatest(starts_on, $from) AS from_on, least(coalesce(ends_on, $to), $to) AS to_on"
            " FROM silver.promotions WHERE shop_id = $shop AND starts_on <= $to"
            f" AND coalesce(ends_on, $to) >= $from {own}"
        )
    told += [
        f"SELECT '{kind}' AS kind, {what} AS what, CAST(\"at\" AS DATE) AS from_on,"
        f" CAST(NULL AS DATE) AS to_on FROM {table}"
        f' WHERE CAST("at" AS DATE) BETWEEN $from AND $to AND {where}'
        for kind, what, table, where in (
            ("release", "'release of ' || strftime(\"at\", '%Y-%m-%d %H:%M')", "ops.releases", "true"),
            ("incident", "\"table\" || ': ' || says", "ops.gate_results", "NOT passed AND NOT is_warning"),
            ("incident", "file || ' could not be read: ' || message", "ops.files", "status = 'unreadable'"),
            (
                "model",
                "model || ' version ' || to_version || ' became ' || alias",
                "ops.model_moves",
                "shop_id = $shop",
            ),
        )
        if view.knows(table)
    ]
    empty = pl.DataFrame(schema={"kind": pl.String, "what": pl.String, "from_on": pl.Date, "to_on": pl.Date})
    if not told:
        return empty
    asked = {"from": period.first, "to": period.last} | ({"product": product} if product else {})
    return view.frame(f"SELECT DISTINCT * FROM ({' UNION ALL '.join(told)}) ORDER BY from_on, kind, what", **asked)
