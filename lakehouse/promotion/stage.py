"""The first half of the road: read what is new, build, split by the rules, and lay the batch down for the gate.

A batch is computed once, in one job that also takes its measures: what was read (at the input), and what became of it
(at the output). The number of jobs does not depend on the number of rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import reduce
from pathlib import Path
from typing import Any

from pyarrow import dataset
from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from lakehouse.accounts import deliveries, ops_tables, received, releases
from lakehouse.accounts.account import ZERO, Account
from lakehouse.accounts.ops_tables import WIDE_MONEY
from lakehouse.declare.rules import quoted
from lakehouse.declare.table import Filter, Read, Step, Table
from lakehouse.errors import AccountsImbalance
from lakehouse.intake import files
from lakehouse.intake.files import FileReport
from lakehouse.promotion import quarantine
from lakehouse.promotion.split import split_and_write
from lakehouse.promotion.staged import (
    AMOUNT_READ,
    DELIVERIES,
    GROUP,
    SPELLINGS,
    STAGED_OUTCOMES,
    Staged,
    files_in,
    outcome_folder,
)
from lakehouse.store import delta, log, parquet_files
from lakehouse.store.lake import Lake

READING = "reading", "3"
"""Under the first a step notes the second: how this version reads rows. It is raised where the same rows would be built
otherwise than before, and every step then builds all of its rows again."""

# --- files ------------------------------------------------------------------------------------------------------------


def stage_files(lake: Lake, step: Step, batch_id: str, folder: Path, inputs: Path) -> Staged | None:
    """Read the delivered files that are new into staging; None where nothing is new."""
    recorded = received.recorded(lake, step.table)
    loaded = {row["file_id"] for row in recorded if row["status"] == "loaded"}
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
    told = [r for r in (*delivery.unreadable, *reports, *known) if r.status == "loaded" or not _is_told(r, recorded)]
    unreadable = [r for r in (*delivery.unreadable, *reports) if r.status == "unreadable"]
    if not told and not unreadable:
        return None
    staged = Staged(step, batch_id, folder, schema=step.table.schema)
    staged.files = tuple(dict.fromkeys([*told, *unreadable]))
    staged.account = _file_account(staged, [r for r in told if r.status == "loaded"])
    staged.notes[ops_tables.FILES.name] = [_file_row(r) for r in told]
    staged.notes[ops_tables.SCHEMA_DRIFT.name] = _drift(told)
    return staged


def _is_told(report: FileReport, recorded: list[dict[str, Any]]) -> bool:
    """Whether it is on record that this content came under this name, and nothing else did since."""
    last = next((row for row in reversed(recorded) if row["file"] == report.file), None)
    return last is not None and last["file_id"] == report.file_id


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
    consumed: dict[str, Any] = {} if full or head is None else dict(head.progress.get(step.name, {}))
    delivered = [read.table for read in step.reads if read.table.layer == "bronze"]
    spelt = {table.name: told for table in delivered if (told := lake.settings.spelt(table.name))}
    reading, version = READING
    if consumed and consumed.get(reading) != version:
        lake.say(f"{step.name}: built again, since this version reads some rows otherwise than the one before")
        full, consumed = True, {}
    if consumed.get(SPELLINGS, {}) != spelt or any(consumed.get(name) != model for name, model in step.models.items()):
        full, consumed = True, {}
    driver = step.reads[0].table
    watched = {read.table.name: read.table for read in step.reads} | {t.name: t for t in _references(step)}
    versions: dict[str, Any] = {name: _version(lake, table) for name, table in watched.items()} | dict(step.models)
    versions[reading] = version
    if versions[driver.name] < 0:
        return None
    staged = Staged(step, batch_id, folder, full, consumed=dict(consumed), versions=versions)
    if spelt:
        staged.versions[SPELLINGS] = spelt
    if delivered:
        staged.versions[DELIVERIES] = {table.name: deliveries.standing(lake, table) for table in delivered}
    if consumed and all(staged.versions[name] == consumed.get(name, -1) for name in staged.versions):
        return None
    if consumed and _finds_no_group(lake, staged):
        releases.looked(lake, step.table.name, step.name, staged.versions)
        return None
    observed = Observation(f"read {batch_id}")
    inputs = _groups_again(lake, staged, observed)
    split_and_write(lake, staged, step.build(**inputs))
    if lake.ledger and _is_read_once(step):
        _note_reading(staged, observed.get)
    if lake.ledger and not staged.is_rowwise:
        _account_for_groups(staged)
    return staged


def _references(step: Step) -> list[Table]:
    """The tables in which keys of the step's rows must be known."""
    return [rule.reference for rule in step.table.row_rules if rule.reference is not None]


def _version(lake: Lake, table: Table) -> int:
    head = log.head(lake, table.name)
    return -1 if head is None else head.version


def _is_read_once(step: Step) -> bool:
    """Whether the build looks at each row of the first read once, so that it can be measured on the way."""
    return step.is_rowwise and step.table.write == "merge"


