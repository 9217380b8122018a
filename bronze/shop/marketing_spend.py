"""Marketing spend of the shop: CSV files as delivered."""

from lakehouse.declare.table import Step
from lakehouse.intake.feeds import Feed, as_delivered, feed_table

MEANINGS = {
    "spend_on": "day of the spend",
    "channel": "marketing channel",
    "campaign": "campaign",
    "country": "country advertised in",
    "currency": "currency of the spend",
    "spend": "amount spent",
    "impressions": "times an advertisement was shown",
    "clicks": "times an advertisement was clicked",
}

FEED = Feed(
    source="shop",
    name="marketing_spend",
    pattern="marketing_spend/marketing_spend_*.csv*",
    columns={name: (name,) for name in MEANINGS},
)

TABLE = feed_table(
    "bronze.shop_marketing_spend",
    "What a campaign cost on a day in a country, as delivered.",
    FEED,
    MEANINGS,
)

STEP = Step(TABLE, build=as_delivered, feed=FEED, source=FEED.source)
