"""What ran and which version of which table went into which, as OpenLineage events, from the ops tables."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    DatasetFacet,
    JobFacet,
    RunFacet,
    dataset_version_dataset,
    documentation_dataset,
    error_message_run,
    job_type_job,
    output_statistics_output_dataset,
    parent_run,
    schema_dataset,
    symlinks_dataset,
)
from openlineage.client.transport.file import FileConfig, FileTransport

from lakehouse.accounts import ops_tables
from lakehouse.declare.table import Table
from lakehouse.errors import UsageError, writing
from lakehouse.store import arrow
from lakehouse.store.lake import Lake

Row = Mapping[str, Any]

NAMESPACE = "shoplake"
PRODUCER = "urn:shoplake"


def write(found: Iterable[RunEvent], file: Path) -> int:
    """Write events into a file, a line of JSON each, in place of what it held; returns how many."""
    with writing("--output", file, "file"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        return _emit(found, OpenLineageClient(transport=FileTransport(FileConfig(str(file), append=True))))


def send(found: Iterable[RunEvent], url: str) -> int:
    """Send events to a server; returns how many. Sent again, they are the same: ids of runs come from ours.

    A server that asks for a key gets that in the environment's `OPENLINEAGE_API_KEY`.
    """
    key = os.environ.get("OPENLINEAGE_API_KEY")
    auth = {"auth": {"type": "api_key", "apiKey": key}} if key else {}
    try:
        return _emit(found, OpenLineageClient(config={"transport": {"type": "http", "url": url, **auth}}))
    except (OSError, ValueError) as error:  # what requests raises, or a text that is no address
        raise UsageError(f"--url {url}: the events were not taken ({error}); is it a server of OpenLineage?") from error


def _emit(found: Iterable[RunEvent], client: OpenLineageClient) -> int:
    sent = 0
    for event in found:
        client.emit(event)
        sent += 1
    client.close()
    return sent


def events(lake: Lake, tables: Iterable[Table], run_id: str | None = None) -> list[RunEvent]:
    """The events of all runs, or of one: its start and end, and between them one for each batch of a table.

    An unknown run is a `UsageError`.
    """
    runs = [run for run in arrow.rows(lake, ops_tables.RUNS).to_pylist() if run_id in (None, run["run_id"])]
    if run_id and not runs:
        raise UsageError(f"--run {run_id}: ops.runs knows no such run")
    names = {run["run_id"] for run in runs}
    declared = {table.name: table for table in tables}
    reads = _by_batch(arrow.rows(lake, ops_tables.LINEAGE).to_pylist())
    files = _by_batch(arrow.rows(lake, ops_tables.FILES, ("status", "=", "loaded")).to_pylist())
    batches = [row for row in arrow.rows(lake, ops_tables.ROW_LEDGER).to_pylist() if row["run_id"] in names]
    found = [event for run in runs for event in _of_run(run)]
    found += [
        _of_batch(
            lake, declared.get(row["table"]), row, reads[row["batch_id"]], files[row["batch_id"]], _run_of(row, runs)
        )
        for row in batches
    ]
    return sorted(found, key=lambda event: event.eventTime)


def _by_batch(rows: Iterable[Row]) -> defaultdict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["batch_id"]].append(row)
    return found


def _run_of(batch: Row, runs: Sequence[Row]) -> Row:
    """The run that made a batch: of those of its process, the last that had begun."""
    of_process = [run for run in runs if run["run_id"] == batch["run_id"]]
    return max(of_process, key=lambda run: (run["started_at"] <= batch["at"], run["started_at"]))


def _of_run(run: Row) -> list[RunEvent]:
    """Start and end of a run. What went wrong is told by its exit code: messages may quote rows."""
    job = Job(NAMESPACE, _command(run), facets=_kind("JOB"))
    failed = run["exit_code"] != 0
    facets: dict[str, RunFacet] = {}
    if failed:
        said = f"exit code {run['exit_code']}"
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(said, "Python", producer=PRODUCER)
    ended = RunState.FAIL if failed else RunState.COMPLETE
    id_of_run = _id(run["batch_id"])
    return [
        _event(run["started_at"], RunState.START, Run(id_of_run), job),
        _event(run["ended_at"], ended, Run(id_of_run, facets=facets), job),
    ]


def _of_batch(
    lake: Lake, table: Table | None, row: Row, reads: Iterable[Row], files: Iterable[Row], run: Row
) -> RunEvent:
    """A batch of a table: the versions and files that it read, and the version that it made with its rows."""
    parent = parent_run.ParentRunFacet(
        parent_run.Run(_id(run["batch_id"])), parent_run.Job(NAMESPACE, _command(run)), producer=PRODUCER
    )
    inputs = [_input(lake, read) for read in reads]
    inputs += [InputDataset("file", file["file"]) for file in files]
    made = next((read["target_version"] for read in reads), None)
    rows = row["rows_inserted"] + row["rows_updated"]
    written = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows, producer=PRODUCER)
    output = OutputDataset(
        "file",
        lake.path(row["table"]),
        facets=_facets(row["table"], made) | (_declared(table) if table else {}),
        outputFacets={"outputStatistics": written},
    )
    return _event(
        row["at"],
        RunState.COMPLETE,
        Run(_id(row["batch_id"]), facets={"parent": parent}),
        Job(NAMESPACE, row["step"], facets=_kind("TASK")),
        inputs,
        [output],
    )


def _input(lake: Lake, read: Row) -> InputDataset:
    table = read["source_table"]
    return InputDataset("file", lake.path(table), facets=_facets(table, read["until_version"]))


def _event(
    at: datetime,
    state: RunState,
    run: Run,
    job: Job,
    inputs: list[InputDataset] | None = None,
    outputs: list[OutputDataset] | None = None,
) -> RunEvent:
    return RunEvent(
        eventTime=at.isoformat(),
        producer=PRODUCER,
        run=run,
        job=job,
        eventType=state,
        inputs=inputs or [],
        outputs=outputs or [],
    )


def _facets(table: str, version: int | None) -> dict[str, DatasetFacet]:
    """A table's name beside its folder, and its version."""
    name = symlinks_dataset.Identifier(NAMESPACE, table, "TABLE")
    found: dict[str, DatasetFacet] = {"symlinks": symlinks_dataset.SymlinksDatasetFacet([name], producer=PRODUCER)}
    if version is not None:
        found["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(str(version), producer=PRODUCER)
    return found


def _declared(table: Table) -> dict[str, DatasetFacet]:
    fields = [
        schema_dataset.SchemaDatasetFacetFields(name, kind, meaning)
        for name, (kind, meaning) in table.all_columns.items()
    ]
    return {
        "schema": schema_dataset.SchemaDatasetFacet(fields, producer=PRODUCER),
        "documentation": documentation_dataset.DocumentationDatasetFacet(table.meaning, producer=PRODUCER),
    }


def _kind(kind: str) -> dict[str, JobFacet]:
    return {"jobType": job_type_job.JobTypeJobFacet("BATCH", "SHOPLAKE", kind, producer=PRODUCER)}


def _command(run: Row) -> str:
    """The name of a run's job: its command without options, so that its runs are runs of one job. Python's `-c` has no
    name but that.
    """
    words = [word for word in run["job"].split() if not word.startswith("-")] or [run["job"]]
    return " ".join(words[:2]) if words[0] == "shoplake" else words[0]


def _id(name: str) -> str:
    """The UUID of a run or batch of ours: the same each time."""
    return str(uuid5(NAMESPACE_URL, f"shoplake/{name}"))
