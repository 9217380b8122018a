"""Airflow runs what Databricks runs, where Airflow is installed: its `airflow` is looked for on PATH."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs.deploy.bundle import Bundle
from synthetic.base import Options
from synthetic.shop import make_shop
from tests.integration.warehouse import rows

ROOT = Path(__file__).resolve().parents[3]
DAGS = ROOT / "jobs" / "dags"
AIRFLOW = shutil.which("airflow")
PARSE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
told = {
    dag.dag_id: {
        "schedule": dag.schedule,
        "zone": str(dag.timezone),
        "timeout": dag.dagrun_timeout.total_seconds(),
        "parameters": sorted(dag.params),
        "tasks": {
            task.task_id: {
                "command": task.bash_command,
                "after": sorted(task.upstream_task_ids),
                "retries": task.retries,
                "retry_delay": task.retry_delay.total_seconds(),
                "timeout": task.execution_timeout.total_seconds(),
            }
            for task in dag.tasks
        },
    }
    for dag in bag.dags.values()
}
print(json.dumps({"errors": bag.import_errors, "dags": told}))
"""

pytestmark = pytest.mark.skipif(AIRFLOW is None, reason="Airflow is not installed: no `airflow` on PATH")


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a new Airflow; `shoplake` is that of these tests."""
    home = tmp_path_factory.mktemp("airflow")
    made = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "SHOPLAKE"))}
    made |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_VAR_SHOPLAKE_INPUT": str(home / "shop"),
        "SHOPLAKE_WAREHOUSE": str(home / "warehouse"),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    assert AIRFLOW
    subprocess.run([AIRFLOW, "db", "migrate"], env=made, capture_output=True, check=True)
    return made


@pytest.fixture(scope="module")
def parsed(airflow: dict[str, str]) -> dict[str, Any]:
    assert AIRFLOW
    python = Path(AIRFLOW).with_name("python")
    ended = subprocess.run([python, "-c", PARSE, DAGS], env=airflow, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def test_airflow_reads_the_dags_without_an_error(parsed: dict[str, Any]) -> None:
    assert parsed["errors"] == {}


def test_airflow_runs_what_databricks_runs(parsed: dict[str, Any]) -> None:
    jobs = {job.name: job for job in Bundle.read(ROOT).jobs("prod")}
    assert parsed["dags"].keys() == jobs.keys()
    for name, found in parsed["dags"].items():
        job = jobs[name]
        told = (found["schedule"], found["zone"], found["timeout"], found["parameters"])
        assert told == (job.cron, job.zone, job.timeout, sorted(job.parameters))
        tasks = {task.key: task for task in job.tasks}
        assert found["tasks"].keys() == tasks.keys()
        for key, made in found["tasks"].items():
            task = tasks[key]
            assert made["command"].split()[:2] == ["shoplake", task.parameters[0]]
            assert made["command"].count(" ") == len(task.parameters)
            assert made["after"] == sorted(task.after)
            assert (made["retries"], made["retry_delay"], made["timeout"]) == (
                task.retries,
                task.retry_delay,
                task.timeout,
            )


def test_a_value_is_no_command_to_the_shell(parsed: dict[str, Any]) -> None:
    ingest = parsed["dags"]["shoplake-daily"]["tasks"]["ingest-bronze"]
    assert ingest["command"] == 'shoplake ingest-bronze --input "$input"'


def test_a_day_runs_from_the_files_to_gold(airflow: dict[str, str]) -> None:
    home = Path(airflow["AIRFLOW_HOME"])
    make_shop(Options(home / "shop", days=6, customers=30, products=30, orders_per_day=4))
    assert AIRFLOW
    command = [AIRFLOW, "dags", "test", "shoplake-daily", "--mark-success-pattern", "score"]
    ended = subprocess.run(command, env=airflow, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert rows(home / "warehouse", "gold.sales_daily")
    assert (home / "warehouse" / "ops" / "catalogue" / "index.html").is_file()
