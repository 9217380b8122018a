"""Scored tables are written by models; what holds for each of them, whatever the model, and that their gates block."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest
from pyspark.sql import SparkSession

import gold
from gold.models import model_scorecard
from lakehouse.declare.table import Table
from lakehouse.promotion import gate
from ml.core import scoring
from ml.families import FAMILIES
from tests.integration.warehouse import as_files

TABLES = {step.table.name: step.table for step in scoring.declared(FAMILIES)}

each_table = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)


def test_every_scored_table_is_known() -> None:
    rooms = [name for _, name, _ in pkgutil.walk_packages(gold.__path__, "gold.")]
    declared = {table.name for name in rooms if (table := getattr(import_module(name), "TABLE", None))}
    assert {*TABLES, model_scorecard.TABLE.name} == declared - {step.table.name for step in gold.STEPS}
    assert all(table.layer == "gold" for table in TABLES.values())


@each_table
def test_a_scored_row_names_its_shop_and_its_model(table: Table) -> None:
    assert table.grain[0] == "shop_id"
    assert [field.name for field in table.fields][-2:] == ["model", "model_run"]
    assert {rule.action for rule in table.row_rules} == {"fail"}


@pytest.mark.parametrize("table", [*TABLES.values(), model_scorecard.TABLE], ids=lambda table: table.name)
def test_the_gate_blocks_a_row_without_its_key(
    spark: SparkSession, table: Table, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.getbasetemp() / "scored"
    empty = spark.createDataFrame([[None] * len(table.schema)], table.schema)
    counts = {"rows_accepted": 1, "rows_quarantined": 0}
    files = as_files(empty, root)
    findings = gate.check(root, table, files, counts, batch_id="a batch", unique_grain=False)
    refused = {finding.expectation for finding in findings if not finding.passed}
    required = {rule.name for rule in table.row_rules if rule.name.endswith(".not_null")}
    assert "shop_id.not_null" in required
    assert required <= refused
