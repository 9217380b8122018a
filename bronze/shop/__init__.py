"""The synthetic shop's feeds; own files may take their form too."""

from bronze.shop import (
    customers,
    exposures,
    marketing_spend,
    order_lines,
    orders,
    page_events,
    payments,
    products,
    promotions,
    reviews,
    stock_levels,
)

STEPS = (
    orders.STEP,
    order_lines.STEP,
    payments.STEP,
    customers.STEP,
    products.STEP,
    page_events.STEP,
    stock_levels.STEP,
    reviews.STEP,
    promotions.STEP,
    marketing_spend.STEP,
    exposures.STEP,
)
