"""What a promotion costs does not depend on how many rules a table has."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from pyspark.sql import DataFrame, SparkSession

from lakehouse.declare.rules import between, not_null
from lakehouse.declare.table import Field, Read, Step, Table
from lakehouse.promotion.promote import promote
from tests.integration.warehouse import lake_at, put

COLUMNS = [f"c{number}" for number in range(10)]
NUMBERS = Table(
    "bronze.numbers",
    "Ten numbers a row.",
    ("c0",),
    (*(Field(name, "bigint", "a number") for name in COLUMNS),),
    "one row per row",
    write="append",
)


def checked(numbers: DataFrame) -> DataFrame:
    return numbers


def with_rules(ruled: int) -> Step:
    """A step into a table of which so many columns have two rules each."""
    fields = (
        Field(name, "bigint", "a number", rules=(not_null(), between(0, 100)) if number < ruled else ())
        for number, name in enumerate(COLUMNS)
    )
    # Not silver, which adds a rule of its own for each type.
    table = Table(f"gold.checked_{ruled}", "Ten numbers a row.", ("c0",), tuple(fields), "one row per number")
    return Step(table, checked, (Read(NUMBERS, groups={"c0": "c0"}),), recompute=("c0",))


def test_twenty_rules_take_as_many_spark_jobs_as_two(spark: SparkSession, tmp_path: Path) -> None:
    lake = lake_at(spark, tmp_path)
    rows = spark.range(50).selectExpr(
        *(f"CASE WHEN id = 7 THEN -1 ELSE id END AS {name}" for name in COLUMNS),
        "'file' AS _source_file",
        "id AS _source_row",
        "TIMESTAMP '2024-01-01' AS _ingested_at",
        "'batch' AS _batch_id",
    )
    put(lake, NUMBERS, rows)
    jobs = {}
    for ruled in (2, 1, 10):  # the first reads the log of the table for all of them
        group = str(uuid4())
        spark.sparkContext.setJobGroup(group, "a promotion")
        outcome = promote(lake, with_rules(ruled))
        assert outcome.account is not None
        assert (outcome.account.rows_accepted, outcome.account.rows_quarantined) == (49, 1)
        assert sum(outcome.account.rows_rejected_by_rule.values()) == ruled
        assert len([finding for finding in outcome.findings if finding.passed]) == 2 * ruled + 1
        jobs[2 * ruled] = len(spark.sparkContext.statusTracker().getJobIdsForGroup(group))
    assert jobs[20] == jobs[2] > 0, jobs
