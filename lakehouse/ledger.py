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

from lakehouse import delta, snapshot
from lakehouse.errors import AccountsImbalance
from lakehouse.lake import Lake
from lakehouse.table import Field, Table

MONEY = "DECIMAL(18,2)"
ZERO = Decimal("0.00")


def _ops(name: str, meaning: str, grain: str, row_law: str, *columns: tuple[str, str, str]) -> Table:
    fields = tuple(Field(column, kind, said) for column, kind, said in columns)
    return Table(f"ops.{name}", meaning, tuple(grain.split()), fields, row_law, write="append", has_lineage=False)


_BATCH = (
    ("run_id", "STRING", "run that did it"),
    ("batch_id", "STRING", "batch of the table"),
    ("table", "STRING", "table written"),
    ("step", "STRING", "way into the table: target <- what drives it"),
)
_AT = ("at", "TIMESTAMP", "when (UTC)")

ROW_LEDGER = _ops(
    "row_ledger",
    "What became of every row and every penny of a batch.",
    "batch_id",
    "one row per published batch; read + generated = accepted + quarantined + duplicate + filtered + folded",
    *_BATCH,
    _AT,
    ("rows_read", "BIGINT", "rows read from what is new, or from the groups that changed"),
    ("rows_generated", "BIGINT", "rows made without an input row, such as days without sales"),
    ("rows_accepted", "BIGINT", "rows that passed and were offered to the table"),
    ("rows_quarantined", "BIGINT", "rows that broke a rule"),
    ("rows_duplicate", "BIGINT", "rows that were there already in the same batch, alike"),
    ("rows_filtered", "MAP<STRING, BIGINT>", "rows left out on purpose, by reason"),
    ("rows_folded", "BIGINT", "rows that went into a group or a version with others: input rows less output rows"),
    ("rows_inserted", "BIGINT", "accepted rows that are new in the table"),
    ("rows_updated", "BIGINT", "accepted rows that replaced an older version"),
    ("rows_unchanged", "BIGINT", "accepted rows that the table held already, alike or newer"),
    ("rows_deleted", "BIGINT", "rows of changed groups that no longer exist"),
    ("rows_warned", "MAP<STRING, BIGINT>", "accepted rows that a warning applies to, by rule"),
    ("rows_rejected_by_rule", "MAP<STRING, BIGINT>", "quarantined rows by rule; a row may break several"),
    ("amount_read", MONEY, "money in the rows read; null where the table has none"),
    ("amount_accepted", MONEY, "money in the rows accepted"),
    ("amount_quarantined", MONEY, "money in the rows quarantined"),
    ("amount_duplicate", MONEY, "money in the duplicate rows"),
    ("amount_filtered", f"MAP<STRING, {MONEY}>", "money in the rows left out, by reason"),
    ("amount_inserted", MONEY, "money in the rows inserted"),
    ("amount_updated", MONEY, "money in the rows updated, as they are now"),
    ("amount_unchanged", MONEY, "money in the rows that were there already"),
)
GATE_RESULTS = _ops(
    "gate_results",
    "Each expectation that a gate looked at, with its verdict.",
    "batch_id suite expectation",
    "one row per batch and expectation, of blocked batches too",
    *_BATCH,
    _AT,
    ("suite", "STRING", "expectation suite"),
    ("expectation", "STRING", "rule or expectation"),
    ("says", "STRING", "what must hold, as a sentence"),
    ("passed", "BOOLEAN", "the verdict"),
    ("is_warning", "BOOLEAN", "true where a failure does not block"),
    ("failing_rows", "BIGINT", "rows that fail it"),
    ("observed", "STRING", "observed value"),
    ("examples", "ARRAY<STRING>", "at most five failing rows"),
)
FILES = _ops(
    "files",
    "Each delivered file, by the hash of its content.",
    "batch_id file",
    "one row per file and batch; lines = header + blank + continuation + records + broken lines",
    *_BATCH,
    _AT,
    ("file", "STRING", "name below the input folder"),
    ("file_id", "STRING", "SHA-256 of its bytes"),
    ("size_bytes", "BIGINT", "size as delivered"),
    ("status", "STRING", "loaded, known (same content loaded before) or unreadable"),
    ("message", "STRING", "why it could not be read"),
    ("lines", "BIGINT", "physical lines"),
    ("header_lines", "BIGINT", "lines of the header"),
    ("blank_lines", "BIGINT", "blank lines"),
    ("continuation_lines", "BIGINT", "further lines of records that span several"),
    ("records", "BIGINT", "records read"),
    ("broken", "BIGINT", "broken records, now in quarantine"),
)
SCHEMA_DRIFT = _ops(
    "schema_drift",
    "Each change of a feed's columns.",
    "batch_id file column",
    "one row per file and column that is new or missing",
    *_BATCH,
    _AT,
    ("file", "STRING", "first file with the change in this batch"),
    ("column", "STRING", "column as named in the file"),
    ("change", "STRING", "new (kept in _rescued_data) or missing (optional, null)"),
)
LINEAGE = _ops(
    "lineage",
    "Which version of which table went into which version of which.",
    "batch_id source_table",
    "one row per batch and table read",
    *_BATCH,
    _AT,
    ("target_version", "BIGINT", "version of the table that the batch made"),
    ("source_table", "STRING", "table read"),
    ("from_version", "BIGINT", "version consumed before; null where it was read from the beginning"),
    ("until_version", "BIGINT", "version consumed now"),
)
RUNS = _ops(
    "runs",
    "Each run of a job.",
    "run_id",
    "one row per run",
    ("run_id", "STRING", "the run"),
    ("batch_id", "STRING", "same as run_id"),
    ("job", "STRING", "command with its options"),
    ("started_at", "TIMESTAMP", "start (UTC)"),
    ("ended_at", "TIMESTAMP", "end (UTC)"),
    ("exit_code", "INT", "0 done, 1 other, 2 usage, 3 gate blocked, 4 accounts do not balance"),
    ("batches", "BIGINT", "batches published"),
    ("message", "STRING", "first error, if any"),
    ("git_commit", "STRING", "commit of the code, where it is known"),
)
MODEL_MOVES = _ops(
    "model_moves",
    "Each move of a model's alias: which version became champion or challenger, and on what evidence.",
    "batch_id",
    "one row per move",
    ("run_id", "STRING", "run that moved it"),
    ("batch_id", "STRING", "the move"),
    _AT,
    ("family", "STRING", "family of models"),
    ("shop_id", "STRING", "shop that the model is of"),
    ("model", "STRING", "registered model: family-shop"),
    ("alias", "STRING", "champion (what scores) or challenger (trained, and not good enough)"),
    ("from_version", "BIGINT", "version that the alias named before; null for the first"),
    ("to_version", "BIGINT", "version that it names now"),
    ("why", "STRING", "evidence, in words"),
    ("model_run", "STRING", "MLflow run that trained the version"),
)
TABLES = (ROW_LEDGER, GATE_RESULTS, FILES, SCHEMA_DRIFT, LINEAGE, RUNS, MODEL_MOVES)


