"""A process may end while a table is still being read, by whatever thread: its exit code is the job's."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

JOB = """
import sys
from pathlib import Path
from lakehouse.accounts.ops_tables import RUNS
from lakehouse.errors import UsageError
from lakehouse.run import command
from lakehouse.session import spark_session
from lakehouse.settings import load
from lakehouse.store import arrow
from lakehouse.store.lake import Lake

def main(_):
    lake = Lake(spark_session, Path(sys.argv[1]), load("local"))
    reading = arrow.parts(lake, RUNS, ["batch_id"])
    next(reading)
    raise UsageError("nothing to roll back to")

command.guarded(main)
"""


def test_an_error_while_arrow_still_reads_is_its_own_exit_code(tmp_path: Path) -> None:
    ids = pa.array([str(number) for number in range(20_000)])
    for _ in range(12):
        write_deltalake(str(tmp_path / "ops" / "runs"), pa.table({"run_id": ids, "batch_id": ids}), mode="append")
    script = tmp_path / "job.py"
    script.write_text(JOB)
    for _ in range(6):
        command = [sys.executable, str(script), str(tmp_path)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (ended.returncode, ended.stderr) == (2, "error: nothing to roll back to\n")
