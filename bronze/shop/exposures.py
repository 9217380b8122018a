"""Exposures of the shop's experiments: CSV files as delivered."""

from lakehouse.declare.table import Step
from lakehouse.intake.feeds import Feed, as_delivered, feed_table

MEANINGS = {
    "experiment_id": "experiment",
    "unit_id": "visitor or customer that was assigned",
    "variant": "variant shown",
    "exposed_at": "when it was shown",
}

FEED = Feed(
    source="shop",
    name="exposures",
    pattern="exposures/exposures_*.csv*",
    columns={name: (name,) for name in MEANINGS},
)

TABLE = feed_table(
    "bronze.shop_exposures",
    "Which variant of an experiment a unit was shown, as delivered.",
    FEED,
    MEANINGS,
)

STEP = Step(TABLE, build=as_delivered, feed=FEED, source=FEED.source)
