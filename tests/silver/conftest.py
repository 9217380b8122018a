"""Small frames of declared tables, and what the rules say of them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.declare.rules import errors_of, known_marker
from lakehouse.declare.table import Table

Rows = Callable[..., DataFrame]
Broken = Callable[[Table, DataFrame], list[set[str]]]


@pytest.fixture(scope="session")
def rows(spark: SparkSession) -> Rows:
    """Rows of a table from what matters in them; the rest is missing. Lineage is made up."""

    def make(table: Table, *given: Mapping[str, Any]) -> DataFrame:
        lineage = {"_source_file": "a.csv", "_ingested_at": datetime(2026, 1, 1, tzinfo=UTC), "_batch_id": "b1"}
        names = table.schema.names
        full = [lineage | {"_source_row": number} | dict(row) for number, row in enumerate(given, start=2)]
        unknown = {name for row in given for name in row} - set(names)
        assert not unknown, f"{table.name} has no {unknown}"
        return spark.createDataFrame([tuple(row.get(name) for name in names) for row in full], table.schema)

    return make


@pytest.fixture(scope="session")
def broken() -> Broken:
    """The names of the rules that each row breaks, in the order of the rows; every key is taken for known."""

    def judge(table: Table, built: DataFrame) -> list[set[str]]:
        markers = {known_marker(r.columns[0]): F.lit(True) for r in table.row_rules if r.reference is not None}
        helpers = {"_untyped": F.lit(None).cast("string"), "_unread": F.lit(None).cast("map<string, string>")} | markers
        staged = built.withColumns({name: value for name, value in helpers.items() if name not in built.columns})
        names = errors_of(table.row_rules)["rule"].alias("names")
        found = staged.orderBy("_source_file", "_source_row").select(names).collect()
        return [set(row["names"]) for row in found]

    return judge
