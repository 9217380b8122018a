"""What each member of the ensemble forecast, and its weight; written by the scoring job."""

from __future__ import annotations

from gold.vocabulary import MODEL, RUN, SHOP, key
from lakehouse.declare.rules import between, not_null, sums_to_at_least
from lakehouse.declare.table import Field, Table

TABLE = Table(
    name="gold.forecast_members",
    meaning="One member's forecast of a series in a period, and the weight that it has in the ensemble.",
    grain=("shop_id", "series_id", "period_on", "member"),
    fields=(
        SHOP,
        key("series_id", "string", "product or series"),
        key("period_on", "date", "day, or first day of the week or month"),
        key("member", "string", "arima, prophet, lstm, boosting, or the plain rule that stands in"),
        Field("forecast", "double", "the member's forecast", "unit of the series"),
        Field(
            "weight",
            "double",
            "its weight; the weights of a series and period add up to 1",
            "share",
            (not_null("fail"), between(0, 1, action="fail")),
        ),
        MODEL,
        RUN,
    ),
    row_law="One row per series, period and member.",
    expectations=(
        sums_to_at_least("weight", 1 - 1e-6, "members have weights: those of each series and period add up to 1"),
    ),
    has_lineage=False,
)
