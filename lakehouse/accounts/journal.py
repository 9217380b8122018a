"""The accounts: what became of every row and every penny of a batch, and the ops tables that show it.

A batch first writes down in `ops/_journal` what it is about to do, then what it has done; `flush` moves that into the
Delta tables of `ops`. So a run that is killed at any moment loses no account and counts none twice. Journals are
written through to the disk; one that is damaged all the same is set aside, and its batch accounted for by its commit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from lakehouse.accounts.ops_tables import LINEAGE, TABLES, WIDE_MONEY
from lakehouse.declare.table import Table
from lakehouse.store import arrow, delta, durable, log, versions
from lakehouse.store.lake import Lake, new_id
from lakehouse.store.locks import locked


@dataclass
class Journal:
    """What one batch has done, kept in a file until it stands in the ops tables. States: staged, done."""

    path: Path
    batch_id: str
    table: str
    step: str
    state: str = "staged"
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    def add(self, table: Table, *rows: dict[str, Any]) -> None:
        """Note rows for an ops table."""
        self.rows.setdefault(table.name, []).extend(rows)

    def add_lineage(self, facts: Mapping[str, Any], consumed: Mapping[str, Any], read: Mapping[str, Any]) -> None:
        """Note at which versions tables and models were read, and at which by the batch before."""
        for source, version in read.items():
            if isinstance(version, int):  # the rest says how rows were read
                row = {"source_table": source, "from_version": consumed.get(source), "until_version": version}
                self.add(LINEAGE, {**facts, **row})

    def save(self) -> None:
        """Write the file whole or not at all, through to the disk."""
        durable.write(self.path, json.dumps(asdict(self) | {"path": str(self.path)}, default=encode))

    @classmethod
    def load(cls, path: Path) -> Journal:
        """Read a file that `save` wrote; anything else is a `ValueError`."""
        try:
            return cls(**(json.loads(path.read_text()) | {"path": path}))
        except TypeError as error:
            raise ValueError(str(error)) from error


def encode(value: Any) -> Any:
    """How a journal writes what JSON does not know."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"cannot note {type(value)}")


def journals(lake: Lake) -> Iterator[Journal]:
    """All journals of the warehouse that can be read, oldest first."""
    for path in sorted(lake.journal.glob("*.json")):
        with suppress(FileNotFoundError, ValueError):  # flushed by another run meanwhile; or broken, see `set_aside`
            yield Journal.load(path)


def done(lake: Lake, table: Table, step: str, row: dict[str, Any]) -> Journal:
    """A journal of something that is over already, under an id of its own, with a row for an ops table; to be saved.

    The row gets `run_id` and `batch_id`.
    """
    batch_id = new_id(lake.clock)
    journal = Journal(lake.journal / f"{batch_id}.json", batch_id, table.name, step, "done")
    journal.add(table, {"run_id": lake.run_id, "batch_id": batch_id} | row)
    return journal


def unmoved(lake: Lake, table: Table) -> list[dict[str, Any]]:
    """The rows for an ops table that finished journals hold and the table does not yet, with the table's types."""
    return _decoded(table, [row for j in journals(lake) if j.state == "done" for row in j.rows.get(table.name, [])])


def set_aside(lake: Lake) -> None:
    """Move journals that cannot be read to `broken`, and say so."""
    for path in sorted(lake.journal.glob("*.json")):
        with suppress(FileNotFoundError):
            try:
                Journal.load(path)
            except ValueError:
                size = path.stat().st_size
                _broken(lake).mkdir(exist_ok=True)
                path.replace(_broken(lake) / path.name)
                lake.say(
                    f"ops/_journal/{path.name} is damaged ({size} bytes) and was moved to ops/_journal/broken: if its "
                    "batch was published, its account is taken from the table's commit; if not, it is read again; a "
                    "row of ops.runs or ops.model_moves is lost"
                )


def broken_batches(lake: Lake) -> set[str]:
    """The batches whose journals were set aside, and that have not been accounted for since."""
    return {path.stem for path in _broken(lake).glob("*.json")}


def close_broken(lake: Lake, batch_id: str) -> None:
    """Note that a batch was accounted for without its journal."""
    with suppress(FileNotFoundError):
        (_broken(lake) / f"{batch_id}.json").rename(_broken(lake) / f"{batch_id}.rebuilt")


def _broken(lake: Lake) -> Path:
    return lake.journal / "broken"


def flush(lake: Lake) -> None:
    """Move every finished journal into the ops tables, once, whoever wrote it."""
    with locked(lake, "ops.journal"):
        for table in TABLES:
            versions.check(lake, table.name)
        set_aside(lake)
        done = [j for j in journals(lake) if j.state == "done"]
        for table in TABLES:
            rows = [row for journal in done for row in journal.rows.get(table.name, [])]
            if rows:
                _append_new(lake, table, rows)
                _through(lake, table)
        for journal in done:
            journal.path.unlink(missing_ok=True)


def _through(lake: Lake, table: Table) -> None:
    """Let what a table got be on the disk before the journals go that told it too."""
    head = log.head(lake, table.name)
    if head is not None:
        for version in {max(head.version - 1, 0), head.version}:  # the first rows come just after the table
            durable.sync(log.files_of(lake, table.name, version))
        durable.sync([Path(lake.path(table)), Path(lake.path(table), "_delta_log")])
    versions.note(lake, table.name)


def _append_new(lake: Lake, table: Table, rows: list[dict[str, Any]]) -> None:
    """Append rows of batches that the table does not hold: a run killed between two tables flushes again."""
    ids = sorted({row["batch_id"] for row in rows})
    held_ids = set(arrow.rows(lake, table, ("batch_id", "in", ids))["batch_id"].to_pylist())
    if new := [row for row in rows if row["batch_id"] not in held_ids]:
        delta.compact(lake, table)
        append_rows(lake, table, new)


def append_rows(lake: Lake, table: Table, rows: list[dict[str, Any]]) -> None:
    """Append rows to an ops table, as a journal notes them."""
    delta.append_rows(lake, table, _decoded(table, rows))


def _decoded(table: Table, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    types = {f.name: f.type.upper() for f in table.fields}
    return [{name: _decode(row.get(name), types[name]) for name in types} for row in rows]


def _decode(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "TIMESTAMP":
        return datetime.fromisoformat(value)
    if kind == "DATE":
        return date.fromisoformat(value)
    if kind == WIDE_MONEY:
        return Decimal(value)
    if kind.endswith(f"{WIDE_MONEY}>"):
        return {key: Decimal(amount) for key, amount in value.items()}
    return value
