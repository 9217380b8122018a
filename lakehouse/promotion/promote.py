"""The one road into a table: read what is new, build, split by the rules, gate, publish, account.

Nothing else writes a table. A batch is staged once; the gate looks at the staged rows and the table is written from
them. The batch's journal is written before the commit and finished after it, so a run that is killed at any moment is
healed by the next one: a batch whose commit is in the table is finalized from its journal, any other is discarded and
read again. A batch whose journal is damaged is finalized from what its commit tells.
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

from lakehouse.accounts import ops_tables, received
from lakehouse.accounts.account import ZERO, Account, account_from
from lakehouse.accounts.journal import Journal, close_broken, journals, set_aside
from lakehouse.declare.conform import pseudonym
from lakehouse.declare.table import Step, Table
from lakehouse.errors import AccountsImbalance, GateBlocked
from lakehouse.intake.files import FileReport
from lakehouse.promotion import changes, gate, quarantine, rebuilt, watch
from lakehouse.promotion.gate import Finding
from lakehouse.promotion.stage import stage_files, stage_rows
from lakehouse.promotion.staged import Staged, files_in
from lakehouse.store import arrow, delta, log, parquet_files, versions
from lakehouse.store.lake import Lake, new_id
from lakehouse.store.locks import locked


@dataclass(frozen=True)
class Promotion:
    """What became of one promotion. Without an account there was nothing new."""

    step: Step
    account: Account | None = None
    findings: tuple[Finding, ...] = ()
    files: tuple[FileReport, ...] = field(default=())
    seconds: float = 0.0


def promote(lake: Lake, step: Step, *, full: bool = False, anew: bool = False, inputs: Path | None = None) -> Promotion:
    """Take what is new into a table. With `full`, build all of it again and write what differs.

    With `anew`, what is built takes the place of all that the table holds, as it is declared now: columns, types, key.
    What other steps had brought is gone until they are run again, in full.
    `inputs` is the folder of delivered files, for steps that read files. Raises `GateBlocked` when the gate refuses the
    batch (nothing is published and the batch stays pending) and `AccountsImbalance` when a row or a penny is
    not accounted for.
    """
    started = monotonic()
    with locked(lake, step.table.name):
        _check_tables(lake, step, full)
        recover(lake, step.table)
        head = log.head(lake, step.table.name)
        batch_id = new_id(lake.clock)
        folder = lake.staging(step.table)
        journal = Journal(lake.journal / f"{batch_id}.json", batch_id, step.table.name, step.name)
        try:
            if step.feed is None:
                staged = stage_rows(lake, step, batch_id, folder, head, full)
            else:
                staged = stage_files(lake, step, batch_id, folder, inputs) if inputs else None
            if staged is None:
                return Promotion(step, findings=tuple(watch.overdue(lake, step)), seconds=monotonic() - started)
            staged.anew = anew
            # Groups that changed and have no row left take theirs out of the table.
            if not staged.account.rows_read and staged.groups is None and lake.ledger:
                _note_files(lake, staged, journal)
                return Promotion(step, files=staged.files, seconds=monotonic() - started)
            if lake.ledger:
                staged.account.check_split(step.name)
            findings = _evaluate(lake, staged, journal)
            _note_batch(lake, staged, journal)
            _publish(lake, staged, head)
        except Exception:
            if journal.state == "staged":
                _discard(lake, step.table, journal)
            raise
        finally:
            if not journal.path.exists() or journal.state == "done":
                shutil.rmtree(folder, ignore_errors=True)
        account = _finalize(lake, step.table, journal)
        return Promotion(step, account, tuple(findings), staged.files, monotonic() - started)


def _check_tables(lake: Lake, step: Step, full: bool) -> None:
    """Raise `TableDamaged` where a table that the step reads or writes does not stand where it did."""
    for written in (step.table, quarantine.quarantine_of(step.table)):
        versions.check(lake, written.name, may_be_gone=full)
    head = log.head(lake, step.table.name)
    consumed = {} if full or head is None else head.progress.get(step.name, {})
    looked_up = [rule.reference for rule in step.table.row_rules if rule.reference]
    for table in (*(read.table for read in step.reads), *looked_up):
        versions.check(lake, table.name, consumed.get(table.name, -1))


def recover(lake: Lake, table: Table) -> None:
    """Finalize or discard what a killed run left behind for a table. The caller holds the table's lock."""
    set_aside(lake)
    for journal in journals(lake):
        if journal.table == table.name and journal.state == "staged":
            if _is_published(lake, table, journal):
                lake.say(
                    f"{table.name}: finalizing batch {journal.batch_id}, published by a run that ended before it could"
                )
                _finalize(lake, table, journal, again=True)
            else:
                _discard(lake, table, journal)
    for batch in rebuilt.unaccounted(lake, table):
        _rebuild(lake, table, batch)
    # What is left is of a batch that was discarded, or had no journal yet.
    shutil.rmtree(lake.staging(table), ignore_errors=True)


