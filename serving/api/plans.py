"""What to expect and what to order: the forecast of a series, the stock plan of a shop."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

import polars as pl
from fastapi import APIRouter, Query

from gold.demand import demand_forecast, inventory_plan
from serving.api.access import needs
from serving.api.answers import Forecast, StockPlan, stamp
from serving.api.asked import LOOKED_UP, Id, Now, Shop
from serving.api.problems import unknown

Level = Literal["series", "category", "total"]
Alert = Literal["order now", "order soon", "enough", "not counted", "delisted"]

router = APIRouter(prefix="/v1/shops/{shop}", tags=["what to expect"], dependencies=[needs("manager")])


@router.get("/forecast", responses=LOOKED_UP)
async def forecast(
    now: Now,
    shop: Shop,
    level: Annotated[Level, Query(description="series: a product, or a product at a place")] = "total",
    series: Annotated[Id, Query(description="product or series; name of the category; total")] = "total",
) -> Forecast:
    """The demand to expect of a series, period by period."""
    now.check_shop(shop)
    now.check_table(demand_forecast.TABLE)
    rows = now.forecasts.rows(shop, level, series)
    if not rows:
        raise unknown("series", series, f"gold.demand_forecast has none of this name on the level {level}")
    first = rows[0]
    as_of = first["period_on"] - timedelta(days=1) if first["step"] == 1 else None
    return Forecast(
        **stamp(shop, now.release, first, as_of),
        level=level,
        series_id=series,
        frequency=first["frequency"],
        points=rows,
    )


@router.get("/stock-plan", responses=LOOKED_UP)
def stock_plan(
    now: Now,
    shop: Shop,
    product: Annotated[Id | None, Query(description="one product (default: all)")] = None,
    alert: Annotated[Alert | None, Query(description="what to do (default: whatever it is)")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="products in the answer, at most")] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000_000, description="products to pass over")] = 0,
) -> StockPlan:
    """What to order, and when: by the risk of running out, the greatest first."""
    now.check_shop(shop)
    now.check_table(inventory_plan.TABLE)
    rows = now.plans.all(shop) if product is None else now.plans.find(shop, product)
    if product is not None and not rows.height:
        raise unknown("product", product, "gold.inventory_plan has no forecast of it")
    found = rows if alert is None else rows.filter(pl.col("alert") == alert)
    page = found.sort("stockout_risk", "product_id", descending=[True, False], nulls_last=True).slice(offset, limit)
    first = rows.row(0, named=True) if rows.height else None
    return StockPlan(
        **stamp(shop, now.release, first, first["as_of_on"] if first else None),
        total=found.height,
        items=page.to_dicts(),
    )
