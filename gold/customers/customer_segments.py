"""Which segment each customer is in, by the model that serves; written by the scoring job."""

from __future__ import annotations

from gold.vocabulary import MODEL, RUN, SHOP, key
from lakehouse.declare.rules import at_most_distinct, between, not_null, one_of
from lakehouse.declare.table import Field, Table

TIERS = ("High", "Medium", "Low")

TABLE = Table(
    name="gold.customer_segments",
    meaning="The segment of a customer, and how much is expected of the customer, as of the shop's last day.",
    grain=("shop_id", "customer_id"),
    fields=(
        SHOP,
        key("customer_id", "string", "customer"),
        key("as_of_on", "date", "last day of the shop's product sales to known customers; ages count back from it"),
        key("segment", "string", "name of the segment, by what is typical of it"),
        Field("cluster", "int", "number of the cluster behind the name; null without an order that still counts"),
        Field(
            "tier",
            "string",
            "High: the fifth of the customers of whom most is expected (by a rule: with the highest RFM scores); "
            "Low: the half of whom least is; else Medium",
            rules=(not_null("fail"), one_of(TIERS, "fail")),
        ),
        Field(
            "value_score",
            "double",
            "expected log(1 + net revenue of the horizon that the model learned), to rank customers by; null where "
            "a rule decides, which expects nothing, and without an order that still counts",
        ),
        key("currency", "string", "currency of that revenue: that with most of the shop's lines; others are left out"),
        Field(
            "distance",
            "double",
            "distance to the centre of the segment in the model's space: large is untypical; null where a rule decides",
            rules=(between(low=0, action="fail"),),
        ),
        MODEL,
        RUN,
    ),
    row_law="One row per customer of gold.customer_rfm, in whatever currencies.",
    expectations=(at_most_distinct("segment", 20, "segments are few enough to act on: 20 at the most"),),
    has_lineage=False,
)
