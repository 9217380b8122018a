"""Airflow's DAGs: the jobs of the bundle, at the same times, with the same tasks, retries and limits.

Airflow runs `shoplake` as a program, so that each has its own environment: the worker's PATH finds it, its SHOPLAKE_*
variables configure it. What a job is given, such as the deliveries (`input`), is a parameter of the DAG or
the Airflow variable `shoplake_input`.
"""

from __future__ import annotations

import shlex
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param

from jobs.deploy.bundle import PARAMETER, Bundle, Job, Task

ROOT = Path(__file__).resolve().parents[2]
TARGET = "prod"


def dag(job: Job) -> DAG:
    """The DAG of a job."""
    given = {name: Param(None, type=["null", "string"]) for name in job.parameters}
    made = DAG(
        job.name,
        description=job.description,
        schedule=job.cron,
        start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(job.zone)),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(seconds=job.timeout),
        params=given,
        tags=["shoplake"],
    )
    with made:
        operators = {task.key: _operator(job, task) for task in job.tasks}
        for task in job.tasks:
            operators[task.key].set_upstream([operators[key] for key in task.after])
    return made


def _operator(job: Job, task: Task) -> BashOperator:
    """Values reach the shell as variables, so that it takes nothing in them for a command."""
    asked = PARAMETER.findall(" ".join(task.parameters))
    values = {
        name: f"{{{{ params.{name} or var.value.get('shoplake_{name}', {job.parameters[name]!r}) }}}}" for name in asked
    }
    return BashOperator(
        task_id=task.key,
        bash_command=" ".join(["shoplake", *map(_word, task.parameters)]),
        env=values,
        append_env=True,
        retries=task.retries,
        retry_delay=timedelta(seconds=task.retry_delay),
        execution_timeout=timedelta(seconds=task.timeout),
    )


def _word(parameter: str) -> str:
    """A parameter as the shell reads it: texts in quotes, the job's own parameters as variables."""
    parts = PARAMETER.split(parameter)
    return "".join(f'"${part}"' if place % 2 else shlex.quote(part) for place, part in enumerate(parts) if part)


for each in Bundle.read(ROOT).jobs(TARGET):
    globals()[each.key] = dag(each)
