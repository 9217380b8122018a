"""Who changed the segment within a month; written by the scoring job."""

from __future__ import annotations

from gold.vocabulary import MODEL, RUN, SHOP, key, law
from lakehouse.declare.rules import not_null, one_of
from lakehouse.declare.table import Field, Table

DIRECTIONS = ("new", "up", "down", "sideways")
_A_MONTH = "compared_on < as_of_on AND compared_on >= as_of_on - INTERVAL '1' MONTH"

TABLE = Table(
    name="gold.segment_moves",
    meaning="A customer who is in another segment than a month before, both by the same model.",
    grain=("shop_id", "customer_id"),
    fields=(
        SHOP,
        key("customer_id", "string", "customer"),
        key("as_of_on", "date", "day of the newer look"),
        key("compared_on", "date", "day of the older look, a month before"),
        Field("from_segment", "string", "segment then; null for a new customer"),
        key("to_segment", "string", "segment now"),
        Field(
            "direction",
            "string",
            "up or down by what is expected of the two segments (by a rule: their RFM scores); new: no customer then",
            rules=(not_null("fail"), one_of(DIRECTIONS, "fail")),
        ),
        MODEL,
        RUN,
    ),
    row_law="One row per customer whose segment changed; customers who stayed are left out.",
    rules=(law("compared_on.law", "the older look is a month before the newer", _A_MONTH, "compared_on", "as_of_on"),),
    has_lineage=False,
)
