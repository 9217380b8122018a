"""Contracts say what the declarations say, in the standard's own words."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import open_data_contract_standard
import pytest
from jsonschema import Draft201909Validator
from open_data_contract_standard.model import OpenDataContractStandard

import gold
import silver
from jobs import contracts as job
from jobs.steps import catalogued
from lakehouse.accounts import ops_tables
from lakehouse.catalogue import contracts
from lakehouse.catalogue.pages import tables_of
from lakehouse.errors import UsageError
from silver import customers, order_lines, payments

TABLES = [*tables_of(catalogued()).values(), *ops_tables.TABLES]
SCHEMA = resources.files(open_data_contract_standard).joinpath("schema.json").read_text()
STANDARD = Draft201909Validator(json.loads(SCHEMA))


def faults(contract: OpenDataContractStandard, **changes: Any) -> list[str]:
    told = contract.model_dump(exclude_none=True, by_alias=True) | changes
    return [error.message for error in STANDARD.iter_errors(told)]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_contract_is_one_of_the_standard(table: Any) -> None:
    made = contracts.contract(table)
    assert faults(made) == []
    assert faults(made, kind="Something") != []
    assert OpenDataContractStandard.from_string(made.to_yaml()) == made


def test_a_contract_tells_key_meaning_unit_references_and_personal_data() -> None:
    (table,) = contracts.contract(order_lines.TABLE).schema_ or []
    columns = {column.name: column for column in table.properties or []}
    assert list(columns) == list(order_lines.TABLE.all_columns)
    keys = sorted((c.primaryKeyPosition, c.name) for c in columns.values() if c.primaryKey)
    assert [name for _, name in keys] == list(order_lines.TABLE.key)
    (person,) = contracts.contract(customers.TABLE).schema_ or []
    personal = {field.name for field in customers.TABLE.fields if field.personal}
    assert {c.name for c in person.properties or [] if c.classification == "restricted"} == personal


def test_another_declaration_is_another_version() -> None:
    first = contracts.contract(payments.TABLE)
    assert contracts.contract(payments.TABLE).version == first.version
    assert contracts.contract(customers.TABLE).version != first.version


def test_the_job_writes_a_file_for_each_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert job.main(["--output", str(tmp_path / "made")]) == 0
    written = {path.name.removesuffix(".odcs.yaml") for path in (tmp_path / "made").iterdir()}
    assert {table.name for table in (*silver.TABLES, *(step.table for step in gold.STEPS))} <= written
    assert not {name for name in written if name.startswith("bronze")}
    assert str(len(written)) in capsys.readouterr().out
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write there"):
        contracts.write(TABLES, tmp_path / "file")
