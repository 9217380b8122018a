"""Visits to a shop's pages: where each came from, what was done, and whether it ended in an order."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from gold.vocabulary import SHOP, as_declared, count, key
from lakehouse.declare.rules import between
from lakehouse.declare.table import Field, Read, Step, Table
from silver import page_events as silver_page_events

EVENTS = (
    (count("views", "products viewed", "events"), "view"),
    (count("add_to_carts", "products put into a cart", "events"), "add_to_cart"),
    (count("checkouts", "checkouts begun", "events"), "checkout"),
    (count("purchases", "purchases seen on the pages", "events"), "purchase"),
)

TABLE = Table(
    name="gold.sessions",
    meaning="A visit to a shop's pages: where it came from and what was done.",
    grain=("shop_id", "session_id"),
    fields=(
        SHOP,
        key("session_id", "string", "visit, by the shop's key"),
        key("started_on", "date", "UTC day of its first event"),
        Field("visitor_id", "string", "browser or app that visited"),
        Field("device", "string", "kind of device"),
        Field("country", "string", "country that it came from"),
        Field("country_code", "string", "ISO 3166-1 alpha-2 code of the country; ZZ where it is unknown"),
        Field("utm_source", "string", "source that the first link with one named"),
        Field("utm_campaign", "string", "campaign that the first link with one named"),
        *(field for field, _ in EVENTS),
        count("events", "events behind this row", "events", between(low=1, action="fail")),
    ),
    row_law="One row per visit with an event.",
    counts="events",
    has_lineage=False,
)

_SAID = ("visitor_id", "device", "country", "country_code", "utm_source", "utm_campaign")


def build(page_events: DataFrame) -> DataFrame:
    """Sum up the events of each visit; of what it says of itself, the first word counts."""
    counted = [F.count_if(F.col("event_type") == kind).alias(field.name) for field, kind in EVENTS]
    sessions = page_events.groupBy("shop_id", "session_id").agg(
        F.to_date(F.min("event_at")).alias("started_on"),
        *(_first(name) for name in _SAID),
        *counted,
        F.count("*").alias("events"),
    )
    return as_declared(sessions, TABLE)


def _first(name: str) -> Column:
    said = F.when(F.col(name).isNotNull(), F.struct("event_at", "event_id"))
    return F.min_by(name, said).alias(name)


STEP = Step(
    table=TABLE,
    build=build,
    reads=(Read(silver_page_events.TABLE, groups={"shop_id": "shop_id", "session_id": "session_id"}),),
    recompute=("shop_id", "session_id"),
)
