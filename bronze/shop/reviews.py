"""Reviews of the shop: JSON lines files as delivered."""

from lakehouse.declare.table import Step
from lakehouse.intake.feeds import Feed, as_delivered, feed_table

MEANINGS = {
    "review_id": "key of the review",
    "order_id": "order in which the product was bought",
    "product_id": "product reviewed",
    "customer_id": "customer who wrote it",
    "rating": "stars given",
    "title": "heading of the review",
    "text": "text of the review",
    "reviewed_at": "when it was written",
}

FEED = Feed(
    source="shop",
    name="reviews",
    pattern="reviews/reviews_*.json*",
    columns={name: (name,) for name in MEANINGS},
    format="jsonl",
)

TABLE = feed_table(
    "bronze.shop_reviews",
    "One customer's review of a product, as delivered.",
    FEED,
    MEANINGS,
)

STEP = Step(TABLE, build=as_delivered, feed=FEED, source=FEED.source)
