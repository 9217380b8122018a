"""Page events of the shop: JSON lines files as delivered."""

from lakehouse.declare.table import Step
from lakehouse.intake.feeds import Feed, as_delivered, feed_table

MEANINGS = {
    "event_id": "key of the event",
    "session_id": "visit that the event belongs to",
    "visitor_id": "browser or device of the visitor",
    "customer_id": "customer, once logged in",
    "event_at": "when it happened",
    "event_type": "what kind of thing happened",
    "product_id": "product concerned",
    "search_query": "text searched for",
    "order_id": "order that a purchase led to",
    "page_url": "address of the page",
    "referrer": "address that the visitor came from",
    "device": "kind of device",
    "country": "country of the visitor",
    "utm_source": "source of the campaign link",
    "utm_campaign": "campaign of the link",
}

FEED = Feed(
    source="shop",
    name="page_events",
    pattern="page_events/page_events_*.json*",
    columns={name: (name,) for name in MEANINGS},
    format="jsonl",
)

TABLE = feed_table(
    "bronze.shop_page_events",
    "One thing that a visitor did on the shop's pages, as delivered.",
    FEED,
    MEANINGS,
)

STEP = Step(TABLE, build=as_delivered, feed=FEED, source=FEED.source)
