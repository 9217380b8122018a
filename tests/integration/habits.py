"""Sales to customers of three habits, without the road there: enough for a model of segments."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.customers import customers
from lakehouse.declare.table import Table
from lakehouse.store.lake import Lake
from silver import order_lines, orders
from tests.integration.warehouse import put

FIRST, DAYS = date(2024, 1, 1), 200


def lines_of(shop: str, customers: int, seed: int = 0) -> pd.DataFrame:
    """Sales to customers of three habits: every week, every month, and one who stopped."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(customers):
        gap, until, price = ((7, DAYS, 80), (30, DAYS, 30), (20, 60, 20))[number % 3]
        day = int(rng.integers(0, 30))
        while day < until:
            found.append((f"c{number:03}", FIRST + timedelta(day), round(float(price * rng.lognormal(0, 0.3)), 2)))
            day += max(1, int(gap * rng.lognormal(0, 0.3)))
    lines = pd.DataFrame(found, columns=["customer_id", "sold_on", "amount"])
    return lines.assign(shop_id=shop, order_id=[f"o{n}" for n in range(len(lines))], product_id="P1")


def publish(lake: Lake, lines: pd.DataFrame) -> None:
    """Order lines, their orders, and customers who agreed to mail, as if the road had brought them."""
    spark = lake.spark
    given = spark.createDataFrame(pa.Table.from_pandas(lines, preserve_index=False))
    said = {"item_type": "product", "line_type": "sale", "currency": "EUR", "country_code": "FR", "status": "delivered"}
    given = given.withColumns({name: F.lit(value) for name, value in said.items()} | {"quantity": F.lit(1)})
    for table in (order_lines.TABLE, orders.TABLE):
        put(lake, table, _all_columns(given, table))
    accounts = given.select("shop_id", "customer_id", F.lit(True).alias("marketing_consent")).distinct()
    put(lake, customers.TABLE, _all_columns(accounts, customers.TABLE))


def _all_columns(given: DataFrame, table: Table) -> DataFrame:
    columns = [
        (F.col(n) if n in given.columns else F.lit(None)).cast(k).alias(n) for n, (k, _) in table.all_columns.items()
    ]
    return given.select(columns)
