"""What demand to expect, by product, category and in total; written by the scoring job."""

from __future__ import annotations

from gold.demand.bounds import highest, limit_law
from gold.vocabulary import MODEL, QUANTILES_LAW, RUN, SHOP, expected, key
from lakehouse.declare.rules import between, not_null, one_of
from lakehouse.declare.table import Field, Table

LEVELS = ("series", "category", "total")


TABLE = Table(
    name="gold.demand_forecast",
    meaning="The demand to expect of a series in a period: mean, median and quantiles.",
    grain=("shop_id", "level", "series_id", "period_on"),
    fields=(
        SHOP,
        key(
            "level", "string", "series (a product, or a product at a place), category, or total", one_of(LEVELS, "fail")
        ),
        key("series_id", "string", "product or series; name of the category; total"),
        key("period_on", "date", "day, or first day of the week or month"),
        Field("frequency", "string", "D: days, W: weeks, M: months", rules=(one_of(("D", "W", "M"), "fail"),)),
        Field("step", "int", "periods ahead of the last known one", "periods", (between(low=1, action="fail"),)),
        *expected(
            "expected demand; means of series add up to those of categories and of the total",
            "demand that is as likely to be passed as not",
            "unit of the series",
        ),
        highest("highest demand of a period in the history of the series, category or total", "unit of the series"),
        Field("is_fallback", "boolean", "whether a plain rule forecasts", rules=(not_null("fail"),)),
        Field("fallback", "string", "why a plain rule forecasts; null where the ensemble does"),
        MODEL,
        RUN,
    ),
    row_law="One row per series, category and total, for each period of the horizon.",
    rules=(QUANTILES_LAW, limit_law("CASE WHEN is_fallback THEN mean ELSE 0.0 END", "mean", "is_fallback")),
    has_lineage=False,
)
