"""A run whose Python is killed while its Java commits: `python -m tests.integration.killed_commit LAKE INPUTS TABLE`.

It prints the process id of its Java, which is stopped when the rows of the table's batch are written and their commit
is not, and goes on when it is told to (SIGCONT): as if it had been slow at just that moment.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from rich.console import Console

from jobs.steps import ALL
from lakehouse.run.console import run_shown
from lakehouse.session import SMALL_DATA, spark_session
from tests.integration.warehouse import lake_at

WRITTEN = 100
"""Bytes of a Parquet file that is more than begun."""


def main(warehouse: Path, inputs: Path, table: str) -> None:
    """Run the steps into one table and die in the middle of its commit."""
    spark = spark_session(SMALL_DATA)
    assert spark.sparkContext._jvm is not None
    java = int(spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid())
    folder = warehouse.joinpath(*table.split("."))
    before = set(folder.glob("*.parquet"))

    def die() -> None:
        while not any(path.stat().st_size > WRITTEN for path in set(folder.glob("*.parquet")) - before):
            time.sleep(0.001)
        os.kill(java, signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGKILL)

    sys.stdout.write(f"{java}\n")
    sys.stdout.flush()
    threading.Thread(target=die, daemon=True).start()
    run_shown(lake_at(spark, warehouse), [s for s in ALL if s.table.name == table], Console(quiet=True), inputs=inputs)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
