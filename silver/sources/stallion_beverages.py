"""How the Stallion beverages case becomes silver: monthly volumes, prices and events in one feed."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.stallion_beverages.volumes import TABLE as STALLION
from lakehouse.declare.conform import text, text_sql, typed
from lakehouse.declare.table import Read, Step
from silver.demand_drivers import TABLE as DEMAND_DRIVERS
from silver.demand_drivers import long
from silver.period_sales import TABLE as PERIOD_SALES
from silver.period_sales import series_id

SHOP = "stallion_beverages"


def period_sales(stallion: DataFrame) -> DataFrame:
    """Volume of a product at an agency in the month that begins on a day."""
    return typed(
        stallion,
        PERIOD_SALES,
        shop_id=F.lit(SHOP),
        series_id=series_id("agency", "sku"),
        location="agency",
        product_id="sku",
        period_on="date",
        frequency=F.lit("M"),
        quantity="volume",
        amount=F.lit(None).cast("string"),
        unit=F.lit("hectolitre"),
        currency=F.lit(None).cast("string"),
    )


STALLION_DRIVERS = {
    "price_regular": True,
    "price_actual": True,
    "discount": True,
    "discount_in_percent": True,
    **dict.fromkeys(
        (
            "easter_day",
            "good_friday",
            "new_year",
            "christmas",
            "labor_day",
            "independence_day",
            "revolution_day_memorial",
            "regional_games",
            "fifa_u_17_world_cup",
            "football_gold_cup",
            "beer_capital",
            "music_fest",
        ),
        True,
    ),
    "avg_max_temp": False,
    "industry_volume": False,
    "soda_volume": False,
}


def demand_drivers(stallion: DataFrame) -> DataFrame:
    """Prices, discounts and events of a product at an agency in a month."""
    sold = F.trim("volume").try_cast("double") > 0
    priced = stallion.withColumns(
        # The source gives a price of 0, and no discount, exactly where nothing was sold: known only afterwards.
        {name: F.when(sold, F.col(name)) for name in ("price_actual", "discount", "discount_in_percent")}
    )
    return long(priced, STALLION_DRIVERS, SHOP, text(F.col("agency")), text(F.col("sku")))


STEPS: tuple[Step, ...] = (
    Step(
        PERIOD_SALES,
        period_sales,
        (Read(STALLION, groups={"shop_id": f"'{SHOP}'", "location": text_sql("agency")}),),
        recompute=("shop_id", "location"),
        source=SHOP,
        owns={"shop_id": SHOP},
    ),
    Step(
        DEMAND_DRIVERS,
        demand_drivers,
        (Read(STALLION, groups={"shop_id": f"'{SHOP}'", "location": text_sql("agency")}),),
        recompute=("shop_id", "location"),
        source=SHOP,
        owns={"shop_id": SHOP},
    ),
)