def _rebuild(lake: Lake, table: Table, batch: log.Head) -> None:
    """Account for a published batch without its journal."""
    batch_id = batch.batch_id or ""
    journal = rebuilt.journal_of(lake, table, batch)
    if journal is None:
        lake.say(f"{table.name}: the journal of batch {batch_id} is lost and its commit does not tell its account")
        versions.note(lake, table.name)
    else:
        lake.say(f"{table.name}: the journal of batch {batch_id} is lost; its account is taken from its commit")
        _finalize(lake, table, journal, again=True)
        if lost := rebuilt.refusals_lost(lake, table, batch):
            lake.say(
                f"{table.name}: {lost} of the rows that batch {batch_id} refused are not in its quarantine under this "
                "batch; a run with --full looks at all rows again"
            )
    close_broken(lake, batch_id)


def _is_published(lake: Lake, table: Table, journal: Journal) -> bool:
    head = log.head(lake, table.name)
    return head is not None and head.batch_id == journal.batch_id


def _discard(lake: Lake, table: Table, journal: Journal) -> None:
    """Drop a batch that did not reach its table; one that did is left for `recover`. The caller empties staging."""
    if journal.path.exists() and _is_published(lake, table, journal):
        return
    journal.path.unlink(missing_ok=True)


# --- gate -------------------------------------------------------------------------------------------------------------


