"""Every expectation of a table blocks a batch, and lets an honest batch of one row pass: through the real gate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from bronze import STEPS as BRONZE
from gold import STEPS as GOLD
from gold.models import model_scorecard
from lakehouse.declare.table import Table
from lakehouse.promotion import gate
from lakehouse.promotion.gate import Finding
from ml.core import scoring
from ml.families import FAMILIES
from silver import TABLES as SILVER
from silver import feedback
from tests.integration.warehouse import as_files

Row = dict[str, Any]
TABLES = {
    table.name: table
    for table in (
        *(step.table for step in BRONZE),
        *SILVER,
        *(step.table for step in GOLD),
        *(step.table for step in scoring.declared(FAMILIES)),
        model_scorecard.TABLE,
    )
}
MADE = ("lakehouse", "bronze", "silver", "gold", "ml", "jobs", "synthetic", "benchmarks")

# By table and expectation: what matters in the rows of a batch that it blocks, and in an honest batch of one row.
BATCHES: dict[tuple[str, str], tuple[list[Row], Row]] = {
    ("gold.customer_segments", "segment.distinct"): ([{"segment": f"s{n}"} for n in range(21)], {"segment": "all"}),
    ("gold.segment_profiles", "customer_share.sum"): (
        [{"customer_share": 0.5}, {"customer_share": 0.4}],
        {"customer_share": 1.0, "customers": 1},
    ),
    ("gold.forecast_members", "weight.sum"): ([{"weight": 0.0}, {"weight": 0.0}], {"weight": 1.0}),
}


def verdicts(spark: SparkSession, root: Path, table: Table, *given: Row) -> dict[str, Finding]:
    names = table.schema.names
    rows = spark.createDataFrame([tuple(row.get(name) for name in names) for row in given], table.schema)
    counts = {"rows_accepted": len(given), "rows_quarantined": 0}
    files = as_files(rows, root)
    return {found.expectation: found for found in gate.check(root, table, files, counts, batch_id="a batch")}


@pytest.mark.parametrize(
    ("table", "name"), [(table, each.name) for table in TABLES.values() for each in table.expectations]
)
def test_an_expectation_blocks_a_batch_and_passes_an_honest_row(
    spark: SparkSession, table: Table, name: str, tmp_path: Path
) -> None:
    bad, honest = BATCHES[(table.name, name)]
    blocked = verdicts(spark, tmp_path, table, *bad)[name]
    assert not blocked.passed
    assert not blocked.is_warning
    assert blocked.observed is not None
    assert verdicts(spark, tmp_path, table, honest)[name].passed


def test_three_honest_ratings_of_five_stars_pass(spark: SparkSession, tmp_path: Path) -> None:
    at = spark.sql("SELECT timestamp'2024-01-01' AS at").collect()[0]["at"]
    rating = {"shop_id": "s", "product_id": "p", "rating": 5, "rated_at": at, "_ingested_at": at}
    table = feedback.TABLE
    rows = [rating | {"customer_id": f"c{n}"} for n in range(3)]
    names = table.schema.names
    frame = spark.createDataFrame([tuple(row.get(name) for name in names) for row in rows], table.schema)
    frame = frame.selectExpr("*", "CAST(NULL AS STRING) AS _untyped")
    counts = {"rows_accepted": 3, "rows_quarantined": 0}
    findings = gate.check(tmp_path, table, as_files(frame, tmp_path), counts, batch_id="a batch")
    assert len(findings) > 5
    assert [str(finding) for finding in findings if not finding.passed] == []


def test_a_fourth_family_of_models_passes(spark: SparkSession, tmp_path: Path) -> None:
    at = spark.sql("SELECT timestamp'2024-01-01' AS at").collect()[0]["at"]
    row = {"shop_id": "s", "family": "churn", "version": 1, "measure": "AUC", "is_champion": True, "trained_at": at}
    findings = verdicts(spark, tmp_path, model_scorecard.TABLE, row)
    assert len(findings) > 5
    assert [str(finding) for finding in findings.values() if not finding.passed] == []


def test_the_names_of_great_expectations_live_in_the_gate_alone() -> None:
    root = Path(gate.__file__).parents[2]
    files = [path for name in MADE for path in root.joinpath(name).rglob("*") if path.suffix in (".py", ".j2", ".yaml")]
    assert len(files) > 100
    named = {
        str(path.relative_to(root))
        for path in files
        if any(word in path.read_text() for word in ("expect_", "great_expectations"))
    }
    assert named == {"lakehouse/promotion/gate.py"}