def _groups_again(lake: Lake, staged: Staged, observed: Observation) -> dict[str, DataFrame]:
    """All rows of the groups that changed, for every read that tells groups; the first read is measured."""
    inputs = {}
    for read in staged.step.reads:
        rows = _all_rows(lake, staged, read)
        if read is not staged.step.reads[0]:
            rows = _standing(staged, read.table, rows)
        if staged.groups is not None and read.groups:
            names = {name: f"_group_{name}" for name in read.groups}
            groups = staged.groups.withColumnsRenamed(names)
            on = [F.expr(sql).eqNullSafe(F.col(names[name])) for name, sql in read.groups.items()]
            rows = rows.join(F.broadcast(groups), on, "left_semi")
        inputs[read.table.short_name] = rows
    driver = staged.step.reads[0].table.short_name
    if lake.ledger:
        measures = [value.alias(name) for name, value in _reading(staged).items()]
        if _is_read_once(staged.step):
            inputs[driver] = inputs[driver].observe(observed, *measures)
        else:
            measured = inputs[driver].agg(*measures).first()
            _note_reading(staged, measured.asDict() if measured else {})
    inputs[driver] = _kept(staged, inputs[driver])
    return inputs


def _finds_no_group(lake: Lake, staged: Staged) -> bool:
    """Find the groups that changed in any read and keep them in staging; true where there are none.

    Groups change with the rows of a read, with what joins them, with a delivery that counts no more (or again), and
    with a key that a refused row waits for.
    """
    step, names = staged.step, staged.step.recompute or ()
    found: list[DataFrame] = []
    for read in step.reads:
        others = _standing_otherwise(staged, read.table)
        if not others and not _is_changed(staged, read.table.name):
            continue
        if not (read.groups or read.joins) or _has_other_types(lake, staged, read.table.name):
            return False
        changed = [_changes(lake, staged, read)] if _is_changed(staged, read.table.name) else []
        if others:
            changed.append(_all_rows(lake, staged, read).where(F.expr(deliveries.PLACE).isin(others)))
        found += [
            _of_groups(rows, read, names) if read.groups else _of_joined(lake, staged, read, rows) for rows in changed
        ]
    for rule in step.table.row_rules:
        if rule.reference is not None and _is_changed(staged, rule.reference.name):
            if _has_lost_keys(lake, staged, rule.reference, rule.columns[0]):
                return False
            found.append(quarantine.waiting_groups(lake, step, rule.name))
    folder = staged.folder / "groups"
    if not found:
        return True
    groups = reduce(DataFrame.unionByName, found).distinct()
    groups.withColumn(GROUP, F.to_json(F.struct(*names))).write.parquet(str(folder))
    staged.groups = parquet_files.read(lake.spark, files_in(folder), groups.schema)
    return not dataset.dataset(folder, format="parquet").count_rows()


def _is_changed(staged: Staged, name: str) -> bool:
    return bool(staged.versions[name] != staged.consumed.get(name, -1))


def _has_other_types(lake: Lake, staged: Staged, name: str) -> bool:
    """Whether columns are stored with other types than when they were consumed: the changes cannot be told apart."""
    before = staged.consumed.get(name, -1)
    if before < 0:
        return False
    then, now = log.stored(lake, name, before).types, log.stored(lake, name).types
    return any(now.get(column) != kind for column, kind in then.items())


def _of_groups(rows: DataFrame, read: Read, names: Sequence[str]) -> DataFrame:
    groups = read.groups or {}
    return rows.select(*(F.expr(groups[name]).alias(name) for name in names))


def _of_joined(lake: Lake, staged: Staged, read: Read, changed: DataFrame) -> DataFrame:
    """The groups of the rows of the first read that join rows of another that changed."""
    driver, joins = staged.step.reads[0], read.joins or {}
    keys = changed.select(*(F.expr(sql).alias(f"_key_{n}") for n, sql in enumerate(joins.values()))).distinct()
    on = [F.expr(sql).eqNullSafe(F.col(f"_key_{n}")) for n, sql in enumerate(joins)]
    joined = _all_rows(lake, staged, driver).join(F.broadcast(keys), on, "left_semi")
    return _of_groups(joined, driver, staged.step.recompute or ())


def _has_lost_keys(lake: Lake, staged: Staged, referenced: Table, column: str) -> bool:
    """Whether a key that was known is so no more: rows that were accepted by it must be looked at again."""
    before = staged.consumed.get(referenced.name, -1)
    if before < 0:
        return False
    keys = (*referenced.scope, column)
    gone = delta.changes(lake, referenced, before, staged.versions[referenced.name])
    gone = gone.where("_change_type = 'delete'").select(*keys).distinct()
    return not gone.join(delta.read(lake, referenced).select(*keys), list(keys), "left_anti").isEmpty()


