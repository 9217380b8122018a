"""What is known of a Walmart store and a week: CSV files as delivered."""

from lakehouse.declare.table import Step
from lakehouse.intake.feeds import Feed, as_delivered, feed_table

MEANINGS = {
    "store": "number of the store",
    "date": "Friday of the week",
    "temperature": "mean temperature in Fahrenheit",
    "fuel_price": "price of fuel in the region",
    "markdown_1": "money spent on markdowns of kind 1; NA before November 2011",
    "markdown_2": "money spent on markdowns of kind 2; NA before November 2011",
    "markdown_3": "money spent on markdowns of kind 3; NA before November 2011",
    "markdown_4": "money spent on markdowns of kind 4; NA before November 2011",
    "markdown_5": "money spent on markdowns of kind 5; NA before November 2011",
    "cpi": "consumer price index",
    "unemployment": "unemployment rate",
    "is_holiday": "whether the week has one of four holidays",
}

FEED = Feed(
    source="walmart_weekly",
    name="features",
    pattern="features.csv*",
    columns={
        "store": ("Store",),
        "date": ("Date",),
        "temperature": ("Temperature",),
        "fuel_price": ("Fuel_Price",),
        "markdown_1": ("MarkDown1",),
        "markdown_2": ("MarkDown2",),
        "markdown_3": ("MarkDown3",),
        "markdown_4": ("MarkDown4",),
        "markdown_5": ("MarkDown5",),
        "cpi": ("CPI",),
        "unemployment": ("Unemployment",),
        "is_holiday": ("IsHoliday",),
    },
)

TABLE = feed_table(
    "bronze.walmart_features",
    "Weather, prices and markdowns of a store in a week, as delivered.",
    FEED,
    MEANINGS,
)

STEP = Step(TABLE, build=as_delivered, feed=FEED, source=FEED.source)
