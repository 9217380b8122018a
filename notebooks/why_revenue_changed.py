# Databricks notebook source
# MAGIC %md
# MAGIC # Why revenue changed
# MAGIC `gold.revenue_drivers` tells the change of a month's net revenue apart in several ways, each of which adds up to
# MAGIC it to the cent: by cause, by new and returning customers, by product, country and channel.

# COMMAND ----------

from jobs.notebook import opened
from serving import figures

dbutils.widgets.text("month", "")  # such as 2011-11-01; empty: the newest whole month
reader, shop, currency = opened(dbutils, "gold.revenue_drivers", "gold.products")
compared = reader.rows(
    """
    SELECT month, basis, compared_month, through_on, compared_through_on, any_value(change) AS change,
           sum(revenue) AS revenue, sum(compared_revenue) AS before
    FROM gold.revenue_drivers
    WHERE shop_id = ? AND currency = ? AND dimension = 'customers'
      AND (month::VARCHAR = ? OR ? = '' AND through_on = last_day(month))
    GROUP BY ALL ORDER BY month DESC, basis LIMIT 2
    """,
    [shop, currency, *[dbutils.widgets.get("month")] * 2],
)
compared = [row for row in compared if row["month"] == compared[0]["month"]]
for row in compared:
    print(
        f"{row['month']:%B %Y}: {row['revenue']:,.2f} {currency}, {row['change']:+,.2f} on the {row['basis']} "
        f"({row['compared_month']:%B %Y}: {row['before']:,.2f})"
    )
if not compared:
    print("There is no whole month with one before it yet.")


def drivers(row, dimension):
    """The parts of a comparison, the largest first."""
    return reader.frame(
        """
        SELECT coalesce(p.name, driver) AS driver, effect, revenue, compared_revenue
        FROM gold.revenue_drivers d
        LEFT JOIN gold.products p ON p.shop_id = d.shop_id AND p.product_id = d.driver AND d.dimension = 'product'
        WHERE d.shop_id = ? AND d.currency = ? AND month = ? AND basis = ? AND dimension = ?
        ORDER BY abs(effect) DESC, driver
        """,
        [shop, currency, row["month"], row["basis"], dimension],
    )


# COMMAND ----------

# MAGIC %md
# MAGIC ## By cause
# MAGIC *Price*: what the pieces of this month cost more than then. *Volume*: what the change of all pieces would have
# MAGIC brought at the prices and in the shares of then. *Mix*: that dearer or cheaper products took a larger share.
# MAGIC Products sold in one of the months alone, and what was cancelled or came back, stand for themselves.

# COMMAND ----------

for row in compared:
    causes = drivers(row, "cause")
    names = [name.replace(" and ", "\nand ").replace("no longer", "no\nlonger") for name in causes["driver"]]
    display(
        figures.waterfall(
            names,
            causes["effect"],
            float(row["before"]),
            f"From {row['compared_month']:%B %Y} to {row['month']:%B %Y}: mostly {causes['driver'][0]}",
            currency,
            (f"{row['compared_month']:%b %Y}", f"{row['month']:%b %Y}"),
        )
    )
    assert causes["effect"].sum() == row["change"], "the effects must add up to the change"

# COMMAND ----------

# MAGIC %md
# MAGIC ## By customers, product, country and channel

# COMMAND ----------

for row in compared:
    for dimension in ("customers", "product", "country", "channel"):
        found = drivers(row, dimension).head(12)
        if len(found) > 1:
            display(
                figures.bars(
                    found["driver"],
                    found["effect"],
                    f"{dimension.capitalize()}: what each adds to the change on the {row['basis']}",
                    f"effect on net revenue, {currency}",
                    marked=[effect < 0 for effect in found["effect"]],
                )
            )