@dataclass
class Account:
    """The account of one batch; names as in `ops.row_ledger`. Amounts are None where the table has no money."""

    rows_read: int = 0
    rows_generated: int = 0
    rows_accepted: int = 0
    rows_quarantined: int = 0
    rows_duplicate: int = 0
    rows_filtered: dict[str, int] = field(default_factory=dict)
    rows_folded: int = 0
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_unchanged: int = 0
    rows_deleted: int = 0
    rows_warned: dict[str, int] = field(default_factory=dict)
    rows_rejected_by_rule: dict[str, int] = field(default_factory=dict)
    amount_read: Decimal | None = None
    amount_accepted: Decimal | None = None
    amount_quarantined: Decimal | None = None
    amount_duplicate: Decimal | None = None
    amount_filtered: dict[str, Decimal] = field(default_factory=dict)
    amount_inserted: Decimal | None = None
    amount_updated: Decimal | None = None
    amount_unchanged: Decimal | None = None

    def check_split(self, name: str) -> None:
        """Raise `AccountsImbalance` unless every row and penny that was read has one fate."""
        read = self.rows_read + self.rows_generated
        fates = {
            "accepted": self.rows_accepted,
            "quarantined": self.rows_quarantined,
            "duplicate": self.rows_duplicate,
            "filtered": sum(self.rows_filtered.values()),
            "folded": self.rows_folded,
        }
        _balance(name, "rows", read, fates)
        if self.amount_read is not None:
            amounts = {
                "accepted": self.amount_accepted or ZERO,
                "quarantined": self.amount_quarantined or ZERO,
                "duplicate": self.amount_duplicate or ZERO,
                "filtered": sum(self.amount_filtered.values(), ZERO),
            }
            _balance(name, "amount", self.amount_read, amounts)

    def check_published(self, name: str) -> None:
        """Raise `AccountsImbalance` unless every accepted row is inserted, updated or unchanged."""
        parts = {"inserted": self.rows_inserted, "updated": self.rows_updated, "unchanged": self.rows_unchanged}
        if min(parts.values()) < 0:
            raise AccountsImbalance(f"{name}: more rows were written than were accepted: {_equation(parts)}")
        _balance(name, "rows accepted", self.rows_accepted, parts)
        if self.amount_accepted is not None:
            amounts = {
                "inserted": self.amount_inserted or ZERO,
                "updated": self.amount_updated or ZERO,
                "unchanged": self.amount_unchanged or ZERO,
            }
            _balance(name, "amount accepted", self.amount_accepted, amounts)


def account_from(noted: dict[str, Any]) -> Account:
    """An account as a journal keeps it."""
    values = dict(noted)
    for name, value in values.items():
        if name == "amount_filtered":
            values[name] = {reason: Decimal(amount) for reason, amount in value.items()}
        elif name.startswith("amount_") and value is not None:
            values[name] = Decimal(value)
    return Account(**values)


def _equation(parts: dict[str, Any]) -> str:
    return " + ".join(f"{value} {key}" for key, value in parts.items())


def _balance(name: str, what: str, total: int | Decimal, parts: dict[str, Any]) -> None:
    difference = total - sum(parts.values())
    if difference:
        raise AccountsImbalance(
            f"{name}: the accounts do not balance: {total} {what} is not {_equation(parts)} (difference {difference}). "
            "Nothing further is read from this batch; check the table's build and its amount"
        )


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
        scratch = self.path.with_suffix(".part")
        scratch.write_text(json.dumps(content, default=_encode))
        scratch.replace(self.path)

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


def flush(lake: Lake) -> None:
    """Move every finished journal into the ops tables, once, whoever wrote it."""
    with delta.lock(lake, "ops.journal"):
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
    held_ids = set(snapshot.rows(lake, table, ("batch_id", "in", ids))["batch_id"].to_pylist())
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
    if kind == MONEY:
        return Decimal(value)
    if kind.endswith(f"{MONEY}>"):
        return {key: Decimal(amount) for key, amount in value.items()}
    return value