def _changes(lake: Lake, staged: Staged, read: Read) -> DataFrame:
    """The rows of a read that changed since it was consumed, as they were and as they are."""
    name = read.table.name
    before = staged.consumed.get(name, -1)
    if before < 0:
        return _all_rows(lake, staged, read)
    feed = delta.changes(lake, read.table, before, staged.versions[name])
    return _scoped(feed, read)


def _all_rows(lake: Lake, staged: Staged, read: Read) -> DataFrame:
    return _scoped(delta.read(lake, read.table, staged.versions[read.table.name]), read)


def _scoped(rows: DataFrame, read: Read) -> DataFrame:
    return rows.where(read.where) if read.where else rows


def _standing_otherwise(staged: Staged, table: Table) -> list[str]:
    """The deliveries of a bronze table that stand otherwise than when it was consumed."""
    noted = staged.consumed.get(DELIVERIES, {})
    now, then = staged.deliveries.get(table.name, {}), noted.get(table.name, {})
    return sorted(place for place in now.keys() | then.keys() if now.get(place, "") != then.get(place, ""))


def _filters(staged: Staged) -> tuple[Filter, ...]:
    """What is left out on purpose: deliveries that count no more, then what the step declares."""
    return (*_replaced(staged, staged.step.reads[0].table), *staged.step.filters)


def _replaced(staged: Staged, table: Table) -> tuple[Filter, ...]:
    """What leaves out the deliveries of a bronze table that count no more."""
    places = [place for place, name in staged.deliveries.get(table.name, {}).items() if name is None]
    return (Filter("replaced", f"{deliveries.PLACE} IN ({', '.join(map(quoted, places))})"),) if places else ()


def _drops(filtered: Filter) -> Column:
    return F.coalesce(F.expr(filtered.drops), F.lit(False))


def _left(rows: DataFrame, filters: Sequence[Filter]) -> DataFrame:
    """The rows that no filter drops."""
    return rows.where(~reduce(Column.__or__, map(_drops, filters))) if filters else rows


def _standing(staged: Staged, table: Table, rows: DataFrame) -> DataFrame:
    """The rows of a bronze table as its deliveries stand: less those that count no more, in the words of ours."""
    rows = _left(rows, _replaced(staged, table))
    return _respelt(staged, table, _named(staged, table, rows))


def _respelt(staged: Staged, table: Table, rows: DataFrame) -> DataFrame:
    """The rows of a bronze table with the words that are configured for what was delivered."""
    columns = {}
    for name, words in staged.spellings.get(table.name, {}).items():
        pairs = F.create_map(*(F.lit(text) for word, ours in words.items() for text in (word.strip().lower(), ours)))
        columns[name] = F.coalesce(pairs[F.lower(F.trim(name))], F.col(name))
    return rows.withColumns(columns) if columns else rows


def _named(staged: Staged, table: Table, rows: DataFrame) -> DataFrame:
    """The rows of a bronze table with the last name under which their delivery stands."""
    named = {place: name for place, name in staged.deliveries.get(table.name, {}).items() if name is not None}
    if not named:
        return rows
    names = F.create_map(*(F.lit(text) for pair in named.items() for text in pair))
    return rows.withColumn("_source_file", F.coalesce(names[F.expr(deliveries.PLACE)], F.col("_source_file")))


def _reading(staged: Staged) -> dict[str, Column]:
    """What is measured on the rows read: how many, their money, and both for each filter."""
    step = staged.step
    amount = F.coalesce(F.expr(step.amount).cast(WIDE_MONEY), F.lit(ZERO)) if step.amount else F.lit(ZERO)
    measures = {"rows": F.count(F.lit(1)), "amount": F.sum(amount)}
    kept = F.lit(True)
    for filtered in _filters(staged):
        drops = _drops(filtered)
        # A row that several filters drop is counted under the first.
        measures[f"rows {filtered.reason}"] = F.count_if(kept & drops)
        measures[f"amount {filtered.reason}"] = F.sum(F.when(kept & drops, amount))
        kept = kept & ~drops
    return measures


def _note_reading(staged: Staged, measured: Mapping[str, Any]) -> None:
    account = staged.account
    account.rows_read = measured.get("rows") or 0
    account.amount_read = (measured.get("amount") or ZERO) if staged.has_money else None
    for filtered in _filters(staged):
        if count := measured.get(f"rows {filtered.reason}"):
            account.rows_filtered[filtered.reason] = count
            if staged.has_money:
                account.amount_filtered[filtered.reason] = measured.get(f"amount {filtered.reason}") or ZERO


def _kept(staged: Staged, rows: DataFrame) -> DataFrame:
    """The rows that no filter drops; a row-wise step carries each row as it came in `_raw`."""
    driver = staged.step.reads[0].table
    rows = _named(staged, driver, _left(rows, _filters(staged)))
    if staged.is_rowwise:
        amount = F.expr(staged.step.amount).cast(WIDE_MONEY) if staged.step.amount else F.lit(None).cast(WIDE_MONEY)
        rows = rows.withColumns({"_raw": F.struct(*rows.columns), AMOUNT_READ: amount})
    return _respelt(staged, driver, rows)


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
