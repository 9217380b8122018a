"""A writer that contests a table: `python -m tests.integration.contesting_writer WAREHOUSE NAME BATCHES`.

It says `ready` when its Spark runs, begins when the file `go` is there, and names each batch once it is acknowledged.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from lakehouse.declare.rules import not_null
from lakehouse.declare.table import Field, Table
from lakehouse.session import SMALL_DATA, spark_session
from tests.integration.warehouse import lake_at, put

TABLE = Table(
    "bronze.contested",
    "Rows of writers that do not know of each other.",
    ("writer", "batch", "row"),
    (
        Field("writer", "string", "who wrote it", rules=(not_null(),)),
        Field("batch", "int", "batch of the writer"),
        Field("row", "bigint", "row of the batch"),
    ),
    "one row per row written",
    write="append",
    has_lineage=False,
)
ROWS = 3


def main(warehouse: str, name: str, batches: str) -> None:
    """Append small batches as fast as possible."""
    lake = lake_at(spark_session({**SMALL_DATA, "spark.driver.memory": "1g"}), Path(warehouse), wait_seconds=300)
    _say("ready")
    while not (lake.warehouse / "go").exists():
        time.sleep(0.05)
    for number in range(int(batches)):
        rows = lake.spark.range(ROWS).selectExpr(f"'{name}' AS writer", f"{number} AS batch", "id AS row")
        put(lake, TABLE, rows, {"batch_id": f"{name}-{number}", "progress": {}})
        _say(f"{name}-{number}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
