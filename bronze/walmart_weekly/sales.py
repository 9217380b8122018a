"""Weekly sales of the Walmart competition: CSV files as delivered."""

from lakehouse.declare.table import Step
from lakehouse.intake.feeds import Feed, as_delivered, feed_table

MEANINGS = {
    "store": "number of the store",
    "dept": "number of the department",
    "date": "Friday of the week",
    "weekly_sales": "sales in US dollars; negative where more came back",
    "is_holiday": "whether the week has one of four holidays",
}

FEED = Feed(
    source="walmart_weekly",
    name="sales",
    pattern="train.csv*",
    columns={
        "store": ("Store",),
        "dept": ("Dept",),
        "date": ("Date",),
        "weekly_sales": ("Weekly_Sales",),
        "is_holiday": ("IsHoliday",),
    },
)

TABLE = feed_table(
    "bronze.walmart_sales",
    "Sales of a department of a store in a week, as delivered.",
    FEED,
    MEANINGS,
)

STEP = Step(TABLE, build=as_delivered, feed=FEED, source=FEED.source)
