"""The one road into a table: read what is new, build, split by the rules, gate, publish, account.

Nothing else writes a table. A batch is staged once; the gate looks at the staged rows and the table is written from
them. The batch's journal is written before the commit and finished after it, so a run that is killed at any moment is
healed by the next one: a batch whose commit is in the table is settled from its journal, any other is forgotten and
read again.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from lakehouse import delta, files, gate, ledger, snapshot
from lakehouse.conform import pseudonym
from lakehouse.errors import AccountsImbalance, GateBlocked
from lakehouse.gate import Finding
from lakehouse.lake import Lake, new_id
from lakehouse.ledger import ZERO, Account, Journal
from lakehouse.stage import Staged, fate_folder, stage_files, stage_rows
from lakehouse.table import LINEAGE_COLUMNS, Field, Step, Table


@dataclass(frozen=True)
class Outcome:
    """What became of one promotion. Without an account there was nothing new."""

    step: Step
    account: Account | None = None
    findings: tuple[Finding, ...] = ()
    files: tuple[files.FileReport, ...] = field(default=())
    seconds: float = 0.0


def promote(lake: Lake, step: Step, *, full: bool = False, inputs: Path | None = None) -> Outcome:
    """Take what is new into a table. With `full`, build all of it again and write what differs.

    `inputs` is the folder of delivered files, for steps that read files. Raises `GateBlocked` when the gate refuses the
    batch (nothing is published and the batch stays pending) and `AccountsImbalance` when a row or a penny has no fate.
    """
    started = monotonic()
    with delta.lock(lake, step.table.name):
        recover(lake, step.table)
        head = delta.head(lake, step.table.name)
        batch_id = new_id(lake.clock)
        folder = lake.staging(step.table)
        journal = Journal(lake.journal / f"{batch_id}.json", batch_id, step.table.name, step.name)
        try:
            if step.feed is None:
                staged = stage_rows(lake, step, batch_id, folder, head, full)
            else:
                staged = stage_files(lake, step, batch_id, folder, inputs) if inputs else None
            if staged is None:
                return Outcome(step, seconds=monotonic() - started)
            if not staged.account.rows_read and lake.ledger:
                _note_files(lake, staged, journal)
                return Outcome(step, files=staged.files, seconds=monotonic() - started)
            if lake.ledger:
                staged.account.check_split(step.name)
            findings = _judge(lake, staged, journal)
            _note_batch(lake, staged, journal)
            _publish(lake, staged, head)
        except Exception:
            if journal.state == "staged":
                _forget(lake, step.table, journal)
            raise
        finally:
            if not journal.path.exists() or journal.state == "done":
                shutil.rmtree(folder, ignore_errors=True)
        account = _settle(lake, step.table, journal)
        return Outcome(step, account, tuple(findings), staged.files, monotonic() - started)


def recover(lake: Lake, table: Table) -> None:
    """Finish or forget what a killed run left behind for a table. The caller holds the table's lock."""
    for journal in ledger.journals(lake):
        if journal.table == table.name and journal.state == "staged":
            if _is_published(lake, table, journal):
                lake.say(
                    f"{table.name}: settling batch {journal.batch_id}, published by a run that ended before it could"
                )
                _settle(lake, table, journal, again=True)
            else:
                _forget(lake, table, journal)
    # What is left is of a batch that was forgotten, or had no journal yet.
    shutil.rmtree(lake.staging(table), ignore_errors=True)


def _is_published(lake: Lake, table: Table, journal: Journal) -> bool:
    head = delta.head(lake, table.name)
    return head is not None and head.batch_id == journal.batch_id


def _forget(lake: Lake, table: Table, journal: Journal) -> None:
    """Drop a batch that did not reach its table; one that did is left for `recover`. The caller empties staging."""
    if journal.path.exists() and _is_published(lake, table, journal):
        return
    journal.path.unlink(missing_ok=True)


# --- gate -------------------------------------------------------------------------------------------------------------


def _judge(lake: Lake, staged: Staged, journal: Journal) -> list[Finding]:
    """The gate's verdict on the staged rows. A refusal is written down and raised; the batch stays pending."""
    if not lake.gates:
        return []
    account, table = staged.account, staged.step.table
    counts = {
        "rows_accepted": account.rows_accepted,
        "rows_quarantined": account.rows_quarantined,
    }
    unique = not staged.is_rowwise
    findings = gate.check(
        lake.warehouse / "ops",
        table,
        staged.rows(lake, "accepted"),
        counts,
        batch_id=staged.batch_id,
        unique_grain=unique,
    )
    facts = _facts(lake, journal)
    journal.add(
        ledger.GATE_RESULTS,
        *(facts | {name: value for name, value in asdict(f).items() if name in _GATE_COLUMNS} for f in findings),
    )
    failed = [f for f in findings if not f.passed and not f.is_warning]
    if failed:
        journal.state = "done"
        journal.save()
        told = "\n  ".join(str(f) for f in failed)
        raise GateBlocked(
            f"{table.name}: the gate refused a batch of {account.rows_read} rows; nothing was published, "
            f"the batch stays pending\n  {told}{_rejections(lake, staged)}\n"
            "  Correct the input or the rule, then run again"
        )
    return findings


