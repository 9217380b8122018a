"""Which models serve, whether they beat what a shop could do without, and what moved them."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from serving.board import charts, words
from serving.board.blocks import Block, Choice, Figure, Page, View, section

_CARD, _RECOMMEND, _FORECAST = "gold.model_scorecard", "gold.recommend_metrics", "gold.forecast_metrics"


@section("Versions and champions", _CARD)
def versions(view: View) -> Iterator[Block]:
    """Each version of each family: whether it serves, and why it does or does not."""
    rows = view.frame(
        "SELECT DISTINCT family, version, is_champion, trained_at, held_out, decision FROM gold.model_scorecard"
        " WHERE shop_id = $shop ORDER BY family, version DESC"
    )
    if rows.is_empty():
        return
    told = []
    for family in rows["family"].unique(maintain_order=True):
        own = rows.filter((pl.col("family") == family) & pl.col("is_champion"))
        told.append(
            f"{family}: version {own['version'][0]} serves" if len(own) else f"{family}: the plain baseline serves"
        )
    yield Figure(
        "versions",
        "Which version serves, and why",
        f"{'; '.join(told)}.",
        rows,
        meanings=view.meanings(_CARD, *rows.columns),
    )


@section("Measures over versions", _CARD)
def scorecard(view: View) -> Iterator[Block]:
    """One measure of a family over its versions."""
    rows = view.frame(
        "SELECT family, measure, version, value, is_champion, trained_at, held_out FROM gold.model_scorecard"
        " WHERE shop_id = $shop AND value IS NOT NULL ORDER BY family, measure, version"
    )
    if rows.is_empty():
        return
    options = {f"{row['family']}/{row['measure']}": f"{row['family']}: {row['measure']}" for row in rows.to_dicts()}
    chosen = view.scope.choices.get("measure", "")
    chosen = chosen if chosen in options else next(iter(options))
    yield Choice("measure", "Measure", chosen, options)
    family, _, measure = chosen.partition("/")
    own = rows.filter((pl.col("family") == family) & (pl.col("measure") == measure))
    last = own.row(-1, named=True)
    yield Figure(
        "scorecard",
        f"{measure} of {family} over versions",
        f"Version {last['version']} has {last['value']:.4g} on {last['held_out'] or 'days held out'}"
        + (f"; {words.things(len(own), 'version')} in all." if len(own) > 1 else "; it is the only version so far."),
        own.drop("family", "measure"),
        charts.bars(own.with_columns(pl.format("version {}", "version").alias("label")), "label", "value", measure),
        meanings=view.meanings(_CARD, *rows.columns),
    )


@section("Recommender against baselines", _RECOMMEND)
def recommender(view: View) -> Iterator[Block]:
    """The recommender beside the plain ways to recommend, on purchases held out."""
    rows = view.frame(
        "SELECT task, method, measure, value, model FROM gold.recommend_metrics WHERE shop_id = $shop"
        " ORDER BY task, measure, value DESC NULLS LAST, method"
    )
    shown = rows.filter((pl.col("task") == "ALL") & (pl.col("measure") == "ndcg") & pl.col("value").is_not_null())
    if shown.is_empty():
        return
    best = shown.row(0, named=True)
    yield Figure(
        "recommender",
        "Recommender against plain ways to recommend",
        f"{best['method']} ranks best what customers then bought: NDCG {best['value']:.3f}.",
        rows.drop("model"),
        charts.bars(shown, "method", "value", "NDCG of ten products: more is better"),
        meanings=view.meanings(_RECOMMEND, *rows.columns),
    )


@section("Forecast against plain rules", _FORECAST)
def forecast(view: View) -> Iterator[Block]:
    """The weighted error of the ensemble, its members and the plain rule, on days held out."""
    rows = view.frame(
        "SELECT member, value AS wape, series FROM gold.forecast_metrics WHERE shop_id = $shop AND measure = 'WAPE'"
        " AND demand_class LIKE 'all%' AND value IS NOT NULL ORDER BY value, member"
    )
    if rows.is_empty():
        return
    best = rows.row(0, named=True)
    yield Figure(
        "forecast",
        "Forecast against its members and plain rules",
        f"{best['member']} is closest: it is off by {words.share(best['wape'])} of what was sold, over "
        f"{words.things(best['series'], 'series', 'series')}.",
        rows,
        charts.bars(rows, "member", "wape", "WAPE: less is better"),
        kinds={"wape": "share"},
    )


@section("Moves", _CARD)
def moves(view: View) -> Iterator[Block]:
    """What became champion or challenger when, and on what evidence."""
    if not view.knows("ops.model_moves"):
        return
    rows = view.frame(
        'SELECT "at", family, alias, from_version, to_version, why FROM ops.model_moves WHERE shop_id = $shop'
        ' ORDER BY "at" DESC, family'
    )
    if rows.is_empty():
        return
    last = rows.row(0, named=True)
    yield Figure(
        "moves",
        "What moved, and on what evidence",
        f"Last, version {last['to_version']} of {last['family']} became {last['alias']} on {last['at']:%Y-%m-%d}.",
        rows,
        titles={"at": "when (UTC)"},
    )


PAGE = Page(
    "models",
    "Models",
    "Which models serve, do they beat plain rules, and why did they change?",
    (versions, recommender, forecast, scorecard, moves),
    ("measure",),
)
