"""Each table as a data contract of the Open Data Contract Standard (ODCS 3.1), from its declaration."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from open_data_contract_standard.model import (
    CustomProperty,
    DataQuality,
    Description,
    OpenDataContractStandard,
    Relationship,
    SchemaObject,
    SchemaProperty,
    Server,
)

from lakehouse.declare.rules import Expectation, Rule
from lakehouse.declare.table import Field, Table
from lakehouse.errors import writing

STANDARD = "v3.1.0"
_LOGICAL = {
    "string": "string",
    "date": "date",
    "timestamp": "timestamp",
    "boolean": "boolean",
    "int": "integer",
    "bigint": "integer",
    "double": "number",
    "decimal": "number",
    "array": "array",
    "map": "object",
    "struct": "object",
}
_SEVERITY = {"quarantine": "error", "fail": "error", "warn": "warning"}
_BECOMES = {"quarantine": "is put into quarantine", "fail": "blocks its batch", "warn": "is kept and counted"}


def write(tables: Iterable[Table], folder: Path) -> list[Path]:
    """Write a contract for each table, `<layer>.<table>.odcs.yaml`; returns the files."""
    written = []
    with writing("--output", folder):
        folder.mkdir(parents=True, exist_ok=True)
        for table in tables:
            path = folder / f"{table.name}.odcs.yaml"
            path.write_text(contract(table).to_yaml(), encoding="utf-8")
            written.append(path)
    return written


def contract(table: Table) -> OpenDataContractStandard:
    """What a table promises: its columns and their meanings, its key, what it refers to, and what always holds.

    Its version is a hash of all that: another one is another promise.
    """
    location = Server(server="warehouse", type="local", path=f"{table.layer}/{table.short_name}", format="delta")
    made = OpenDataContractStandard(
        version="",
        kind="DataContract",
        apiVersion=STANDARD,
        id=f"shoplake.{table.name}",
        name=table.name,
        status="active",
        domain=table.layer,
        dataProduct="shoplake",
        description=Description(purpose=table.meaning),
        servers=[location],
        schema=[_object(table)],
    )
    made.version = hashlib.sha256(made.to_yaml().encode()).hexdigest()[:12]
    return made


def _object(table: Table) -> SchemaObject:
    declared = {field.name: field for field in table.fields}
    required = {rule.columns[0] for rule in table.row_rules if rule.kind == "not_null" and rule.action != "warn"}
    columns = [_property(table, name, declared.get(name), name in required) for name in table.all_columns]
    rules = [_check(table, rule) for rule in table.row_rules if _is_of_stored(table, rule)]
    unique = _quality(
        name="key.unique",
        description=f"{', '.join(table.key)} is unique",
        dimension="uniqueness",
        type="library",
        metric="duplicateValues",
        arguments={"properties": list(table.key)},
        mustBe=0,
    )
    of_batches = [_of_batch(each) for each in table.expectations if each.kind != "unique"]
    return SchemaObject(
        name=table.short_name,
        physicalName=table.name,
        physicalType="table",
        logicalType="object",
        description=table.meaning,
        dataGranularityDescription=table.row_law,
        properties=columns,
        quality=[unique, *rules, *of_batches],
    )


def _property(table: Table, name: str, field: Field | None, is_required: bool) -> SchemaProperty:
    physical, meaning = table.all_columns[name]
    key = table.key.index(name) + 1 if name in table.key else None
    custom = [CustomProperty(property="unit", value=field.unit)] if field and field.unit else []
    if field and field.personal:
        custom.append(CustomProperty(property="personalData", value="pseudonymised by HMAC-SHA256"))
    to = {rule.reference for rule in table.row_rules if rule.reference and rule.columns[0] == name}
    return SchemaProperty(
        name=name,
        description=field.meaning if field else meaning,
        logicalType=_logical(physical),
        physicalType=physical,
        primaryKey=key is not None or None,
        primaryKeyPosition=key,
        required=is_required or None,
        classification="restricted" if field and field.personal else None,
        items=SchemaProperty(name="element", logicalType="string") if _logical(physical) == "array" else None,
        relationships=[Relationship(type="foreignKey", to=f"{r.short_name}.{name}") for r in to] or None,
        customProperties=custom or None,
    )


def _logical(physical: str) -> str:
    return _LOGICAL[physical.lower().partition("<")[0].partition("(")[0]]


def _is_of_stored(table: Table, rule: Rule) -> bool:
    """Whether a rule speaks of what the table holds: not of texts as delivered, of another table, or of a pseudonym."""
    personal = {field.name for field in table.fields if field.personal}
    is_of_text = "_untyped" in rule.truth or (rule.kind != "not_null" and personal & set(rule.columns))
    return rule.reference is None and not is_of_text


def _check(table: Table, rule: Rule) -> DataQuality:
    """A rule of a row as SQL that counts the rows that break it."""
    return _quality(
        name=rule.name,
        description=f"{rule.says}; otherwise the row {_BECOMES[rule.action]}",
        dimension="completeness" if rule.kind == "not_null" else "conformity",
        severity=_SEVERITY[rule.action],
        type="sql",
        query=f"SELECT count(*) FROM {table.name} WHERE NOT ({rule.truth})",
        mustBe=0 if rule.action != "warn" else None,
        mustBeGreaterOrEqualTo=0 if rule.action == "warn" else None,
    )


def _of_batch(expectation: Expectation) -> DataQuality:
    """What holds for every batch on its way in, and cannot be asked of the table afterwards."""
    said = f"{expectation.says}; a batch for which it does not hold is not published"
    return _quality(name=expectation.name, description=said, dimension="consistency", severity="error", type="text")


def _quality(**told: Any) -> DataQuality:
    return DataQuality(**told)