def _rejections(lake: Lake, staged: Staged) -> str:
    """The rejected rows of a refused batch: how many by rule, and the first few with where they came from and why.

    Messages are kept in the ops tables, so a reason about personal data goes without its value.
    """
    table, counts = staged.step.table, staged.account.rows_rejected_by_rule
    if not staged.account.rows_quarantined:
        return ""
    told = ["rejected rows by rule: " + ", ".join(f"{rule} {rows}" for rule, rows in counts.items())] if counts else []
    personal = {f.name for f in table.fields if f.personal}
    schema = StructType([quarantine_of(table).schema[name] for name in ("_source_file", "_source_row", "_errors")])
    rejected = lake.spark.read.schema(schema).parquet(str(staged.path("quarantined")))
    for file, line, errors in rejected.limit(gate.EXAMPLES).collect():
        message = errors[0]["message"]
        said = message.split("; it is ")[0] if personal & set(errors[0]["columns"]) else message
        told.append(f"for example {said}" if file is None else f"for example {file}:{line}: {said}")
    return "".join(f"\n  {line}" for line in told)


_GATE_COLUMNS = {f.name for f in ledger.GATE_RESULTS.fields}


def _facts(lake: Lake, journal: Journal) -> dict[str, Any]:
    return {
        "run_id": lake.run_id,
        "batch_id": journal.batch_id,
        "table": journal.table,
        "step": journal.step,
        "at": lake.clock().isoformat(),
    }


# --- publish ----------------------------------------------------------------------------------------------------------


def _note_batch(lake: Lake, staged: Staged, journal: Journal) -> None:
    """Write down, before the commit, all that is needed to settle the batch after it."""
    facts = _facts(lake, journal)
    for name, rows in staged.notes.items():
        journal.rows.setdefault(name, []).extend(facts | row for row in rows)
    for table, version in staged.versions.items():
        before = staged.consumed.get(table)
        row = {"source_table": table, "from_version": before, "until_version": version}
        journal.add(ledger.LINEAGE, facts | row)
    journal.notes = {
        "account": asdict(staged.account),
        "replaces": staged.full,
        "repeats": staged.full or staged.step.recompute is not None,
    }
    journal.save()


def _note_files(lake: Lake, staged: Staged, journal: Journal) -> None:
    """Write down files that brought no row (delivered before, or unreadable)."""
    facts = _facts(lake, journal)
    for name, rows in staged.notes.items():
        journal.rows.setdefault(name, []).extend(facts | row for row in rows)
    if any(journal.rows.values()):
        journal.state = "done"
        journal.save()


def _publish(lake: Lake, staged: Staged, head: delta.Head | None) -> None:
    """One atomic commit with the accepted rows and the progress."""
    step, table = staged.step, staged.step.table
    progress = dict(head.progress) if head else {}
    progress[step.name] = staged.versions
    metadata = {"batch_id": staged.batch_id, "run_id": lake.run_id, "step": step.name, "progress": progress}
    rows = _finished(lake, table, staged.rows(lake, "accepted"))
    if table.write == "append" or head is None:
        delta.append(lake, table, rows, metadata)
        return
    sequence = () if staged.full or step.recompute else table.sequence_by
    if staged.full or step.recompute:
        rows = rows.withColumn(delta.DELETE_FLAG, F.lit(False))
        rows = rows.unionByName(_vanished(lake, staged, rows), allowMissingColumns=True)
    delta.merge(lake, table, rows, metadata, sequence_by=sequence)


def _finished(lake: Lake, table: Table, rows: DataFrame) -> DataFrame:
    """The rows as they are stored: staged helpers dropped, personal data pseudonymised."""
    personal = [f.name for f in table.fields if f.personal]
    if personal:
        key = lake.pseudonym_key()
        rows = rows.withColumns({name: pseudonym(F.col(name), key) for name in personal})
    return rows.select(*table.all_columns)


