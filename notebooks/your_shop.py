# Databricks notebook source
# MAGIC %md
# MAGIC # Your own shop in ten minutes
# MAGIC One file of order lines, as most shop systems export it, becomes tables that you can trust: typed, checked, with
# MAGIC an account of every row and every penny. Name your file in the parameter `export` and say below how its columns
# MAGIC are called; without one, a small export is made up. `warehouse` must be a folder of its own: what is read there
# MAGIC stays.

# COMMAND ----------

from pathlib import Path
from tempfile import mkdtemp

import polars as pl

from jobs import run
from jobs.notebook import opened
from serving import figures
from synthetic.base import Options
from synthetic.shop import make_shop

dbutils.widgets.text("export", "")
dbutils.widgets.text("warehouse", "")
warehouse = Path(dbutils.widgets.get("warehouse"))
if {path.name.removesuffix("__quarantine") for path in warehouse.glob("bronze/*")} - {
    "shop_order_lines",
    "shop_products",
}:
    raise ValueError(f"{warehouse} holds another shop already: name a folder of its own as `warehouse`")

COLUMNS = {  # ours: yours; what you do not have is None
    "order_id": "order_id",
    "ordered_at": "ordered_at",
    "product_id": "product_id",
    "name": None,
    "quantity": "quantity",
    "unit_price": "unit_price",
    "discount": "discount",
    "currency": "currency",
    "customer_id": "customer_id",
    "country": "country",
}
CURRENCY = "EUR"  # of all amounts, where your file does not say

# COMMAND ----------

# MAGIC %md
# MAGIC ## 1. Your file
# MAGIC Everything is read as text: what a value means is decided further on, and counted there.

# COMMAND ----------

export = Path(dbutils.widgets.get("export"))
if not dbutils.widgets.get("export"):
    made_up = Path(mkdtemp())
    make_shop(Options(made_up, days=20, customers=100, products=30, orders_per_day=10))
    export = made_up / "export.csv"
    as_it_is = {"infer_schema": False, "quote_char": None, "truncate_ragged_lines": True, "encoding": "utf8-lossy"}
    delivered = [pl.read_csv(file, **as_it_is) for file in sorted(made_up.glob("order_lines/*.csv"))]
    pl.concat(delivered, how="diagonal").select(filter(None, COLUMNS.values())).write_csv(export)
lines = pl.read_csv(export, infer_schema=False)
missing = [yours for yours in COLUMNS.values() if yours and yours not in lines.columns]
if missing:
    raise ValueError(f"{export} has no columns {missing}; it has {lines.columns}: say in COLUMNS what they are called")
print(f"{export.name}: {len(lines):,} lines")
display(lines.head(5).to_pandas())

# COMMAND ----------

# MAGIC %md
# MAGIC ## 2. Your columns become a delivery
# MAGIC Two feeds of the source `shop`: order lines, numbered within their orders, and the products that they name.
# MAGIC Orders, stock, clicks and the rest can follow later, in folders beside these.

# COMMAND ----------

ours = lines.select(
    (pl.col(yours) if yours else pl.lit(None, pl.String)).alias(name) for name, yours in COLUMNS.items()
).with_columns(
    pl.col("currency").fill_null(CURRENCY),
    (pl.int_range(pl.len()).over("order_id") + 1).cast(pl.String).alias("line_no"),
    pl.lit(None, pl.String).alias("promotion_id"),
)
listing = ("description", "category", "subcategory", "brand", "color", "material", "list_price", "unit_cost")
products = (
    ours.filter(pl.col("product_id").is_not_null())
    .group_by("product_id")
    .agg(pl.col("name").drop_nulls().first())
    .with_columns(
        pl.col("name").fill_null(pl.col("product_id")),
        pl.lit("2000-01-01 00:00:00").alias("updated_at"),  # before any sale
        pl.lit("true").alias("is_active"),
        *(pl.lit(None, pl.String).alias(name) for name in (*listing, "supplier_id", "listed_on")),
    )
    .sort("product_id")
)

inputs = Path(mkdtemp())
for folder in ("order_lines", "products"):
    (inputs / folder).mkdir()
ours.drop("name").write_csv(inputs / "order_lines" / "order_lines_export.csv")
products.write_ndjson(inputs / "products" / "products_export.json")
print(f"{ours['order_id'].n_unique():,} orders of {len(products):,} products")

# COMMAND ----------

# MAGIC %md
# MAGIC ## 3. To gold
# MAGIC The same as `shoplake run --source shop --input FOLDER --warehouse DIR`. Run it again: what is known is not read
# MAGIC again.

# COMMAND ----------

code = run.main(["--source", "shop", "--input", str(inputs), "--warehouse", str(warehouse)])
print(
    {0: "Done.", 3: "A gate blocked a batch: see above why.", 4: "The accounts do not balance."}.get(code, "See above.")
)

# COMMAND ----------

# MAGIC %md
# MAGIC ## 4. Is every line somewhere?

# COMMAND ----------

reader, shop, currency = opened(dbutils)
account = reader.rows(
    """
    SELECT sum(rows_read)::BIGINT AS read, sum(rows_accepted)::BIGINT AS accepted,
           sum(rows_quarantined)::BIGINT AS quarantined, sum(rows_duplicate)::BIGINT AS duplicate,
           sum(amount_accepted) AS amount
    FROM ops.row_ledger WHERE "table" = 'silver.order_lines'
    """
)[0]
print(
    f"{account['read']:,} lines read = {account['accepted']:,} accepted + {account['quarantined']:,} in quarantine + "
    f"{account['duplicate']:,} duplicates; {account['amount']:,.2f} accepted."
)
print(f"Why lines were refused: shoplake quarantine show silver.order_lines --warehouse {warehouse}")

# COMMAND ----------

# MAGIC %md
# MAGIC ## 5. The first figures
# MAGIC Compare the sum with the number that you know. The other notebooks read this warehouse too.

# COMMAND ----------

days = reader.frame(
    """
    SELECT sold_on, net_revenue, orders FROM gold.sales_daily WHERE shop_id = ? AND currency = ? ORDER BY sold_on
    """,
    [shop, currency],
)
total = days["net_revenue"].sum()
title = f"{total:,.2f} {currency} from {days['sold_on'].min()} to {days['sold_on'].max()}"
display(figures.over_time(days["sold_on"], {"net revenue": days["net_revenue"]}, title, currency))
best = reader.frame(
    """
    SELECT p.name AS product, sum(s.net_revenue) AS net_revenue FROM gold.sales_by_product s
    JOIN gold.products p USING (shop_id, product_id)
    WHERE s.shop_id = ? AND s.currency = ? GROUP BY ALL ORDER BY net_revenue DESC, product LIMIT 10
    """,
    [shop, currency],
)
display(figures.bars(best["product"], best["net_revenue"], "The best products", f"net revenue, {currency}"))
