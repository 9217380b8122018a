"""Gold: what people ask for, by day, product, customer and country. One file per table."""

from __future__ import annotations

from gold.customers import cohort_retention, customer_rfm
from gold.demand import demand_daily, demand_periods, stock_position
from gold.recommend import interactions
from gold.sales import kpi_daily, sales_by_country, sales_by_product, sales_daily
from lakehouse.declare.table import Step

# In the order in which they depend on each other.
STEPS: tuple[Step, ...] = (
    sales_daily.STEP,
    sales_by_product.STEP,
    sales_by_country.STEP,
    demand_daily.STEP,
    demand_periods.STEP,
    customer_rfm.STEP,
    cohort_retention.STEP,
    interactions.STEP,
    kpi_daily.STEP,
    stock_position.STEP,
)
