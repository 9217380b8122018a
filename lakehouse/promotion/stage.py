"""The first half of the road: read what is new, build, split by the rules, and lay the batch down for the gate.

A batch is computed once, in one job that also takes its measures: what was read (at the input), and what became of it
(at the output). The number of jobs does not depend on the number of rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import reduce
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from lakehouse.accounts import ops_tables
from lakehouse.accounts.account import ZERO, Account
from lakehouse.accounts.journal import journals
from lakehouse.declare.table import Read, Step, Table
from lakehouse.errors import AccountsImbalance
from lakehouse.intake import files
from lakehouse.intake.files import FileReport
from lakehouse.promotion.split import split_and_write
from lakehouse.promotion.staged import STAGED_OUTCOMES, WIDE_MONEY, Staged, outcome_folder
from lakehouse.store import arrow, delta, log
from lakehouse.store.lake import Lake

# --- files ------------------------------------------------------------------------------------------------------------


def stage_files(lake: Lake, step: Step, batch_id: str, folder: Path, inputs: Path) -> Staged | None:
    """Read the delivered files that are new into staging; None where nothing is new."""
    recorded = _recorded_files(lake, step)
    loaded = {file_id for (_, file_id), status in recorded.items() if status == "loaded"}
    delivery = files.discover(step.feed, inputs, loaded)
    rows = folder / "rows"
    reports: list[FileReport] = []
    if delivery.new:
        tasks = lake.settings.stage_tasks
        reports = files.read_files(
            lake.spark, delivery.new, step.feed, step.table, str(rows), batch_id, lake.clock(), tasks
        )
        for outcome in STAGED_OUTCOMES:
            if (rows / outcome).is_dir():
                (rows / outcome).rename(outcome_folder(folder, outcome))
    known = [FileReport(f.file, f.file_id, f.size_bytes, "known", "") for f in delivery.known]
    # What is loaded now was not before, though it may be on record as unreadable: its feed was corrected since.
    told = [
        r
        for r in (*delivery.unreadable, *reports, *known)
        if r.status == "loaded" or (r.file, r.file_id) not in recorded
    ]
    unreadable = [r for r in (*delivery.unreadable, *reports) if r.status == "unreadable"]
    if not told and not unreadable:
        return None
    staged = Staged(step, batch_id, folder, schema=step.table.schema)
    staged.files = tuple(dict.fromkeys([*told, *unreadable]))
    staged.account = _file_account(staged, [r for r in told if r.status == "loaded"])
    staged.notes[ops_tables.FILES.name] = [_file_row(r) for r in told]
    staged.notes[ops_tables.SCHEMA_DRIFT.name] = _drift(told)
    return staged


def _recorded_files(lake: Lake, step: Step) -> dict[tuple[str, str], str]:
    """What is known of this step's files: (name, content hash) -> status, from `ops.files` and unmoved journals.

    A file that could not be read at first and was loaded later is a loaded one.
    """
    rows = [row for j in journals(lake) if j.state == "done" for row in j.rows.get(ops_tables.FILES.name, [])]
    rows += arrow.rows(lake, ops_tables.FILES, ("step", "=", step.name)).to_pylist()
    own = sorted((row for row in rows if row["step"] == step.name), key=lambda row: row["status"] == "loaded")
    return {(row["file"], row["file_id"]): row["status"] for row in own}


def _file_row(report: FileReport) -> dict[str, Any]:
    names = {f.name for f in ops_tables.FILES.fields}
    return {key: value for key, value in asdict(report).items() if key in names}


def _drift(reports: list[FileReport]) -> list[dict[str, Any]]:
    first: dict[tuple[str, str], str] = {}
    for report in reports:
        for change, columns in (("new", report.new_columns), ("missing", report.missing_columns)):
            for column in columns:
                first.setdefault((column, change), report.file)
    return [{"file": file, "column": column, "change": change} for (column, change), file in first.items()]


def _file_account(staged: Staged, loaded: list[FileReport]) -> Account:
    """Rows read are counted from physical lines, rows accepted and quarantined from what lies in staging."""
    blank = sum(r.blank_lines for r in loaded)
    counts = {
        outcome: staged.parts(outcome).count_rows() for outcome in STAGED_OUTCOMES if staged.path(outcome).is_dir()
    }
    return Account(
        rows_read=sum(r.lines - r.header_lines - r.continuation_lines for r in loaded),
        rows_accepted=counts.get("accepted", 0),
        rows_quarantined=counts.get("quarantined", 0),
        rows_filtered={"blank_line": blank} if blank else {},
    )


# --- rows of tables: read ---------------------------------------------------------------------------------------------


def stage_rows(lake: Lake, step: Step, batch_id: str, folder: Path, head: log.Head | None, full: bool) -> Staged | None:
    """Build what is new, or the groups that changed, into staging; None where nothing is new."""
    consumed = {} if full or head is None else head.progress.get(step.name, {})
    if any(consumed.get(name) != version for name, version in step.models.items()):
        full, consumed = True, {}
    versions = {read.table.name: _version(lake, read.table) for read in step.reads} | dict(step.models)
    watched = step.reads if step.recompute else step.reads[:1]
    if versions[step.reads[0].table.name] < 0:
        return None
    if consumed and all(versions[r.table.name] == consumed.get(r.table.name, -1) for r in watched):
        return None
    staged = Staged(step, batch_id, folder, full, consumed, versions)
    observed = Observation(f"read {batch_id}")
    if step.recompute:
        if staged.consumed and _finds_no_group(lake, staged):
            return None
        inputs = _groups_again(lake, staged)
    else:
        inputs = _new_rows(lake, staged, observed)
    split_and_write(lake, staged, step.build(**inputs))
    if not step.recompute and lake.ledger:
        _note_reading(staged, observed.get)
    if lake.ledger and not staged.is_rowwise:
        _account_for_groups(staged)
    return staged


def _version(lake: Lake, table: Table) -> int:
    head = log.head(lake, table.name)
    return -1 if head is None else head.version


def _new_rows(lake: Lake, staged: Staged, observed: Observation) -> dict[str, DataFrame]:
    """The rows that are new in the first read, measured as they are read; all rows of the others."""
    step, driver = staged.step, staged.step.reads[0]
    if staged.consumed:
        feed = _changes(lake, staged, driver)
        new = feed.where("_change_type IN ('insert', 'update_postimage')").drop("_change_type", "_commit_version")
    else:
        new = _all_rows(lake, staged, driver)
    if lake.ledger:
        new = new.observe(observed, *(value.alias(name) for name, value in _reading(step).items()))
    others = {read.table.short_name: _all_rows(lake, staged, read) for read in step.reads[1:]}
    return {driver.table.short_name: _kept(staged, new)} | others


def _groups_again(lake: Lake, staged: Staged) -> dict[str, DataFrame]:
    """All rows of the groups that changed, for every read that tells groups; the first read is measured."""
    inputs = {}
    for read in staged.step.reads:
        rows = _all_rows(lake, staged, read)
        if staged.groups is not None and read.groups:
            names = {name: f"_group_{name}" for name in read.groups}
            groups = staged.groups.withColumnsRenamed(names)
            on = [F.expr(sql).eqNullSafe(F.col(names[name])) for name, sql in read.groups.items()]
            rows = rows.join(F.broadcast(groups), on, "left_semi")
        inputs[read.table.short_name] = rows
    driver = staged.step.reads[0].table.short_name
    if lake.ledger:
        measured = inputs[driver].agg(*(value.alias(name) for name, value in _reading(staged.step).items())).first()
        _note_reading(staged, measured.asDict() if measured else {})
    inputs[driver] = _kept(staged, inputs[driver])
    return inputs


def _finds_no_group(lake: Lake, staged: Staged) -> bool:
    """Find the groups that changed in any read and keep them in staging; true where there are none."""
    names = staged.step.recompute or ()
    found: list[DataFrame] = []
    for read in staged.step.reads:
        table = read.table.name
        if staged.versions[table] == staged.consumed.get(table, -1):
            continue
        if not read.groups:
            return False
        changed = _changes(lake, staged, read)
        found.append(changed.select(*(F.expr(read.groups[name]).alias(name) for name in names)))
    path = str(staged.folder / "groups")
    reduce(DataFrame.unionByName, found).distinct().write.parquet(path)
    staged.groups = lake.spark.read.parquet(path)
    return staged.groups.isEmpty()


def _changes(lake: Lake, staged: Staged, read: Read) -> DataFrame:
    name = read.table.name
    feed = delta.changes(lake, read.table, staged.consumed.get(name, -1), staged.versions[name])
    return _scoped(feed.drop("_commit_timestamp"), read)


def _all_rows(lake: Lake, staged: Staged, read: Read) -> DataFrame:
    return _scoped(delta.read(lake, read.table, staged.versions[read.table.name]), read)


def _scoped(rows: DataFrame, read: Read) -> DataFrame:
    return rows.where(read.where) if read.where else rows


def _reading(step: Step) -> dict[str, Column]:
    """What is measured on the rows read: how many, their money, and both for each filter."""
    amount = F.coalesce(F.expr(step.amount).cast(WIDE_MONEY), F.lit(ZERO)) if step.amount else F.lit(ZERO)
    measures = {"rows": F.count(F.lit(1)), "amount": F.sum(amount)}
    kept = F.lit(True)
    for filtered in step.filters:
        drops = F.coalesce(F.expr(filtered.drops), F.lit(False))
        # A row that several filters drop is counted under the first.
        measures[f"rows {filtered.reason}"] = F.count_if(kept & drops)
        measures[f"amount {filtered.reason}"] = F.sum(F.when(kept & drops, amount))
        kept = kept & ~drops
    return measures


def _note_reading(staged: Staged, measured: Mapping[str, Any]) -> None:
    account = staged.account
    account.rows_read = measured.get("rows") or 0
    account.amount_read = (measured.get("amount") or ZERO) if staged.has_money else None
    for filtered in staged.step.filters:
        if count := measured.get(f"rows {filtered.reason}"):
            account.rows_filtered[filtered.reason] = count
            if staged.has_money:
                account.amount_filtered[filtered.reason] = measured.get(f"amount {filtered.reason}") or ZERO


def _kept(staged: Staged, rows: DataFrame) -> DataFrame:
    """The rows that no filter drops; a row-wise step carries each row as it came in `_raw`."""
    drops = [F.coalesce(F.expr(f.drops), F.lit(False)) for f in staged.step.filters]
    rows = rows.where(~reduce(Column.__or__, drops)) if drops else rows
    return rows.withColumn("_raw", F.struct(*rows.columns)) if staged.is_rowwise else rows


# --- rows of tables: split --------------------------------------------------------------------------------------------


def _account_for_groups(staged: Staged) -> None:
    """Input rows that went into a group with others are folded; rows without an input row are generated.

    Where the table counts its input rows, the sum must be what was read and not left out: a join that multiplies or
    loses rows shows here.
    """
    account, table = staged.account, staged.step.table
    kept = account.rows_read - sum(account.rows_filtered.values())
    if table.counts:
        counted = staged.notes.pop("counted")[0]["rows"]
        if counted != kept:
            raise AccountsImbalance(
                f"{staged.step.name}: {kept} rows were read and kept, but {table.counts} of the rows built adds up to "
                f"{counted}; a join in the build multiplies or loses rows"
            )
    built = account.rows_accepted + account.rows_quarantined
    account.rows_folded = max(kept - built, 0)
    account.rows_generated = max(built - kept, 0)