def _evaluate(lake: Lake, staged: Staged, journal: Journal) -> list[Finding]:
    """The gate's verdict on the staged rows. A refusal is written down and raised; the batch stays pending."""
    if not lake.gates:
        return []
    account, table = staged.account, staged.step.table
    refused = account.rows_quarantined
    if refused > gate.FEW_ROWS and staged.step.reads:  # groups that are computed again bring what was refused before
        refused -= quarantine.held(lake, staged)
    counts = {"rows_accepted": account.rows_accepted, "rows_quarantined": refused}
    unique = not staged.is_rowwise
    findings = gate.check(
        lake.warehouse / "ops",
        table,
        staged.paths("accepted"),
        counts,
        batch_id=staged.batch_id,
        unique_grain=unique,
    )
    findings += watch.look(lake, staged)
    facts = _facts(lake, journal)
    journal.add(
        ops_tables.GATE_RESULTS,
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
            "  Correct the input or the rule, then run again",
            staged.files,
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
    schema = StructType(
        [quarantine.quarantine_of(table).schema[name] for name in ("_source_file", "_source_row", "_errors")]
    )
    rejected = parquet_files.read(lake.spark, staged.paths("quarantined"), schema)
    for file, line, errors in rejected.limit(gate.EXAMPLES).collect():
        message = errors[0]["message"]
        said = message.split("; it is ")[0] if personal & set(errors[0]["columns"]) else message
        told.append(f"for example {said}" if file is None else f"for example {file}:{line}: {said}")
    return "".join(f"\n  {line}" for line in told)


_GATE_COLUMNS = {f.name for f in ops_tables.GATE_RESULTS.fields}


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
    """Write down, before the commit, all that is needed to finalize the batch after it."""
    facts = _facts(lake, journal)
    for name, rows in staged.notes.items():
        journal.rows.setdefault(name, []).extend(facts | row for row in rows)
    journal.add_lineage(facts, staged.consumed, staged.versions)
    journal.notes = {"account": asdict(staged.account), **rebuilt.flags(staged)}
    journal.save()


def _note_files(lake: Lake, staged: Staged, journal: Journal) -> None:
    """Write down files that brought no row (delivered before, or unreadable)."""
    facts = _facts(lake, journal)
    for name, rows in staged.notes.items():
        journal.rows.setdefault(name, []).extend(facts | row for row in rows)
    if any(journal.rows.values()):
        journal.state = "done"
        journal.save()


def _publish(lake: Lake, staged: Staged, head: log.Head | None) -> None:
    """One atomic commit with the accepted rows and the progress."""
    step, table = staged.step, staged.step.table
    progress = dict(head.progress) if head and not staged.anew else {}
    progress[step.name] = staged.versions
    metadata: dict[str, Any] = {
        "batch_id": staged.batch_id,
        "run_id": lake.run_id,
        "step": step.name,
        "progress": progress,
        "number": delta.next_number(lake, table, head.version if head else -1),
    }
    metadata |= rebuilt.facts(staged, lake.clock().isoformat())
    if step.feed:
        came = staged.notes[ops_tables.FILES.name]
        metadata |= {
            "loaded": received.loaded(lake, step.table) + received.holding(came),
            "files": received.brought(came),
        }
    if staged.anew:
        delta.replace(lake, table, _finished(lake, table, staged.rows(lake, "accepted")), metadata)
        return
    files = _files(lake, staged)
    delta.compact(lake, table)
    if table.write == "append" or head is None:
        delta.append(lake, table, files, metadata)
        return
    delta.evolve(lake, table)
    found = changes.find(lake, staged, files)
    if found is None:
        rows = parquet_files.read(lake.spark, files, table.schema)
        rows = rows.withColumn(delta.DELETE_FLAG, F.lit(False))
        rows = rows.unionByName(_vanished(lake, staged, rows), allowMissingColumns=True)
        delta.merge(lake, table, rows, metadata)
    elif found.touches_rows and found.touched is not None:
        delta.rewrite(lake, table, found.touched, found.changed, found.new, metadata)
    elif found.touches_rows:
        delta.merge(lake, table, found.flagged(lake, table), metadata)
    else:
        delta.append(lake, table, found.new_files(staged.folder / "new"), metadata)


def _files(lake: Lake, staged: Staged) -> list[Path]:
    """The files of the accepted rows as the table keeps them: with personal data pseudonymised."""
    table, folder = staged.step.table, staged.path("accepted")
    if folder.is_dir() and any(field.personal for field in table.fields):
        folder = staged.folder / "finished"
        _finished(lake, table, staged.rows(lake, "accepted")).write.parquet(str(folder))
    return files_in(folder)


def _finished(lake: Lake, table: Table, rows: DataFrame) -> DataFrame:
    """The rows as they are stored: staged helpers dropped, personal data pseudonymised."""
    personal = [f.name for f in table.fields if f.personal]
    if personal:
        key = lake.pseudonym_key(in_use=log.exists(lake, table.name))
        rows = rows.withColumns({name: pseudonym(F.col(name), key) for name in personal})
    return rows.select(*table.all_columns)


def _vanished(lake: Lake, staged: Staged, rows: DataFrame) -> DataFrame:
    """Keys that the table holds, in the scope of this batch, and the batch no longer has."""
    step, table = staged.step, staged.step.table
    held = delta.read(lake, table)
    if staged.groups is not None:
        held = held.join(F.broadcast(staged.groups), list(step.recompute or ()), "left_semi")
    for name, value in step.owns.items():
        held = held.where(F.col(name) == value)
    keys = held.select(*table.key)
    return keys.join(rows.select(*table.key), list(table.key), "left_anti").withColumn(delta.DELETE_FLAG, F.lit(True))


# --- finalize ---------------------------------------------------------------------------------------------------------


def _finalize(lake: Lake, table: Table, journal: Journal, *, again: bool = False) -> Account:
    """After the commit: put the rejected rows into quarantine, close the account, tidy up.

    `again` says that an earlier run may have done a part of it.
    """
    account = account_from(journal.notes["account"])
    folder = lake.staging(table)
    is_rebuilt = "is_rebuilt" in journal.notes
    if not is_rebuilt or (folder.is_dir() and _is_published(lake, table, journal)):
        quarantine.keep(lake, table, journal, folder, again=again)
    if lake.ledger:
        commit = _count_published(lake, table, account, journal.batch_id)
        account.check_published(journal.step)
        journal.add(ops_tables.ROW_LEDGER, _facts(lake, journal) | asdict(account) | {"is_rebuilt": is_rebuilt})
        for row in journal.rows.get(ops_tables.LINEAGE.name, []):
            row["target_version"] = commit.version
    for written in (table, quarantine.quarantine_of(table)):
        versions.note(lake, written.name)
    journal.state = "done"
    journal.save()
    shutil.rmtree(folder, ignore_errors=True)
    return account


def _count_published(lake: Lake, table: Table, account: Account, batch_id: str) -> log.Commit:
    """What the commit did, by Delta's own count; the money by the table's change feed."""
    batch = next((batch for batch in log.batches(lake, table.name) if batch.batch_id == batch_id), None)
    if batch is None:
        raise AccountsImbalance(
            f"{table.name}: the commit of batch {batch_id} vanished while it was being finalized; restore the table's "
            "_delta_log from a backup and run again"
        )
    commit = batch.commit
    account.rows_inserted, account.rows_updated, account.rows_deleted = commit.inserted, commit.updated, commit.deleted
    account.rows_unchanged = account.rows_accepted - commit.inserted - commit.updated
    if account.amount_read is not None and table.amount:
        amounts = arrow.changed_amounts(lake, table, table.amount, commit.version)
        account.amount_inserted = amounts.get("insert", ZERO)
        account.amount_updated = amounts.get("update_postimage", ZERO)
        accepted = account.amount_accepted or ZERO
        account.amount_unchanged = accepted - account.amount_inserted - account.amount_updated
    return commit
