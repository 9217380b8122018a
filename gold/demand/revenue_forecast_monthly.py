"""What revenue to expect of a month; written by the scoring job."""

from __future__ import annotations

from gold.vocabulary import MODEL, QUANTILES_LAW, RUN, SHOP, expected, key, money
from lakehouse.declare.rules import not_before, not_null
from lakehouse.declare.table import Field, Table

TABLE = Table(
    name="gold.revenue_forecast_monthly",
    meaning="The net revenue to expect of a shop in a month, in its main currency: quantiles of the month's sum.",
    grain=("shop_id", "sold_month"),
    fields=(
        SHOP,
        key("sold_month", "date", "first day of the month"),
        key("through_on", "date", "last day that is forecast", not_before("sold_month", "fail")),
        Field(
            "is_whole",
            "boolean",
            "whether that is the month's last day; else the forecast ends within the month, and the row is of its days "
            "up to there",
            rules=(not_null("fail"),),
        ),
        key("currency", "string", "currency of the amounts: that with most of the shop's lines; others are left out"),
        money("known_revenue", "net revenue of the month's days that have passed; it is in the mean and the quantiles"),
        *expected(
            "expected net revenue of the month",
            "net revenue that is as likely to be passed as not",
            "currency of the row",
        ),
        MODEL,
        RUN,
    ),
    row_law="One row per month that gold.revenue_forecast has a day of.",
    rules=(QUANTILES_LAW,),
    has_lineage=False,
)
