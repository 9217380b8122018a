"""What a Delta table holds now, read by delta-rs, without Spark.

For reports over every table of a warehouse: through Spark, reading 60 small tables took 138 s of processor time in a
new session and 27 s in a warm one; without it, less than a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from deltalake import DeltaTable

from lakehouse import delta
from lakehouse.lake import Lake
from lakehouse.table import Table


def count(lake: Lake, table: Table) -> int:
    """How many rows a table holds."""
    return DeltaTable(lake.path(table)).count()


def parts(lake: Lake, table: Table, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Some columns of all rows, batch by batch; times carry UTC."""
    dataset = DeltaTable(lake.path(table)).to_pyarrow_dataset()
    for batch in dataset.to_batches(columns=list(columns)):
        yield pa.Table.from_batches([batch])


def rows(lake: Lake, table: Table) -> pa.Table:
    """All rows of a small table, such as those of ops; none where it does not exist yet."""
    columns = list(table.all_columns)
    if not delta.exists(lake, table.name):
        return pa.table({name: [] for name in columns})
    return DeltaTable(lake.path(table)).to_pyarrow_table(columns=columns)
