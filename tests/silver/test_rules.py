"""A rule that has never been seen to catch anything is not a rule: each has a row here that breaks it."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import BooleanType, DateType, DoubleType, StringType, StructField, StructType

from lakehouse.declare.rules import Rule, known_marker
from lakehouse.declare.table import Table
from lakehouse.promotion.gate import measure, rows_in
from silver import STEPS
from tests.integration.warehouse import as_files

TABLES = {step.table.name: step.table for step in STEPS}
AT = datetime(2024, 3, 1, tzinfo=UTC)
EARLIER, LATER = AT.replace(month=2), AT.replace(month=4)
ON, DAY_BEFORE = AT.date(), date(2024, 2, 29)

BREAKS: dict[str, dict[str, Any]] = {
    "country.known": {"country": "Atlantis", "country_code": "ZZ"},
    "country_code.matches": {"country_code": "Spain"},
    "currency.matches": {"currency": "£"},
    "email.matches": {"email": "anna(at)example.com"},
    "list_price.between": {"list_price": Decimal(-1)},
    "unit_cost.between": {"unit_cost": Decimal(-1)},
    "sold_on.between": {"sold_on": date(1969, 12, 31)},
    "quantity.between": {"quantity": -2_000_000},
    "quantity.sign": {"quantity": 1, "line_type": "cancellation"},
    "unit_price.between": {"unit_price": Decimal(10**8)},
    "unit_price.sign": {"unit_price": Decimal(-1), "line_type": "sale"},
    "discount.within": {"discount": Decimal(5), "quantity": 1, "unit_price": Decimal(4), "line_type": "sale"},
    "discount.sign": {"discount": Decimal(1), "quantity": -1},
    "item_type.one_of": {"item_type": "gift"},
    "line_type.one_of": {"line_type": "gift"},
    "product_id.known": {known_marker("product_id"): False},
    "status.one_of": {"status": "teleported"},
    "promised_on.not_before_ordered_on": {"promised_on": DAY_BEFORE, "ordered_on": ON},
    "shipped_at.not_before_ordered_at": {"shipped_at": EARLIER, "ordered_at": AT},
    "delivered_at.not_before_shipped_at": {"delivered_at": AT, "shipped_at": LATER},
    "order_amount.adds_up": {
        "order_amount": Decimal(2),
        "items_amount": Decimal(1),
        "discount_amount": Decimal(0),
        "shipping_fee": Decimal(0),
    },
    "method.one_of": {"method": "barter"},
    "amount.sign": {"amount": Decimal(1), "status": "refunded"},
    "rating.between": {"rating": 9},
    "event_type.one_of": {"event_type": "stare"},
    "on_hand.between": {"on_hand": -5},
    "on_order.between": {"on_order": -1},
    "lead_time_days.between": {"lead_time_days": -1},
    "frequency.one_of": {"frequency": "D"},
    "discount_pct.between": {"discount_pct": Decimal(150)},
    "ends_on.not_before_starts_on": {"ends_on": DAY_BEFORE, "starts_on": ON},
    "spend.between": {"spend": Decimal(-1)},
    "impressions.between": {"impressions": -1},
    "clicks.between": {"clicks": -1},
    "variant.one_of": {"variant": "purple"},
    "day.between": {"day": 32},
    "iso_week.between": {"iso_week": 54},
    "month.between": {"month": 13},
    "quarter.between": {"quarter": 5},
    "weekday.between": {"weekday": 0},
    "reconciliation.one_of": {"reconciliation": "of nobody"},
    "kind.one_of": {"kind": "agrees"},
    "difference.beyond": {"difference": Decimal("0.01"), "tolerance": Decimal("0.01")},
}


def failing_row(rule: Rule, table: Table) -> dict[str, Any]:
    """A row, empty but for what breaks the rule."""
    column, kind = rule.name.split(".", 1)
    if kind == "not_null":
        return {}
    if kind == "type":
        return {"_untyped": f",{column},"}
    if kind == "not_after_delivery":
        return {column: ON if table.schema[column].dataType == DateType() else AT, "_ingested_at": EARLIER}
    is_float = {field.name for field in table.schema if field.dataType == DoubleType()}
    return {name: float(value) if name in is_float else value for name, value in BREAKS[rule.name].items()}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_rule_catches_a_failing_row_and_lets_an_empty_one_pass(
    spark: SparkSession, table: Table, tmp_path: Path
) -> None:
    rules = table.row_rules
    markers = [StructField(known_marker(r.columns[0]), BooleanType()) for r in rules if r.reference is not None]
    schema = StructType([*table.schema.fields, StructField("_untyped", StringType()), *markers])
    given: list[dict[str, Any]] = [*(failing_row(rule, table) for rule in rules), {}]
    staged = spark.createDataFrame([tuple(row.get(name) for name in schema.names) for row in given], schema)
    verdicts = staged.select(*(rule.breaks().alias(f"r{n}") for n, rule in enumerate(rules))).coalesce(1).collect()
    caught = {rule.name for n, rule in enumerate(rules) if verdicts[n][n]}
    assert caught == {rule.name for rule in rules}
    passes_empty = {rule.name for n, rule in enumerate(rules) if not verdicts[-1][n]}
    assert passes_empty == {rule.name for rule in rules if not rule.name.endswith(".not_null")}
    with rows_in(as_files(staged, tmp_path)) as files:
        by_gate = measure(files, rules)
    assert by_gate == {rule.name: sum(row[n] for row in verdicts) for n, rule in enumerate(rules)}


def test_no_failing_row_is_kept_for_a_rule_that_is_gone() -> None:
    assert set(BREAKS) <= {rule.name for table in TABLES.values() for rule in table.row_rules}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_table_has_rules_and_what_comes_by_files_is_watched_by_day(table: Table) -> None:
    assert table.row_rules
    assert table.row_law.endswith(".")
    assert (table.day is not None) == table.has_lineage
    if table.has_lineage:
        assert table.currency == next((f.name for f in table.fields if f.name == "currency"), None)
