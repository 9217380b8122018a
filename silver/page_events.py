"""What visitors did on the shop's pages."""

from __future__ import annotations

from lakehouse.declare.rules import not_null, one_of
from lakehouse.declare.table import Field, Table
from silver.shared import COUNTRY, COUNTRY_CODE, COUNTRY_KNOWN, SCOPE, SHOP_ID, not_after_delivery

EVENT_TYPES = ("view", "search", "add_to_cart", "remove_from_cart", "checkout", "purchase")

TABLE = Table(
    name="silver.page_events",
    meaning="Something that a visitor did on a page.",
    grain=("shop_id", "event_id"),
    scope=SCOPE,
    fields=(
        SHOP_ID,
        Field("event_id", "string", "event", rules=(not_null(),)),
        Field("session_id", "string", "visit", rules=(not_null(),)),
        Field("visitor_id", "string", "browser or app that visited"),
        Field("customer_id", "string", "customer, when signed in"),
        Field("event_at", "timestamp", "when it happened (UTC)", rules=(not_null(), not_after_delivery("time"))),
        Field("event_type", "string", "what was done", rules=(not_null(), one_of(EVENT_TYPES))),
        Field("product_id", "string", "product that it was done to"),
        Field("search_query", "string", "what was searched for"),
        Field("order_id", "string", "order that was placed"),
        Field("page_url", "string", "page"),
        Field("referrer", "string", "page that led here"),
        Field("device", "string", "kind of device"),
        COUNTRY,
        COUNTRY_CODE,
        Field("utm_source", "string", "source that the link named"),
        Field("utm_campaign", "string", "campaign that the link named"),
    ),
    row_law="One row per event; an event delivered again is a duplicate.",
    rules=(COUNTRY_KNOWN,),
    day="event_at",
)
