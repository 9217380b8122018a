# Databricks notebook source
# MAGIC %md
# MAGIC # Recommendations and their reasons
# MAGIC What each customer is shown, why, and how good that is on purchases that the model had not seen.

# COMMAND ----------

from jobs.notebook import opened
from serving import figures

dbutils.widgets.text("customer", "")  # empty: the one who brought most
reader, shop, currency = opened(dbutils, "gold.recommendations", "gold.cart_suggestions", "gold.products")
(served,) = reader.rows(
    """
    SELECT any_value(model) AS model, any_value(as_of_on) AS as_of_on, count(DISTINCT customer_id) AS customers
    FROM gold.recommendations WHERE shop_id = ?
    """,
    [shop],
)
print(
    f"{served['customers']:,} customers have lists, by {served['model']}, which knows all until {served['as_of_on']}."
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## One customer's lists
# MAGIC What was bought, and what is shown: *ALL* may be anything, *NEW* was never bought by this customer.

# COMMAND ----------

customer = (
    dbutils.widgets.get("customer")
    or reader.rows(
        """
    SELECT customer_id FROM gold.customers JOIN gold.recommendations USING (shop_id, customer_id)
    WHERE shop_id = ? ORDER BY net_revenue DESC NULLS LAST, customer_id LIMIT 1
    """,
        [shop],
    )[0]["customer_id"]
)
bought = reader.frame(
    """
    SELECT coalesce(p.name, i.product_id) AS product, i.orders, i.quantity, i.last_at
    FROM gold.interactions i LEFT JOIN gold.products p USING (shop_id, product_id)
    WHERE i.shop_id = ? AND i.customer_id = ? ORDER BY i.last_at DESC, product LIMIT 10
    """,
    [shop, customer],
)
print(f"Customer {customer} bought last:")
display(bought.to_pandas())
shown = reader.frame(
    """
    SELECT r.task, r.rank, coalesce(p.name, r.product_id) AS product, p.category, r.reason, r.chance
    FROM gold.recommendations r LEFT JOIN gold.products p USING (shop_id, product_id)
    WHERE r.shop_id = ? AND r.customer_id = ? ORDER BY ALL
    """,
    [shop, customer],
)
display(shown.to_pandas())

# COMMAND ----------

# MAGIC %md
# MAGIC ## Which reasons are given
# MAGIC Of the first three places of all lists, with what is particular to one customer left out of the reason.

# COMMAND ----------

reasons = reader.frame(
    """
    SELECT coalesce(nullif(regexp_extract(reason, ?), ''), reason) AS kind, count(*) AS places, min(reason) AS example
    FROM gold.recommendations WHERE shop_id = ? AND rank <= 3 GROUP BY kind ORDER BY places DESC, kind LIMIT 12
    """,
    ["^(you buy this every|you bought this|bought with|similar to|popular in|popular)", shop],
)
display(figures.bars(reasons["kind"], reasons["places"], "Reasons in the first three places of the lists", "places"))
display(reasons.to_pandas())

# COMMAND ----------

# MAGIC %md
# MAGIC ## Is it better than something simple?
# MAGIC NDCG@10 on purchases held out, in full ranking, against plain rules. Where no model beat its baseline, the
# MAGIC baseline serves, and there is nothing to compare.

# COMMAND ----------

quality = reader.frame(
    """
    SELECT task, method, value FROM gold.recommend_metrics
    WHERE shop_id = ? AND measure = 'ndcg' AND value IS NOT NULL ORDER BY task, value DESC
    """,
    [shop],
)
for task in quality["task"].unique(maintain_order=True):
    found = quality.filter(quality["task"] == task)
    display(
        figures.bars(
            found["method"],
            found["value"],
            f"{'Any product' if task == 'ALL' else 'Products new to the customer'}: {found['method'][0]} is best",
            "NDCG@10",
            marked=[method == "hybrid" for method in found["method"]],
        )
    )
if not len(quality):
    print(f"{served['model']} is the baseline: no model has beaten it on this shop yet.")

# COMMAND ----------

# MAGIC %md
# MAGIC ## Who has fewer than ten, and why

# COMMAND ----------

display(
    reader.frame(
        """
        SELECT task, coalesce(reason, 'all ten') AS list, count(*) AS customers
        FROM gold.recommendation_coverage WHERE shop_id = ? GROUP BY ALL ORDER BY task, customers DESC
        """,
        [shop],
    ).to_pandas()
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## What goes into one cart
# MAGIC For the product that most suggestions are known of.

# COMMAND ----------

display(
    reader.frame(
        """
        SELECT coalesce(c.name, s.cart_product_id) AS "in the cart", s.rank, coalesce(p.name, s.product_id) AS suggest,
               s.lift, s.evidence, s.reason
        FROM gold.cart_suggestions s
        LEFT JOIN gold.products p USING (shop_id, product_id)
        LEFT JOIN gold.products c ON c.shop_id = s.shop_id AND c.product_id = s.cart_product_id
        WHERE s.shop_id = ? AND s.cart_product_id = (
            SELECT cart_product_id FROM gold.cart_suggestions WHERE shop_id = s.shop_id
            GROUP BY ALL ORDER BY sum(evidence) DESC, cart_product_id LIMIT 1)
        ORDER BY s.rank
        """,
        [shop],
    ).to_pandas()
)
