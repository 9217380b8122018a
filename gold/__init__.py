"""Gold: what people ask for, by day, product, customer and country. One file per table."""

from __future__ import annotations

from gold.customers import cohort_retention, customer_rfm, customers
from gold.demand import demand_daily, demand_periods, stock_position
from gold.marketing import campaign_results, experiment_results
from gold.recommend import interactions
from gold.sales import (
    kpi_daily,
    products,
    returns,
    revenue_drivers,
    sales_by_country,
    sales_by_order,
    sales_by_product,
    sales_daily,
    sessions,
    shops,
)
from lakehouse.declare.table import Step

# In the order in which they depend on each other.
STEPS: tuple[Step, ...] = (
    shops.STEP,
    sales_daily.STEP,
    sales_by_product.STEP,
    sales_by_country.STEP,
    sales_by_order.STEP,
    returns.STEP,
    revenue_drivers.STEP,
    demand_daily.STEP,
    demand_periods.STEP,
    customer_rfm.STEP,
    cohort_retention.STEP,
    customers.STEP,
    interactions.STEP,
    sessions.STEP,
    kpi_daily.STEP,
    stock_position.STEP,
    products.STEP,
    campaign_results.STEP,
    experiment_results.STEP,
)
