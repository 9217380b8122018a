"""How the Walmart competition becomes silver: weekly sales of departments, and what moves them."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.walmart_weekly.features import TABLE as WALMART_FEATURES
from bronze.walmart_weekly.sales import TABLE as WALMART_SALES
from lakehouse.declare.conform import NOTHING, full_sql, text, text_sql, typed
from lakehouse.declare.table import Read, Step
from silver.demand_drivers import TABLE as DEMAND_DRIVERS
from silver.demand_drivers import long
from silver.period_sales import TABLE as PERIOD_SALES
from silver.period_sales import series_id

SHOP = "walmart_weekly"


def period_sales(walmart_sales: DataFrame) -> DataFrame:
    """Sales of a department in the week that ends on a Friday."""
    return typed(
        walmart_sales,
        PERIOD_SALES,
        nothing=(*NOTHING, "na"),
        shop_id=F.lit(SHOP),
        series_id=series_id("store", "dept"),
        location="store",
        product_id="dept",
        period_on="date",
        frequency=F.lit("W"),
        quantity=F.lit(None).cast("string"),
        amount="weekly_sales",
        unit=F.lit(None).cast("string"),
        currency=F.lit("USD"),
    )


WALMART = {
    "is_holiday": True,
    **{f"markdown_{number}": True for number in range(1, 6)},
    "temperature": False,
    "fuel_price": False,
    "cpi": False,
    "unemployment": False,
}


def demand_drivers(walmart_features: DataFrame) -> DataFrame:
    """Holidays, markdowns, weather and prices of a store and a week. NA is no value."""
    return long(walmart_features, WALMART, SHOP, text(F.col("store")), F.lit("*"))


STEPS: tuple[Step, ...] = (
    Step(
        PERIOD_SALES,
        period_sales,
        (Read(WALMART_SALES, groups={"shop_id": f"'{SHOP}'", "location": text_sql("store")}),),
        recompute=("shop_id", "location"),
        amount=f"coalesce({full_sql('weekly_sales')}, 0)",
        source=SHOP,
        owns={"shop_id": SHOP},
    ),
    Step(
        DEMAND_DRIVERS,
        demand_drivers,
        (Read(WALMART_FEATURES, groups={"shop_id": f"'{SHOP}'", "location": text_sql("store")}),),
        recompute=("shop_id", "location"),
        source=SHOP,
        owns={"shop_id": SHOP},
    ),
)
