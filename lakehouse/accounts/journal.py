"""The accounts: what became of every row and every penny of a batch, and the ops tables that show it.

A batch first writes down in `ops/_journal` what it is about to do, then what it has done; `flush` moves that into the
Delta tables of `ops`. So a run that is killed at any moment loses no account and counts none twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from lakehouse.accounts.ops_tables import TABLES, WIDE_MONEY
from lakehouse.declare.table import Table
from lakehouse.store import arrow, delta, durable
from lakehouse.store.lake import Lake
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

    def save(self) -> None:
        """Write the file whole or not at all."""
        content = asdict(self) | {"path": str(self.path)}
        durable.write_text(self.path, json.dumps(content, default=_encode))

    @classmethod
    def load(cls, path: Path) -> Journal:
        """Read a file that `save` wrote."""
        content = json.loads(path.read_text())
        return cls(**(content | {"path": path}))


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"cannot note {type(value)}")


def journals(lake: Lake) -> Iterator[Journal]:
    """All journals of the warehouse, oldest first."""
    for path in sorted(lake.journal.glob("*.json")):
        try:
            yield Journal.load(path)
        except FileNotFoundError:
            continue  # another run has flushed it meanwhile
        except (ValueError, TypeError):  # cut off, empty or overwritten: by a disk that lost what it had promised
            _set_aside(lake, path)


def _set_aside(lake: Lake, path: Path) -> None:
    """Keep a journal that cannot be read, out of the way, and say what that means."""
    kept = lake.journal / "broken" / path.name
    kept.parent.mkdir(exist_ok=True)
    path.replace(kept)
    lake.say(
        f"the journal {path.name} cannot be read and lies in {kept.parent} now; if its batch was published, its rows "
        "are in the table and missing in ops.row_ledger, else they are read again"
    )


def flush(lake: Lake) -> None:
    """Move every finished journal into the ops tables, once, whoever wrote it."""
    with locked(lake, "ops.journal"):
        done = [j for j in journals(lake) if j.state == "done"]
        for table in TABLES:
            rows = [row for journal in done for row in journal.rows.get(table.name, [])]
            if rows:
                _append_new(lake, table, rows)
        for journal in done:
            journal.path.unlink(missing_ok=True)


def _append_new(lake: Lake, table: Table, rows: list[dict[str, Any]]) -> None:
    """Append rows of batches that the table does not hold: a run killed between two tables flushes again."""
    ids = sorted({row["batch_id"] for row in rows})
    held_ids = set(arrow.rows(lake, table, ("batch_id", "in", ids))["batch_id"].to_pylist())
    rows = [row for row in rows if row["batch_id"] not in held_ids]
    if rows:
        types = {f.name: f.type.upper() for f in table.fields}
        typed = [[_decode(row.get(name), types[name]) for name in types] for row in rows]
        delta.append(lake, table, lake.spark.createDataFrame(typed, table.schema))


def _decode(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "TIMESTAMP":
        return datetime.fromisoformat(value)
    if kind == WIDE_MONEY:
        return Decimal(value)
    if kind.endswith(f"{WIDE_MONEY}>"):
        return {key: Decimal(amount) for key, amount in value.items()}
    return value
