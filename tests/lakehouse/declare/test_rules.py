"""What a declaration makes of a rule: its name, its sentence, and who breaks it; null passes all but `not_null`."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.declare.rules import Check, between, errors_of, matches, not_before, not_null, one_of
from lakehouse.declare.table import Field, Table
from lakehouse.errors import UsageError

CASES: list[tuple[str, Check, str, str, list[Any], list[Any]]] = [
    ("int", not_null(), "not_null", "must not be missing", [0, -1], [None]),
    ("int", between(0, 10), "between", "must be between 0 and 10", [0, 10, None], [-1, 11]),
    ("int", between(0, 10, strict=True), "between", "must be within 0 and 10", [1, 9, None], [0, 10]),
    ("int", between(high=5), "between", "must be between ... and 5", [-(2**31), 5, None], [6]),
    ("date", between(date(2000, 1, 1)), "between", "must be between 2000-01-01 and ...", [None], [date(1999, 12, 31)]),
    ("string", one_of(("a", "b")), "one_of", "must be one of a, b", ["a", "b", None], ["", "A"]),
    (
        "string",
        matches("^[A-Z]{2}$", "two capitals"),
        "matches",
        "must be two capitals",
        ["DE", None],
        ["de", "DEU", ""],
    ),
]


@pytest.mark.parametrize(("kind", "check", "name", "says", "good", "bad"), CASES)
def test_a_check_finds_exactly_the_values_that_break_it(
    spark: SparkSession, kind: str, check: Check, name: str, says: str, good: list[Any], bad: list[Any]
) -> None:
    rule = check("x")
    assert (rule.name, rule.says) == (f"x.{name}", f"x {says}")
    rows = spark.createDataFrame([(value,) for value in [*good, *bad]], f"x {kind}")
    assert [row[0] for row in rows.where(rule.breaks()).collect()] == bad


def test_a_reason_has_the_rule_the_sentence_the_value_and_the_columns(spark: SparkSession) -> None:
    rules = [between(0, 9)("a"), not_before("a")("b"), not_null()("b")]
    rows = spark.createDataFrame([(1, 2), (10, 2), (5, None)], "a int, b int").select(errors_of(rules).alias("errors"))
    found = [[tuple(error) for error in row.errors] for row in rows.collect()]
    assert found == [
        [],
        [
            ("a.between", "a must be between 0 and 9; it is 10", ["a"]),
            ("b.not_before_a", "b must not be before a; it is 2, 10", ["b", "a"]),
        ],
        [("b.not_null", "b must not be missing; it is missing", ["b"])],
    ]


def test_without_rules_nothing_is_wrong(spark: SparkSession) -> None:
    assert spark.range(1).select(F.size(errors_of([]))).first() == (0,)


@pytest.mark.parametrize(
    ("grain", "names", "wrong"), [(("id", "day"), ["id"], "day"), (("id",), ["id", "x", "x"], "x")]
)
def test_a_wrong_declaration_fails_at_once(grain: tuple[str, ...], names: list[str], wrong: str) -> None:
    fields = tuple(Field(name, "string", "text") for name in names)
    with pytest.raises(
        UsageError,
        match=rf"gold\.things: grain, scope, distribute_by, amount, counts, day, currency must be fields.*'{wrong}'",
    ):
        Table("gold.things", "Things.", grain, fields, "one row per thing")
