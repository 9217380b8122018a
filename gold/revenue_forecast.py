"""What revenue to expect, day by day; written by the scoring job."""

from __future__ import annotations

from gold.declare import SHOP, key, law
from gold.scored import MODEL, RUN
from lakehouse.rules import Expectation, between, not_null
from lakehouse.table import Field, Table


def _expected(name: str, meaning: str) -> Field:
    return Field(name, "double", meaning, "currency of the shop", (not_null("fail"),))


TABLE = Table(
    name="gold.revenue_forecast",
    meaning="The net revenue to expect of a shop on a day: mean, median and quantiles.",
    grain=("shop_id", "sold_on"),
    fields=(
        SHOP,
        key("sold_on", "date", "business day to come"),
        Field("step", "int", "days ahead of the last known one", "days", (between(low=1, action="fail"),)),
        _expected("mean", "expected net revenue"),
        _expected("median", "net revenue that is as likely to be passed as not"),
        _expected("q025", "quantile .025: lower bound of the 95 % interval"),
        _expected("q10", "quantile .1: lower bound of the 80 % interval"),
        _expected("q90", "quantile .9: upper bound of the 80 % interval"),
        _expected("q975", "quantile .975: upper bound of the 95 % interval"),
        MODEL,
        RUN,
    ),
    row_law="One row per day of the horizon: 60 days, or a quarter of a shorter history.",
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
        Expectation("expect_column_max_to_be_between", {"column": "step", "max_value": 60}, "60 days at the most"),
    ),
    has_lineage=False,
)
