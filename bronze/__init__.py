"""Bronze: each feed's files as delivered, text columns, append only; one module per feed."""

from bronze import (
    movielens_ratings,
    online_retail,
    shop_customers,
    shop_exposures,
    shop_marketing_spend,
    shop_order_lines,
    shop_orders,
    shop_page_events,
    shop_payments,
    shop_products,
    shop_promotions,
    shop_reviews,
    shop_stock_levels,
    stallion,
    walmart_features,
    walmart_sales,
)

STEPS = (
    online_retail.STEP,
    shop_orders.STEP,
    shop_order_lines.STEP,
    shop_payments.STEP,
    shop_customers.STEP,
    shop_products.STEP,
    shop_page_events.STEP,
    shop_stock_levels.STEP,
    shop_reviews.STEP,
    shop_promotions.STEP,
    shop_marketing_spend.STEP,
    shop_exposures.STEP,
    walmart_sales.STEP,
    walmart_features.STEP,
    stallion.STEP,
    movielens_ratings.STEP,
)
