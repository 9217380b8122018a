"""What revenue to expect, day by day; written by the scoring job."""

from __future__ import annotations

from gold.demand.bounds import highest, limit_law
from gold.vocabulary import MODEL, QUANTILES_LAW, RUN, SHOP, expected, key
from lakehouse.declare.rules import between
from lakehouse.declare.table import Field, Table

TABLE = Table(
    name="gold.revenue_forecast",
    meaning="The net revenue to expect of a shop on a day, in its main currency: mean, median and quantiles.",
    grain=("shop_id", "sold_on"),
    fields=(
        SHOP,
        key("sold_on", "date", "business day to come"),
        Field("step", "int", "days ahead of the last known one", "days", (between(1, 60, action="fail"),)),
        key("currency", "string", "currency of the amounts: that with most of the shop's lines; others are left out"),
        *expected(
            "expected net revenue",
            "net revenue that is as likely to be passed as not",
            "currency of the row",
        ),
        highest("highest net revenue of a day in the history", "currency of the row"),
        MODEL,
        RUN,
    ),
    row_law="One row per day of the horizon: 60 days, or a quarter of a shorter history.",
    rules=(QUANTILES_LAW, limit_law()),
    has_lineage=False,
)
