"""Gold: what people ask for, by day, product, customer and country. One file per table."""

from __future__ import annotations

from gold.customers import cohort_retention, customer_rfm
from gold.demand import demand_daily, demand_periods, stock_position
from gold.recommend import interactions
from gold.sales import kpi_daily, sales_by_country, sales_by_order, sales_by_product, sales_daily, sessions, shops
from lakehouse.declare.table import Step

# In the order in which they depend on each other.
STEPS: tuple[Step, ...] = (
    shops.STEP,
    sales_daily.STEP,
    sales_by_product.STEP,
    sales_by_country.STEP,
    sales_by_order.STEP,
    sessions.STEP,
    demand_daily.STEP,
    demand_periods.STEP,
    customer_rfm.STEP,
    cohort_retention.STEP,
    interactions.STEP,
    kpi_daily.STEP,
    stock_position.STEP,
)
