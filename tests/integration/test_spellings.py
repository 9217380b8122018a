"""Words of a feed that are configured: read as ours, with what waited for them; a change builds again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.steps import ALL
from lakehouse.errors import UsageError
from lakehouse.run.options import check_spellings, choose
from lakehouse.run.runner import Report, run_steps
from lakehouse.settings import load
from tests.integration.warehouse import balances, done, lake_at, refusals, rows

PAYMENTS = """payment_id,order_id,paid_at,method,amount,currency,status
P1,O1,2024-01-15 10:00:00,Maestro,10.00,EUR,captured
P2,O2,2024-01-15 11:00:00,card,20.00,EUR,Settled
P3,O3,2024-01-15 12:00:00,paypal,30.00,EUR,captured
"""
METHOD, STATUS = "bronze.shop_payments.method", "bronze.shop_payments.status"


def run(spark: SparkSession, folder: Path, spellings: Mapping[str, Mapping[str, str]]) -> Report:
    lake = lake_at(spark, folder / "warehouse")
    lake.settings = replace(lake.settings, spellings=spellings)
    return done(run_steps(lake, choose(ALL, "shop", "silver.payments"), inputs=folder / "in"))


def test_words_that_are_configured_are_read_as_ours(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "in" / "payments" / "payments_2024-01-15.csv"
    file.parent.mkdir(parents=True)
    file.write_text(PAYMENTS)
    run(spark, tmp_path, {})
    warehouse = tmp_path / "warehouse"
    assert [refusal[-1] for refusal in refusals(warehouse, "silver.payments")] == [
        ("method.one_of",),
        ("status.one_of",),
    ]
    words = {METHOD: {"maestro": "card"}, STATUS: {"SETTLED": "captured"}}
    run(spark, tmp_path, words)
    stored = {row["payment_id"]: (row["method"], row["status"]) for row in rows(warehouse, "silver.payments")}
    assert stored == {"P1": ("card", "captured"), "P2": ("card", "captured"), "P3": ("paypal", "captured")}
    assert refusals(warehouse, "silver.payments") == []
    assert run(spark, tmp_path, words).published == []
    run(spark, tmp_path, {METHOD: {"maestro": "wallet"}})
    methods = {row["payment_id"]: row["method"] for row in rows(warehouse, "silver.payments")}
    assert methods == {"P1": "wallet", "P3": "paypal"}
    (waiting,) = refusals(warehouse, "silver.payments")
    assert '"status": "Settled"' in waiting[3], "a refused row is kept as it came"
    assert balances(lake_at(spark, warehouse))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bronze.shop_payments.methods", "there is no bronze.shop_payments.methods; known here: amount, currency"),
        ("bronze.payments.method", "there is no bronze.payments.method; known here: bronze.movielens_ratings"),
        ("bronze.shop_payments.payment_id", "bronze.shop_payments.payment_id is part of a key"),
    ],
)
def test_words_of_what_is_no_column_or_a_key_are_refused(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_spellings(ALL, replace(load("local"), spellings={name: {"a": "b"}}))