def _vanished(lake: Lake, staged: Staged, rows: DataFrame) -> DataFrame:
    """Keys that the table holds, in the scope of this batch, and the batch no longer has."""
    step, table = staged.step, staged.step.table
    held = delta.read(lake, table)
    if staged.groups is not None:
        held = held.join(F.broadcast(staged.groups), list(step.recompute or ()), "left_semi")
    elif step.source is not None:
        held = held.where(F.col("shop_id") == step.source)
    keys = held.select(*table.key)
    return keys.join(rows.select(*table.key), list(table.key), "left_anti").withColumn(delta.DELETE_FLAG, F.lit(True))


# --- settle -----------------------------------------------------------------------------------------------------------


def _settle(lake: Lake, table: Table, journal: Journal, *, again: bool = False) -> Account:
    """After the commit: put the rejected rows into quarantine, close the account, tidy up.

    `again` says that an earlier run may have done a part of it.
    """
    account = ledger.account_from(journal.notes["account"])
    folder = lake.staging(table)
    _quarantine(lake, table, journal, folder, again=again)
    if lake.ledger:
        commit = _count_published(lake, table, account)
        account.check_published(journal.step)
        journal.add(ledger.ROW_LEDGER, _facts(lake, journal) | asdict(account))
        for row in journal.rows.get(ledger.LINEAGE.name, []):
            row["target_version"] = commit.version
    journal.state = "done"
    journal.save()
    shutil.rmtree(folder, ignore_errors=True)
    return account


def _count_published(lake: Lake, table: Table, account: Account) -> delta.Commit:
    """What the commit did, by Delta's own count; the money by the table's change feed."""
    head = delta.head(lake, table.name)
    if head is None:
        raise AccountsImbalance(f"{table.name} vanished while a batch was being settled; restore it and run again")
    commit = head.commit
    account.rows_inserted, account.rows_updated, account.rows_deleted = commit.inserted, commit.updated, commit.deleted
    account.rows_unchanged = account.rows_accepted - commit.inserted - commit.updated
    if account.amount_read is not None and table.amount:
        amounts = snapshot.changed_amounts(lake, table, table.amount, commit.version)
        account.amount_inserted = amounts.get("insert", ZERO)
        account.amount_updated = amounts.get("update_postimage", ZERO)
        accepted = account.amount_accepted or ZERO
        account.amount_unchanged = accepted - account.amount_inserted - account.amount_updated
    return commit


def _quarantine(lake: Lake, table: Table, journal: Journal, folder: Path, *, again: bool) -> None:
    """Keep the rejected rows of a batch. Groups that are read again bring rows that are in quarantine already."""
    quarantine = quarantine_of(table)
    path = fate_folder(folder, "quarantined")
    held = delta.exists(lake, quarantine.name)
    if not path.is_dir() and not (held and journal.notes["replaces"]):
        return
    columns = [
        name
        for name in quarantine.all_columns
        if name not in ("_row_id", "_step", "_quarantined_at", "_resubmitted_at")
    ]
    schema = StructType([quarantine.schema[name] for name in columns])
    reader = lake.spark.read.schema(schema)
    rows = reader.parquet(str(path)) if path.is_dir() else lake.spark.createDataFrame([], schema)
    rows = rows.withColumns(
        {
            "_row_id": F.sha2(F.concat_ws("|", "_row", "_source_file", F.col("_source_row").cast("string")), 256),
            "_step": F.lit(journal.step),
            "_batch_id": F.lit(journal.batch_id),
            "_quarantined_at": F.lit(lake.clock()),
            "_resubmitted_at": F.lit(None).cast("timestamp"),
        }
    ).select(*quarantine.all_columns)
    if held and (journal.notes["repeats"] or again):
        delta.keep_quarantine(lake, quarantine, rows, journal.step if journal.notes["replaces"] else None)
    else:
        delta.append(lake, quarantine, rows)


def quarantine_of(table: Table) -> Table:
    """The table of a table's rejected rows."""
    return Table(
        f"{table.name}__quarantine",
        f"Rows that {table.name} refused, as they came, with the reasons.",
        ("_step", "_row_id"),
        (
            Field("_row_id", "string", "SHA-256 of the row as it came and its place"),
            Field("_row", "string", "the row as it came: the line of a file, or JSON of the row read"),
            Field(
                "_errors", "array<struct<rule: string, message: string, columns: array<string>>>", "the rules it breaks"
            ),
            Field("_step", "string", "way into the table that refused it"),
            Field("_quarantined_at", "timestamp", "when it was refused (UTC)"),
            Field("_resubmitted_at", "timestamp", "when it was resubmitted (UTC); null while it waits"),
            *(Field(name, kind, said) for name, (kind, said) in LINEAGE_COLUMNS.items()),
        ),
        "one row per refused row",
        has_lineage=False,
    )
