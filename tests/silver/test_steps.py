"""What holds for every step into silver, whatever it builds."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.online_retail.lines import TABLE as ONLINE_RETAIL
from lakehouse.declare.table import LINEAGE_COLUMNS, Step
from silver import STEPS, order_lines

Rows = Callable[..., DataFrame]
ROWWISE = [step for step in STEPS if step.is_rowwise]
AT = "2010-12-01 08:26:00"

SAMPLES: dict[str, list[dict[str, Any]]] = {
    "bronze.online_retail": [
        {"invoice": "1", "stock_code": " 85123a", "quantity": "6", "price": "2.555", "invoice_date": AT},
        {"invoice": "C1", "stock_code": "M", "quantity": "-3", "price": " 0.335 ", "invoice_date": AT},
        {"invoice": "A1", "stock_code": "B", "quantity": "1", "price": "-53594.36", "invoice_date": AT},
        {"invoice": "2", "stock_code": "D", "quantity": "two", "price": "1", "invoice_date": AT},
        {"invoice": "2", "stock_code": "D", "quantity": "2", "price": None, "invoice_date": AT},
    ],
    "bronze.shop_order_lines": [
        {"quantity": "3", "unit_price": "19.9955", "discount": "1.50"},
        {"quantity": "3", "unit_price": "19.99", "discount": " "},
        {"quantity": "2147483647", "unit_price": "99999999999999.9999", "discount": "0"},
        {"quantity": "1", "unit_price": "n/a", "discount": "1.50"},
        {"quantity": "1", "unit_price": "1", "discount": "a lot"},
    ],
    "bronze.shop_orders": [{"order_total": " 99.95"}, {"order_total": "n/a"}, {"order_total": None}],
    "bronze.shop_payments": [{"amount": "-9.95"}, {"amount": "see invoice"}, {"amount": "1e400"}],
    "bronze.shop_marketing_spend": [{"spend": "120.50"}, {"spend": ""}],
    "bronze.shop_products": [{"product_id": " P1 "}, {"product_id": ""}],
    "bronze.shop_customers": [{"customer_id": "C1"}, {"customer_id": None}],
    "bronze.walmart_sales": [
        {"store": "1", "dept": " 2", "date": "2010-02-05", "weekly_sales": "24924.505"},
        {"store": "1", "dept": "3", "date": "2010-02-05", "weekly_sales": "-5.10"},
        {"store": "1", "dept": "4", "date": "2010-02-05", "weekly_sales": "NA"},
    ],
    "bronze.stallion": [{"agency": "Agency_22", "sku": "SKU_01", "date": "2013-01-01", "volume": "52.272"}],
    "bronze.movielens_ratings": [{"user_id": "1", "item_id": "2", "rating": "3", "timestamp": "881250949"}],
    "silver.order_lines": [{"shop_id": "online_retail", "order_id": "1", "customer_id": "17850"}],
}


def by_name(steps: list[Step]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("step", steps, ids=[step.name for step in steps])


def driven(step: Step, rows: Rows) -> DataFrame:
    """The step's input: its samples, and each row as it came, as the road carries it."""
    table = step.reads[0].table
    delivered = rows(table, *SAMPLES.get(table.name, []))
    return delivered.withColumn("_raw", F.struct(*delivered.columns))


def built_of(step: Step, rows: Rows) -> DataFrame:
    others = {read.table.short_name: rows(read.table) for read in step.reads[1:]}
    return step.build(**{step.reads[0].table.short_name: driven(step, rows)}, **others)


@by_name(list(STEPS))
def test_a_build_takes_the_tables_that_its_step_reads_and_nothing_else(step: Step) -> None:
    assert list(inspect.signature(step.build).parameters) == [read.table.short_name for read in step.reads]


@by_name(list(STEPS))
def test_a_build_gives_every_column_in_its_declared_type(rows: Rows, step: Step) -> None:
    built = {field.name: field.dataType for field in built_of(step, rows).schema}
    declared = {field.name: step.table.schema[field.name].dataType for field in step.table.fields}
    assert {name: built.get(name) for name in declared} == declared


@by_name(ROWWISE)
def test_a_build_keeps_where_each_row_came_from(rows: Rows, step: Step) -> None:
    assert {*LINEAGE_COLUMNS, "_raw"} <= set(built_of(step, rows).columns)


@by_name([step for step in ROWWISE if step.reads[0].table.name in SAMPLES])
def test_a_rowwise_build_gives_a_row_for_each_row_read(rows: Rows, step: Step) -> None:
    assert built_of(step, rows).count() == len(SAMPLES[step.reads[0].table.name])


@by_name([step for step in STEPS if step.amount and step.is_rowwise])
def test_the_amount_that_the_accounts_read_is_the_amount_that_is_built(rows: Rows, step: Step) -> None:
    assert step.table.amount is not None
    assert step.amount is not None
    # A row that cannot be read has no amount, and is refused with the money that was read.
    built = built_of(step, rows).select("_source_row", step.table.amount).dropna()
    read = driven(step, rows).select("_source_row", F.expr(step.amount))
    pairs = built.join(read, "_source_row").drop("_source_row")
    told = [tuple(pair) for pair in pairs.collect()]
    assert all(of_build == of_accounts for of_build, of_accounts in told)
    assert any(of_accounts for _, of_accounts in told)


@by_name([step for step in STEPS if step.recompute])
def test_groups_name_the_columns_that_are_computed_again(step: Step) -> None:
    assert all(read.joins or set(read.groups or ()) == set(step.recompute or ()) for read in step.reads)


@by_name([step for step in ROWWISE if step.recompute])
def test_a_row_belongs_to_the_group_that_it_is_found_by(rows: Rows, step: Step) -> None:
    groups = {f"group_{name}": F.expr(sql) for name, sql in (step.reads[0].groups or {}).items()}
    found = driven(step, rows).select("_source_row", *(value.alias(name) for name, value in groups.items()))
    agrees = [F.col(name).eqNullSafe(F.col(name.removeprefix("group_"))) for name in groups]
    assert all(all(row) for row in built_of(step, rows).join(found, "_source_row").select(*agrees).collect())


def test_lines_of_test_products_are_left_out_under_a_name(rows: Rows) -> None:
    lines = rows(ONLINE_RETAIL, {"stock_code": "test001 "}, {"stock_code": "TEST002"}, {"stock_code": "PADS"})
    (left_out,) = next(
        step for step in STEPS if step.table is order_lines.TABLE and step.source == "online_retail"
    ).filters
    assert left_out.reason == "test_product"
    assert lines.where(left_out.drops).count() == 2


def test_what_is_referred_to_is_built_before_what_refers_to_it() -> None:
    position = {step.table.name: n for n, step in enumerate(STEPS)}
    for n, step in enumerate(STEPS):
        needed = [r.reference for r in step.table.row_rules if r.reference is not None]
        needed += [read.table for read in step.reads if read.table.layer == "silver"]
        assert all(position[table.name] < n for table in needed)
