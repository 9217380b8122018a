"""Whom to write to, and why: customers who agreed to marketing, and nobody else; written by the scoring job."""

from __future__ import annotations

from gold.customers.customer_segments import TIERS
from gold.vocabulary import MODEL, RUN, SHOP, key, law
from lakehouse.declare.rules import between, not_null, one_of
from lakehouse.declare.table import MONEY, Field, Table

REASONS = ("first order", "second order", "win back", "best customer", "keep in touch")
LAPSING_INTERVALS = 2.0
"""A customer is lapsing after so many times the usual interval between own orders..."""
LAPSING_DAYS = 30
"""... and never sooner than after so many days."""

TABLE = Table(
    name="gold.mail_targets",
    meaning="A customer who agreed to marketing, with segment and the reason to write.",
    grain=("shop_id", "customer_id"),
    fields=(
        SHOP,
        key("customer_id", "string", "customer"),
        Field(
            "reason",
            "string",
            "first order: has none that still counts; second order: has one; win back: the last is older than "
            f"{LAPSING_INTERVALS:.0f} usual intervals and {LAPSING_DAYS} days; best customer: tier High; else keep in "
            "touch",
            rules=(not_null("fail"), one_of(REASONS, "fail")),
        ),
        Field("segment", "string", "segment by gold.customer_segments; null for who never bought a product"),
        Field("tier", "string", "tier by gold.customer_segments", rules=(one_of(TIERS, "fail"),)),
        Field("as_of_on", "date", "last day of the shop's product sales to known customers; ages count back from it"),
        Field("last_order_on", "date", "last order that still counts"),
        Field("recency_days", "int", "age of it", "days", (between(low=0, action="fail"),)),
        Field("usual_interval_days", "double", "mean time between orders; null with fewer than two", "days"),
        Field("currency", "string", "currency of net_revenue (ISO 4217)"),
        Field("net_revenue", MONEY, "net revenue so far, by gold.customers", "currency of the row"),
        MODEL,
        RUN,
    ),
    row_law="One row per customer whose account says now that marketing is agreed to.",
    rules=(
        law(
            "reason.law",
            "only who has no order may be written to for the first",
            "(reason = 'first order') = (last_order_on IS NULL)",
            "reason",
            "last_order_on",
        ),
    ),
    has_lineage=False,
)
