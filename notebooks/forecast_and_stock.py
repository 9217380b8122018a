# Databricks notebook source
# MAGIC %md
# MAGIC # Forecast and stock
# MAGIC What revenue to expect, what will sell, what runs out when, and what to order from whom.

# COMMAND ----------

from jobs.notebook import opened
from serving import figures

dbutils.widgets.text("product", "")  # empty: the one with most demand to come
reader, shop, currency = opened(
    dbutils, "gold.revenue_forecast_monthly", "gold.demand_forecast", "gold.inventory_plan", "gold.products"
)
(served,) = reader.rows(
    """
    SELECT any_value(model) AS model, min(period_on) AS first_on, max(period_on) AS last_on,
           count(DISTINCT series_id) AS series, count(DISTINCT series_id) FILTER (WHERE is_fallback) AS fallbacks
    FROM gold.demand_forecast WHERE shop_id = ? AND level = 'series'
    """,
    [shop],
)
print(
    f"{served['series']:,} series from {served['first_on']} to {served['last_on']}, by {served['model']}; "
    f"{served['fallbacks']:,} of them by a plain rule, which says why in `fallback`."
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Revenue to come

# COMMAND ----------

revenue = reader.frame(
    """
    SELECT sold_on, sum(net_revenue)::DOUBLE AS known, NULL AS median, NULL AS q025, NULL AS q10, NULL AS q90,
           NULL AS q975
    FROM gold.sales_daily WHERE shop_id = $1 AND currency = $2
      AND sold_on > (SELECT min(sold_on) FROM gold.revenue_forecast WHERE shop_id = $1) - INTERVAL 120 DAYS
      AND sold_on < (SELECT min(sold_on) FROM gold.revenue_forecast WHERE shop_id = $1)
    GROUP BY ALL
    UNION ALL SELECT sold_on, NULL, median, q025, q10, q90, q975 FROM gold.revenue_forecast WHERE shop_id = $1
    ORDER BY sold_on
    """,
    [shop, currency],
)
to_come = revenue.filter(revenue["median"].is_not_null())
if len(to_come):
    display(
        figures.over_time(
            revenue["sold_on"],
            {"expected (median)": revenue["median"], "so far": revenue["known"]},
            "Net revenue by day",
            currency,
            bands={"95 %": (revenue["q025"], revenue["q975"]), "80 %": (revenue["q10"], revenue["q90"])},
            since=to_come["sold_on"].min(),
        )
    )

# COMMAND ----------

# MAGIC %md
# MAGIC By month: quantiles are those of the month's sum, which are nearer to each other than the sums of its days'
# MAGIC quantiles.

# COMMAND ----------

display(
    reader.frame(
        """
        SELECT sold_month, through_on, is_whole, known_revenue, mean, q10, median, q90
        FROM gold.revenue_forecast_monthly WHERE shop_id = ? ORDER BY sold_month
        """,
        [shop],
    ).to_pandas()
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Demand of one product

# COMMAND ----------

product = (
    dbutils.widgets.get("product")
    or reader.rows(
        """
    SELECT series_id FROM gold.demand_forecast WHERE shop_id = ? AND level = 'series'
    GROUP BY ALL ORDER BY sum(mean) DESC, series_id LIMIT 1
    """,
        [shop],
    )[0]["series_id"]
)
demand = reader.frame(
    """
    SELECT demand_on AS day, sum(quantity)::DOUBLE AS known, NULL AS mean, NULL AS q10, NULL AS q90
    FROM gold.demand_daily
    WHERE shop_id = $1 AND product_id = $2 AND demand_on > $3::DATE - INTERVAL 90 DAYS GROUP BY ALL
    UNION ALL
    SELECT period_on, NULL, mean, q10, q90 FROM gold.demand_forecast
    WHERE shop_id = $1 AND series_id = $2 AND level = 'series' ORDER BY day
    """,
    [shop, product, served["first_on"]],
)
(name,) = reader.rows("SELECT name FROM gold.products WHERE shop_id = ? AND product_id = ?", [shop, product])
display(
    figures.over_time(
        demand["day"],
        {"expected (mean)": demand["mean"], "so far": demand["known"]},
        f"{name['name']}: demand by day",
        "pieces",
        bands={"80 %": (demand["q10"], demand["q90"])},
        since=served["first_on"],
    )
)
display(
    reader.frame(
        """
        SELECT member, sum(forecast) AS pieces, avg(weight) AS mean_weight FROM gold.forecast_members
        WHERE shop_id = ? AND series_id = ? GROUP BY member ORDER BY mean_weight DESC
        """,
        [shop, product],
    ).to_pandas()
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## How far off it was
# MAGIC On the newest days, held out: MASE is the error in units of the seasonal-naive rule's, 1 is as good as that.

# COMMAND ----------

errors = reader.frame(
    """
    SELECT member, value, series FROM gold.forecast_metrics
    WHERE shop_id = ? AND demand_class = 'all' AND measure = 'MASE' AND value IS NOT NULL ORDER BY value
    """,
    [shop],
)
if len(errors):
    display(
        figures.bars(
            errors["member"],
            errors["value"],
            f"{errors['member'][0]} has the smallest error over {errors['series'][0]:,} series",
            "mean absolute scaled error",
            marked=[member == "ensemble" for member in errors["member"]],
        )
    )
else:
    print(f"{served['model']} is the baseline: no model has beaten it on this shop yet.")

# COMMAND ----------

# MAGIC %md
# MAGIC ## What to order, from whom, for how much

# COMMAND ----------

orders = reader.frame(
    """
    SELECT coalesce(supplier_id, '(not stated)') AS supplier, count(*) AS products,
           sum(order_quantity)::BIGINT AS pieces, sum(order_value) AS value,
           count_if(order_value IS NULL)::BIGINT AS without_cost
    FROM gold.inventory_plan WHERE shop_id = ? AND order_quantity > 0
    GROUP BY ALL ORDER BY value DESC NULLS LAST, supplier
    """,
    [shop],
)
print(f"{orders['products'].sum():,} products are to be ordered now.")
display(orders.to_pandas())

# COMMAND ----------

alerts = reader.frame(
    "SELECT alert, count(*) AS products FROM gold.inventory_plan WHERE shop_id = ? GROUP BY ALL ORDER BY products DESC",
    [shop],
)
display(
    figures.bars(
        alerts["alert"],
        alerts["products"],
        "What the plan says of each product",
        "products",
        marked=[alert == "order now" for alert in alerts["alert"]],
    )
)
display(
    reader.frame(
        """
        SELECT p.name AS product, i.on_hand, i.on_order, i.lead_time_days, i.lead_time_demand,
               CASE WHEN i.lead_time_demand > 0
                    THEN floor((i.on_hand + i.on_order) / (i.lead_time_demand / i.lead_time_days)) END AS lasts_days,
               i.stockout_risk, i.order_quantity, i.supplier_id, i.order_value
        FROM gold.inventory_plan i LEFT JOIN gold.products p USING (shop_id, product_id)
        WHERE shop_id = ? AND stockout_risk IS NOT NULL ORDER BY stockout_risk DESC, lasts_days, product LIMIT 20
        """,
        [shop],
    ).to_pandas()
)
