"""What demand to expect, by product, category and in total; written by the scoring job."""

from __future__ import annotations

from gold.declare import SHOP, key, law
from gold.scored import MODEL, RUN
from lakehouse.rules import Expectation, between, not_null, one_of
from lakehouse.table import Field, Table

LEVELS = ("series", "category", "total")


def _expected(name: str, meaning: str) -> Field:
    return Field(name, "double", meaning, "unit of the series", (not_null("fail"),))


TABLE = Table(
    name="gold.demand_forecast",
    meaning="The demand to expect of a series in a period: mean, median and quantiles.",
    grain=("shop_id", "level", "series_id", "period_on"),
    fields=(
        SHOP,
        key("level", "string", "series (a product, or a product at a place), category, or total"),
        key("series_id", "string", "product or series; name of the category; total"),
        key("period_on", "date", "day, or first day of the week or month"),
        Field("frequency", "string", "D: days, W: weeks, M: months", rules=(one_of(("D", "W", "M"), "fail"),)),
        Field("step", "int", "periods ahead of the last known one", "periods", (between(low=1, action="fail"),)),
        _expected("mean", "expected demand; means of series add up to those of categories and of the total"),
        _expected("median", "demand that is as likely to be passed as not"),
        _expected("q025", "quantile .025: lower bound of the 95 % interval"),
        _expected("q10", "quantile .1: lower bound of the 80 % interval"),
        _expected("q90", "quantile .9: upper bound of the 80 % interval"),
        _expected("q975", "quantile .975: upper bound of the 95 % interval"),
        Field("is_fallback", "boolean", "whether a plain rule forecasts", rules=(not_null("fail"),)),
        Field("fallback", "string", "why a plain rule forecasts; null where the ensemble does"),
        MODEL,
        RUN,
    ),
    row_law="One row per series, category and total, for each period of the horizon.",
    rules=(
        law(
            "quantiles.law",
            "quantiles must rise from q025 to q975",
            "q025 <= q10 AND q10 <= median AND median <= q90 AND q90 <= q975",
            "q025",
            "q10",
            "median",
            "q90",
            "q975",
        ),
    ),
    expectations=(
        Expectation(
            "expect_column_distinct_values_to_contain_set",
            {"column": "level", "value_set": ["series", "total"]},
            "series and their total are there",
        ),
    ),
    has_lineage=False,
)
