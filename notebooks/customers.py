# Databricks notebook source
# MAGIC %md
# MAGIC # Customers and segments
# MAGIC Who buys, who comes back, who drifts away, and whom to write to. No personal data is read here: a customer is an
# MAGIC id.

# COMMAND ----------

from gold import kpis
from jobs.notebook import opened
from serving import figures

reader, shop, currency = opened(dbutils, "gold.customers", "gold.customer_segments", "gold.mail_targets")
mine = [shop, currency]
months = reader.frame(
    f"""
    PIVOT (SELECT kpi, period_on AS month, value FROM ({
        kpis.all_by_period("month", shop, [kpis.named(name) for name in ("customers", "new_customers", "repeat_rate")])
    }) WHERE currency = '{currency}')
    ON kpi USING first(value) GROUP BY month ORDER BY month DESC LIMIT 13
    """
)
display(months.to_pandas())

# COMMAND ----------

# MAGIC %md
# MAGIC ## Segments
# MAGIC A segment is made of customers who are alike in how recently, how often and for how much they bought, and in
# MAGIC what is expected of them. `model` names what decided: a version, or the plain baseline, RFM quintiles, where no
# MAGIC model beat it.

# COMMAND ----------

profiles = reader.frame(
    """
    SELECT segment, customers, customer_share, net_revenue, mean_recency_days, mean_frequency, mean_monetary, model
    FROM gold.segment_profiles WHERE shop_id = ? AND currency = ? ORDER BY net_revenue DESC
    """,
    mine,
)
display(profiles.to_pandas())
total = float(profiles["net_revenue"].sum())
shares = {
    "share of customers": [100 * share for share in profiles["customer_share"]],
    "share of net revenue": [100 * float(revenue) / total for revenue in profiles["net_revenue"]],
}
best = profiles["segment"][0]
display(
    figures.beside(
        profiles["segment"],
        shares,
        f"{best}: {shares['share of customers'][0]:.0f} % of the customers, "
        f"{shares['share of net revenue'][0]:.0f} % of the net revenue",
        "%",
    )
)

# COMMAND ----------

points = reader.frame(
    """
    SELECT segment, recency_days + 1 AS age, greatest(monetary, 1) AS revenue
    FROM gold.customer_segments s JOIN gold.customer_rfm r USING (shop_id, customer_id)
    WHERE s.shop_id = ? AND r.currency = ? AND r.frequency > 0 AND r.monetary > 0
    ORDER BY hash(customer_id) LIMIT 3000
    """,
    mine,
)
groups = {
    name: (found["age"], found["revenue"])
    for name in profiles["segment"]
    if len(found := points.filter(points["segment"] == name))
}
display(
    figures.scatter(
        groups, "Recent and valuable is top left", "days since the last order + 1", f"net revenue, {currency}", log=True
    )
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Who comes back
# MAGIC Of the customers won in a month, the share that ordered again in the months after. The newest month still runs.

# COMMAND ----------

cohorts = reader.frame(
    """
    SELECT cohort_month, months_since, retention, customers FROM gold.cohort_retention
    WHERE shop_id = ? AND currency = ? AND customers > 0 AND months_since BETWEEN 1 AND 12 ORDER BY ALL
    """,
    mine,
)
if len(cohorts):
    grid = cohorts.pivot("months_since", index=["cohort_month", "customers"], values="retention").sort("cohort_month")
    display(
        figures.heat(
            [f"{month:%Y-%m} ({customers:,})" for month, customers in grid.select("cohort_month", "customers").rows()],
            grid.columns[2:],
            grid[:, 2:].to_numpy(),
            "Share of a month's new customers (how many) that ordered again",
            "months after the first order",
        )
    )

# COMMAND ----------

# MAGIC %md
# MAGIC ## Who changed the segment within a month

# COMMAND ----------

display(
    reader.frame(
        """
        SELECT direction, coalesce(from_segment, '(new)') AS "from", to_segment AS "to", count(*) AS customers
        FROM gold.segment_moves WHERE shop_id = ? GROUP BY ALL ORDER BY customers DESC, "from", "to" LIMIT 20
        """,
        [shop],
    ).to_pandas()
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Whom to write to
# MAGIC Only customers whose account says now that marketing is agreed to, with the reason to write.

# COMMAND ----------

targets = reader.frame(
    """
    SELECT reason, count(*) AS customers, sum(net_revenue) AS net_revenue, avg(recency_days) AS mean_recency_days
    FROM gold.mail_targets WHERE shop_id = ? GROUP BY reason ORDER BY customers DESC
    """,
    [shop],
)
print(f"{targets['customers'].sum():,} customers agreed to marketing.")
display(targets.to_pandas())
