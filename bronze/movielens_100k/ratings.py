"""Ratings of MovieLens 100k: a file of tab-separated values without a header, as delivered."""

from lakehouse.declare.table import Step
from lakehouse.intake.feeds import Feed, as_delivered, feed_table

MEANINGS = {
    "user_id": "viewer",
    "item_id": "film",
    "rating": "from 1 to 5",
    "timestamp": "when it was rated, in seconds since 1970",
}

FEED = Feed(
    source="movielens_100k",
    name="ratings",
    pattern="u.data*",
    columns={name: (name,) for name in MEANINGS},
    delimiter="\t",
    has_header=False,
)

TABLE = feed_table(
    "bronze.movielens_ratings",
    "Rating of a film by a viewer, as delivered.",
    FEED,
    MEANINGS,
)

STEP = Step(TABLE, build=as_delivered, feed=FEED, source=FEED.source)
