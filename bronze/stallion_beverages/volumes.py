"""Monthly volumes of the Stallion beverages case: CSV files as delivered."""

from lakehouse.declare.table import Step
from lakehouse.intake.feeds import Feed, as_delivered, feed_table

MEANINGS = {
    "agency": "agency that the wholesaler supplies",
    "sku": "product",
    "volume": "volume in hectolitres",
    "date": "first day of the month",
    "industry_volume": "volume of the whole beer industry",
    "soda_volume": "volume of soft drinks",
    "avg_max_temp": "mean of the daily highest temperatures in Celsius",
    "price_regular": "price without the promotion, per hectolitre",
    "price_actual": "price paid; 0 where nothing was sold",
    "discount": "price_regular less price_actual",
    "avg_population_2017": "population of the region in 2017",
    "avg_yearly_household_income_2017": "income of a household in 2017",
    "easter_day": "1 in months of the event easter_day",
    "good_friday": "1 in months of the event good_friday",
    "new_year": "1 in months of the event new_year",
    "christmas": "1 in months of the event christmas",
    "labor_day": "1 in months of the event labor_day",
    "independence_day": "1 in months of the event independence_day",
    "revolution_day_memorial": "1 in months of the event revolution_day_memorial",
    "regional_games": "1 in months of the event regional_games",
    "fifa_u_17_world_cup": "1 in months of the event fifa_u_17_world_cup",
    "football_gold_cup": "1 in months of the event football_gold_cup",
    "beer_capital": "1 in months of the event beer_capital",
    "music_fest": "1 in months of the event music_fest",
    "discount_in_percent": "discount as a share of the price, in percent",
    "timeseries": "number of the series",
}

FEED = Feed(
    source="stallion_beverages",
    name="volumes",
    pattern="stallion.csv*",
    columns={name: (name,) for name in MEANINGS},
)

TABLE = feed_table(
    "bronze.stallion",
    "Volume of a product sold to an agency in a month, with prices and events, as delivered.",
    FEED,
    MEANINGS,
)

STEP = Step(TABLE, build=as_delivered, feed=FEED, source=FEED.source)
