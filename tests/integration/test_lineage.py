"""OpenLineage events of a real warehouse, and contracts that hold on it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from uuid import UUID

import pytest
from openlineage.client.event_v2 import RunEvent
from openlineage.client.serde import Serde

from jobs import lineage as job
from jobs.steps import ALL
from lakehouse.accounts import ops_tables
from lakehouse.catalogue import contracts, openlineage
from lakehouse.catalogue.pages import tables_of
from lakehouse.errors import UsageError
from serving.reader import Reader
from tests.integration.conftest import Promoted
from tests.integration.warehouse import accounts, rows

TABLES = [*tables_of(ALL).values(), *ops_tables.TABLES]


def test_events_tell_every_run_and_batch_with_versions_and_rows(promoted: Promoted, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    assert job.main(["--warehouse", str(promoted.warehouse), "--output", str(file)]) == 0
    told = [json.loads(line) for line in file.read_text().splitlines()]
    runs, batches = rows(promoted.warehouse, "ops.runs"), accounts(promoted.warehouse)
    assert len(told) == 2 * len(runs) + len(batches)
    assert all(UUID(event["run"]["runId"]) for event in told)
    by_job = {event["job"]["name"]: event for event in told}
    read = rows(promoted.warehouse, "ops.lineage")
    for batch in batches:
        event = by_job[batch["step"]]
        (output,) = event["outputs"]
        assert output["facets"]["symlinks"]["identifiers"][0]["name"] == batch["table"]
        written = batch["rows_inserted"] + batch["rows_updated"]
        assert output["outputFacets"]["outputStatistics"]["rowCount"] == written
        versions = {(r["source_table"], str(r["until_version"])) for r in read if r["batch_id"] == batch["batch_id"]}
        found = {
            (i["facets"]["symlinks"]["identifiers"][0]["name"], i["facets"]["version"]["datasetVersion"])
            for i in event["inputs"]
            if "symlinks" in i["facets"]
        }
        assert found == versions
        assert versions or event["inputs"], "a table of bronze names its files"
    parents = {e["run"]["facets"]["parent"]["run"]["runId"] for e in told if e["outputs"]}
    assert parents == {event["run"]["runId"] for event in told if event["eventType"] == "START"}


def test_events_are_the_same_each_time_and_a_run_can_be_named(promoted: Promoted) -> None:
    def as_text(events: list[RunEvent]) -> list[str]:
        return [Serde.to_json(event) for event in events]

    found = as_text(openlineage.events(promoted.lake, TABLES))
    (run,) = {row["run_id"] for row in rows(promoted.warehouse, "ops.runs")}
    assert as_text(openlineage.events(promoted.lake, TABLES, run)) == found
    with pytest.raises(UsageError, match="knows no such run"):
        openlineage.events(promoted.lake, TABLES, "nonsense")


def test_events_are_sent_to_a_server(promoted: Promoted) -> None:
    taken: list[dict[str, object]] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Taking)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found = openlineage.events(promoted.lake, TABLES)[:3]
    assert openlineage.send(found, f"http://127.0.0.1:{server.server_port}") == len(taken) == 3
    server.shutdown()
    server.server_close()
    with pytest.raises(UsageError, match="the events were not taken"):
        openlineage.send(found, f"http://127.0.0.1:{server.server_port}")


def test_what_contracts_promise_holds_on_the_tables(promoted: Promoted) -> None:
    reader = Reader(promoted.lake, TABLES)
    asked = 0
    for table in reader.tables.values():
        if table.layer == "bronze":
            continue
        (told,) = contracts.contract(table).schema_ or []
        for check in told.quality or []:
            if check.query and check.mustBe == 0:
                asked += 1
                ((broken,),) = reader.frame(check.query.replace("regexp_like(", "regexp_matches(")).rows()
                assert broken == 0, check.name
    assert asked > 100
