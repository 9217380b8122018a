# Databricks notebook source
# MAGIC %md
# MAGIC # A first look at a shop
# MAGIC What did we sell, when, what of it and where to? Everything is read from one release of gold, so that the numbers
# MAGIC add up with each other.

# COMMAND ----------

from gold import kpis
from jobs.notebook import opened

reader, shop, currency = opened(dbutils)
mine = [shop, currency]
print(f"{shop}, in {currency}; tables as they stood together on {reader.release.at:%Y-%m-%d %H:%M} UTC")

# COMMAND ----------

# MAGIC %md
# MAGIC ## The figures by month
# MAGIC Each KPI has one definition, in `gold/kpis.py`. The first and the last month may be incomplete.

# COMMAND ----------

months = reader.frame(
    f"PIVOT ({kpis.all_by_period('month', shop)}) ON kpi USING first(value) GROUP BY period_on ORDER BY period_on DESC"
)
print(months)
