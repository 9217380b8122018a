"""The feeds of the Walmart competition."""

from bronze.walmart_weekly import features, sales

STEPS = (
    sales.STEP,
    features.STEP,
)
