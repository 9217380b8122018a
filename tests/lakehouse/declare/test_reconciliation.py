"""Reconciliations on a real shop: the lines of Olist's orders with their freight, and what was paid for them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.declare.reconciliation import DIFFERS, LEFT_MISSING, Facts, Reconciliation, findings, findings_table
from lakehouse.declare.table import MONEY, Field, Table

OLIST = Path(__file__).resolve().parents[4] / "shared" / "data" / "olist_sample"
KEY = (Field("shop_id", "string", "shop"), Field("order_id", "string", "order"))


def table(name: str, *amounts: str) -> Table:
    return Table(name, name, ("order_id",), (*KEY, *(Field(each, MONEY, each) for each in amounts)), "a row is a row.")


ITEMS = table("silver.items", "price", "freight_value")
PAYMENTS = table("silver.payments", "payment_value")
PAID = Reconciliation(
    "paid",
    "what was paid is what the items and their freight come to",
    left=(ITEMS, "billed"),
    right=(PAYMENTS, "paid"),
    tolerance="0.01",
)
FACTS = (
    Facts(ITEMS, {"billed": "sum(price + freight_value)"}),
    Facts(PAYMENTS, {"paid": "sum(payment_value)"}),
)


@pytest.mark.real_data
@pytest.mark.skipif(not OLIST.is_dir(), reason=f"the sample of Olist is not at {OLIST}")
def test_items_and_payments_of_a_real_shop(spark: SparkSession) -> None:
    """Counted apart: 772 orders were paid and have no item, 26 differ by more than a cent."""
    files = {ITEMS: "order_items_dataset.csv.gz", PAYMENTS: "order_payments_dataset.csv"}
    frames = {
        each.short_name: spark.read.csv(str(OLIST / f"olist_{file}"), header=True)
        .withColumn("shop_id", F.lit("olist"))
        .select(*(F.col(f.name).cast(f.type).alias(f.name) for f in each.fields))
        for each, file in files.items()
    }
    found = findings((PAID,), FACTS, findings_table(KEY, ("shop_id",), (PAID,)), frames).collect()
    assert Counter(row["kind"] for row in found) == {LEFT_MISSING: 772, DIFFERS: 26}
    differing = {row["order_id"]: row["difference"] for row in found if row["kind"] == DIFFERS}
    assert f"{min(differing.values()):f}" == "-111.890", "interest on instalments"
