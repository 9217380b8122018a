"""Spark, which splits a batch, and DuckDB, which counts for the gate, must read every rule alike."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DateType, DecimalType, NumericType, StringType, StructField, TimestampType

from jobs.steps import ALL
from lakehouse.declare.rules import Rule
from lakehouse.declare.table import Field, Table
from lakehouse.errors import UsageError
from lakehouse.promotion.gate import expectations_of, measure, rows_in
from lakehouse.promotion.stage import stage_rows
from silver import STEPS
from silver.countries import UNKNOWN_CODE
from tests.integration.conftest import Promoted
from tests.integration.warehouse import as_files

SHOP = [step for step in STEPS if step.source in (None, "shop")]


def counts_of_split(rules: tuple[Rule, ...], rows: DataFrame) -> dict[str, int]:
    counted = rows.agg(*(F.count_if(rule.breaks()).alias(rule.name) for rule in rules)).first()
    return counted.asDict() if counted else {}


def counts_of_gate(rules: tuple[Rule, ...], rows: DataFrame, folder: Path) -> dict[str, float]:
    """Rows that break each rule, as the gate's own engine counts them."""
    with rows_in(as_files(rows, folder)) as staged:
        return measure(staged, rules)


def spoilt(rows: DataFrame) -> DataFrame:
    """For every column a row without its value, one with a strange value, and one that could not be typed."""
    (sound,) = rows.limit(1).collect()
    found = []
    for column in rows.schema.fields:
        if column.name in ("_errors", "_row", "_unread"):
            continue
        found += [sound.asDict() | {column.name: value} for value in (None, strange(column), _large(column))]
        found.append(sound.asDict() | {column.name: None, "_untyped": f",{column.name},"})
    if "country_code" in rows.columns:
        found.append(sound.asDict() | {"country_code": UNKNOWN_CODE, "country": "Atlantis"})
    values = [[row[name] for name in rows.columns] for row in found]
    return rows.sparkSession.createDataFrame(values, rows.schema)


def strange(column: StructField) -> Any:
    """A value that hardly any rule lets pass."""
    match column.dataType:
        case StringType():
            return "?"
        case BooleanType():
            return False
        case DateType():
            return date(1900, 1, 1)
        case TimestampType():
            return datetime(1900, 1, 1)  # noqa: DTZ001 - Spark's session is in UTC
        case DecimalType(precision=digits, scale=after):
            return Decimal(1 - 10 ** (digits - after))
        case NumericType():
            return -99_999_999
    raise AssertionError(f"think of a strange value of {column}")


def _large(column: StructField) -> Any:
    value = strange(column)
    return -value if isinstance(column.dataType, NumericType) else value


@pytest.mark.parametrize("step", SHOP, ids=lambda step: step.table.name)
def test_the_split_and_the_gate_count_the_same_rows_for_every_rule(
    promoted: Promoted, step: Any, tmp_path: Path
) -> None:
    staged = stage_rows(promoted.lake, step, "batch", tmp_path / "staged", None, True)
    assert staged is not None
    rows = staged.rows(promoted.lake, "accepted").unionByName(staged.rows(promoted.lake, "quarantined"))
    rules = step.table.row_rules
    refusing = {rule.name for rule in rules if rule.action == "quarantine"}
    counts = counts_of_split(rules, rows)
    assert {name: n for name, n in counts.items() if n and name in refusing} == staged.account.rows_rejected_by_rule
    everything = rows.unionByName(spoilt(rows))
    by_split, by_gate = counts_of_split(rules, everything), counts_of_gate(rules, everything, tmp_path)
    assert by_gate == by_split
    assert [name for name, n in by_split.items() if not n] == [], "no row breaks these rules: the test proves nothing"


def test_every_table_has_a_rule_or_an_expectation() -> None:
    """But for bronze, which takes any text: its gate is the share of broken lines."""
    for step in ALL:
        assert bool(expectations_of(step.table, unique_grain=False)) == (step.table.layer != "bronze")


def test_a_table_without_a_rule_is_an_error() -> None:
    bare = Table("gold.bare", "Nothing is known of it.", ("id",), (Field("id", "string", "key"),), "one row per id")
    with pytest.raises(UsageError, match=r"gold\.bare declares no rule and no expectation"):
        expectations_of(bare, unique_grain=False)
