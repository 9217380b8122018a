"""Silver: typed, in UTC, deduplicated, one vocabulary for all shops.

A file per table is its contract; `silver/sources/` says how each source fills it.
"""

from lakehouse.declare.table import Step, Table
from silver import (
    calendar,
    customers,
    demand_drivers,
    exposures,
    feedback,
    marketing_spend,
    order_lines,
    orders,
    page_events,
    payments,
    period_sales,
    products,
    promotions,
    reconciliation,
    reviews,
    stock_levels,
)
from silver.sources import movielens_100k, online_retail, shop, stallion_beverages, walmart_weekly

# In the order of what depends on what: order lines refer to products, and what Online Retail does not deliver by itself
# (orders, customers) is read from its order lines, as are the countries and years of the calendar.
TABLES: tuple[Table, ...] = (
    products.TABLE,
    order_lines.TABLE,
    orders.TABLE,
    payments.TABLE,
    customers.TABLE,
    reviews.TABLE,
    page_events.TABLE,
    stock_levels.TABLE,
    promotions.TABLE,
    marketing_spend.TABLE,
    exposures.TABLE,
    calendar.TABLE,
    period_sales.TABLE,
    demand_drivers.TABLE,
    feedback.TABLE,
    reconciliation.TABLE,
)
SOURCES = (shop, online_retail, walmart_weekly, stallion_beverages, movielens_100k)

_DECLARED: tuple[Step, ...] = (*(step for source in SOURCES for step in source.STEPS), *calendar.STEPS)
STEPS: tuple[Step, ...] = tuple(step for table in TABLES for step in _DECLARED if step.table is table)
