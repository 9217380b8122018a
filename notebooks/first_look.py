# Databricks notebook source
# MAGIC %md
# MAGIC # A first look at a shop
# MAGIC What did we sell, when, what of it and where to? Everything is read from one release of gold, so the numbers add
# MAGIC up with each other.

# COMMAND ----------

from gold import kpis
from jobs.notebook import opened
from serving import figures

reader, shop, currency = opened(dbutils, "gold.sales_by_order", "gold.products")
print(f"{shop}, in {currency}. Tables as they stood together on {reader.release.at:%Y-%m-%d %H:%M} UTC.")

# COMMAND ----------

# MAGIC %md
# MAGIC ## The figures by month
# MAGIC Each KPI has one definition, in `gold/kpis.py`. The first and the last month may be incomplete.

# COMMAND ----------

SHOWN = ("net_revenue", "orders", "average_order_value", "customers", "new_customers", "repeat_rate", "conversion_rate")
chosen = [kpis.named(name) for name in SHOWN]
months = reader.frame(
    f"""
    PIVOT (SELECT kpi, period_on AS month, value FROM ({kpis.all_by_period("month", shop, chosen)})
           WHERE currency IS NULL OR currency = '{currency}')
    ON kpi IN {SHOWN} USING first(value) GROUP BY month ORDER BY month DESC LIMIT 13
    """
)
display(months.to_pandas())

# COMMAND ----------

days = reader.frame(
    f"""
    SELECT period_on AS day, value, avg(value) OVER (ORDER BY period_on RANGE BETWEEN INTERVAL 6 DAYS PRECEDING
        AND CURRENT ROW) AS week
    FROM ({kpis.by_period(kpis.named("net_revenue"), "day", shop)}) WHERE currency = ? ORDER BY day
    """,
    [currency],
)
display(
    figures.over_time(
        days["day"],
        {"mean of seven days": days["week"], "day": days["value"]},
        f"Net revenue by day, from {days['day'].min()} to {days['day'].max()}",
        currency,
    )
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## When people buy
# MAGIC Mean net revenue of a day of the week, days without a sale left out.

# COMMAND ----------

week = reader.frame(
    f"""
    SELECT dayname(period_on) AS weekday, avg(value) AS mean, count(*) AS days
    FROM ({kpis.by_period(kpis.named("net_revenue"), "day", shop)}) WHERE currency = ?
    GROUP BY weekday, isodow(period_on) ORDER BY isodow(period_on)
    """,
    [currency],
)
best = week.sort("mean")["weekday"][-1]
display(
    figures.bars(
        week["weekday"],
        week["mean"],
        f"{best} is the best day of the week",
        f"mean net revenue of a day, {currency}",
        marked=[day == best for day in week["weekday"]],
    )
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## What they buy, and where to
# MAGIC Products of the last three calendar months, countries of the last 90 days.

# COMMAND ----------

products = reader.frame(
    """
    SELECT coalesce(p.name, s.product_id) AS product, any_value(p.category) AS category, sum(s.net_revenue) AS revenue,
           sum(s.units + s.cancelled_units)::BIGINT AS units
    FROM gold.sales_by_product s LEFT JOIN gold.products p USING (shop_id, product_id)
    WHERE s.shop_id = ? AND s.currency = ?
      AND s.sold_month > (
          SELECT max(sold_month) FROM gold.sales_by_product WHERE shop_id = s.shop_id) - INTERVAL 3 MONTHS
    GROUP BY ALL ORDER BY revenue DESC, product LIMIT 12
    """,
    [shop, currency],
)
display(
    figures.bars(
        products["product"],
        products["revenue"],
        "The best products of the last three months",
        f"net revenue, {currency}",
    )
)
display(products.to_pandas())

# COMMAND ----------

countries = reader.frame(
    """
    SELECT country, sum(net_revenue) AS revenue, sum(orders) AS orders
    FROM gold.sales_by_country s
    WHERE shop_id = ? AND currency = ?
      AND sold_on > (SELECT max(sold_on) FROM gold.sales_by_country WHERE shop_id = s.shop_id) - INTERVAL 90 DAYS
    GROUP BY ALL ORDER BY revenue DESC, country LIMIT 12
    """,
    [shop, currency],
)
part = float(countries["revenue"][0]) / float(countries["revenue"].sum())
display(
    figures.bars(
        countries["country"],
        countries["revenue"],
        f"{countries['country'][0]} brings {part:.0%} of what these countries bring in 90 days",
        f"net revenue, {currency}",
    )
)
