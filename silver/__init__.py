"""Silver: typed, in UTC, deduplicated, one vocabulary for all shops. One file per table."""

from lakehouse.declare.table import Step
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
    reviews,
    stock_levels,
)

# In the order of what depends on what: order lines refer to products, and what Online Retail does not deliver by itself
# (orders, customers) is read from its order lines, as are the countries and years of the calendar.
STEPS: tuple[Step, ...] = (
    *products.STEPS,
    *order_lines.STEPS,
    *orders.STEPS,
    *payments.STEPS,
    *customers.STEPS,
    *reviews.STEPS,
    *page_events.STEPS,
    *stock_levels.STEPS,
    *promotions.STEPS,
    *marketing_spend.STEPS,
    *exposures.STEPS,
    *calendar.STEPS,
    *period_sales.STEPS,
    *demand_drivers.STEPS,
    *feedback.STEPS,
)
