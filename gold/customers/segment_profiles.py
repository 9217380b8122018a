"""What is typical of each segment; written by the scoring job."""

from __future__ import annotations

from gold.vocabulary import CURRENCY, MODEL, RUN, SHOP, count, key, money
from lakehouse.declare.rules import between, not_null, sums_to_at_least
from lakehouse.declare.table import Field, Table

_SHARE = (not_null("fail"), between(0, 1, action="fail"))

TABLE = Table(
    name="gold.segment_profiles",
    meaning="A segment of a shop's customers: how many, how much they brought, and what they are like on average.",
    grain=("shop_id", "segment", "currency"),
    fields=(
        SHOP,
        key("segment", "string", "name of the segment"),
        CURRENCY,
        key("as_of_on", "date", "day that ages count back from"),
        count("customers", "customers in the segment", "customers", between(low=1, action="fail")),
        Field("customer_share", "double", "their share of all customers", "share", _SHARE),
        money("net_revenue", "their net revenue so far in that currency, the one with most of the shop's lines"),
        Field("mean_recency_days", "double", "mean age of the last order", "days"),
        Field("mean_tenure_days", "double", "mean age of the first order", "days"),
        Field("mean_frequency", "double", "mean number of orders that count", "orders"),
        Field("mean_monetary", "double", "mean net revenue", "currency of the row"),
        Field("mean_products", "double", "mean number of distinct products", "products"),
        Field("mean_return_rate", "double", "mean share of the sales that was cancelled or credited", "share"),
        Field("mean_value_score", "double", "mean expected log(1 + net revenue of the horizon); null by a rule"),
        MODEL,
        RUN,
    ),
    row_law="One row per segment that a customer is in.",
    expectations=(
        sums_to_at_least("customer_share", 1 - 1e-6, "every customer is in a segment: their shares add up to 1"),
    ),
    has_lineage=False,
)
