"""Rows that were refused: what waits, why, and how it is delivered again.

A resubmitted row takes the same road as any other: it is written to a file as its feed would deliver it, and that file
is taken in like every file, through bronze and all rules.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from lakehouse.accounts.journal import Journal
from lakehouse.declare.conform import RESUBMITTED
from lakehouse.declare.table import LINEAGE_COLUMNS, Field, Step, Table
from lakehouse.errors import UsageError
from lakehouse.intake.feeds import Feed
from lakehouse.intake.records import RESCUED
from lakehouse.promotion.staged import GROUP, Staged, files_in, outcome_folder
from lakehouse.store import arrow, delta, log
from lakehouse.store.lake import Lake


@dataclass(frozen=True)
class Waiting:
    """Rows of one table that broke one rule; a row that breaks two is in two of these."""

    table: str
    rule: str
    rows: int
    resubmitted: int
    last_at: datetime


@dataclass(frozen=True)
class Refused:
    """One refused row: where it came from, why it was refused, and the row as it came."""

    row_id: str
    step: str
    file: str | None
    line: int | None
    reasons: tuple[str, ...]
    row: str
    resubmitted_at: datetime | None


def waiting(lake: Lake, steps: Sequence[Step]) -> list[Waiting]:
    """What lies in the quarantines of the steps' tables, by table and rule."""
    found = []
    for table in dict.fromkeys(step.table for step in steps):
        quarantine = quarantine_of(table)
        if not log.exists(lake, quarantine.name):
            continue
        counts: dict[str, Waiting] = {}
        for part in arrow.parts(lake, quarantine, ("_errors", "_quarantined_at", "_resubmitted_at")):
            for each in by_rule(part):
                rule, rows, again, last = (each[name] for name in ("rule", "rows", "resubmitted", "last_at"))
                if (before := counts.get(rule)) is not None:
                    rows, again = before.rows + rows, before.resubmitted + again
                    last = max(before.last_at, last)
                counts[rule] = Waiting(table.name, rule, rows, again, last)
        found += [counts[rule] for rule in sorted(counts)]
    return found


def by_rule(part: pa.Table) -> list[dict[str, Any]]:
    """Of some refused rows, for each rule: how many, how many resubmitted, when last, and the place of one of them."""
    errors = part["_errors"].combine_chunks()
    broken = pa.table({"rule": pc.struct_field(pc.list_flatten(errors), "rule"), "row": pc.list_parent_indices(errors)})
    broken = broken.group_by(["rule", "row"]).aggregate([])
    at = part["_quarantined_at"].take(broken["row"])
    again = pc.cast(pc.is_valid(part["_resubmitted_at"].take(broken["row"])), pa.int64())
    known = broken.append_column("at", at).append_column("again", again)
    sums = known.group_by("rule").aggregate([("row", "count"), ("again", "sum"), ("at", "max"), ("row", "max")])
    return [
        {"rule": r["rule"], "rows": r["row_count"], "resubmitted": r["again_sum"]}
        | {"last_at": r["at_max"], "row": r["row_max"]}
        for r in sums.to_pylist()
    ]


def refused(
    lake: Lake, steps: Sequence[Step], table: str, rule: str | None = None, limit: int | None = None
) -> list[Refused]:
    """Refused rows of a table, those of a rule if one is named, in the order of their files."""
    rows = _quarantine(lake, steps, table)
    if rule is not None:
        rows = rows.where(F.array_contains(F.col("_errors.rule"), rule))
    rows = rows.orderBy("_source_file", "_source_row", "_row_id")
    collected = (rows if limit is None else rows.limit(limit)).collect()
    return [
        Refused(
            row["_row_id"],
            row["_step"],
            row["_source_file"],
            row["_source_row"],
            tuple(error["message"] for error in row["_errors"]),
            row["_row"],
            row["_resubmitted_at"],
        )
        for row in collected
    ]


def deliver_again(
    lake: Lake, steps: Sequence[Step], table: str, rule: str | None, corrections: Mapping[str, str]
) -> tuple[Step, list[str]]:
    """Write the waiting rows of a silver table, corrected, as a file of their feed.

    Returns the step that reads the file, and the ids of the rows. The file lies below `ops/resubmitted/<source>`; the
    same rows give the same file, so doing it twice changes nothing.
    """
    rows = [row for row in refused(lake, steps, table, rule) if row.resubmitted_at is None]
    if not rows:
        raise UsageError(
            f"{table}: no row waits in quarantine{f' for {rule}' if rule else ''}; see: quarantine.py list"
        )
    names = {row.step for row in rows}
    if len(names) > 1:
        raise UsageError(
            f"{table}: the rows come from several sources ({', '.join(sorted(names))}); name one by --source"
        )
    reader = _reader_of(steps, next(step for step in steps if step.name in names))
    feed = reader.feed
    if unknown := sorted(set(corrections) - set(feed.columns)):
        raise UsageError(
            f"--set: {reader.table.name} has no column {', '.join(unknown)}; it has {', '.join(feed.columns)}"
        )
    records = [_as_delivered(json.loads(row.row), feed) | _renamed(corrections, feed) for row in rows]
    _write(resubmitted_folder(lake, feed), feed, _text(records, feed))
    return reader, [row.row_id for row in rows]


def deliver_corrected(lake: Lake, steps: Sequence[Step], table: str, corrected: Path) -> tuple[Step, list[str]]:
    """Take a corrected file for the broken lines of a bronze table; returns the step that reads it, and row ids."""
    step = next((s for s in steps if s.table.name == table and s.feed), None)
    if step is None:
        raise UsageError(f"--file is for bronze tables; {table} is resubmitted without it")
    if not corrected.is_file():
        raise UsageError(f"--file {corrected}: there is no such file")
    ids = [row.row_id for row in refused(lake, steps, table) if row.resubmitted_at is None]
    _write(resubmitted_folder(lake, step.feed), step.feed, corrected.read_text(step.feed.encoding))
    return step, ids


def mark(lake: Lake, steps: Sequence[Step], table: str, row_ids: Sequence[str]) -> int:
    """Note that rows were resubmitted; returns how many."""
    declared = next(step.table for step in steps if step.table.name == table)
    listed = ", ".join(f"'{row_id}'" for row_id in row_ids)
    if not row_ids:
        return 0
    moment = f"TIMESTAMP '{lake.clock():%Y-%m-%d %H:%M:%S}'"
    where = f"_row_id IN ({listed}) AND _resubmitted_at IS NULL"
    return delta.update(lake, quarantine_of(declared), where, {"_resubmitted_at": moment})


def resubmitted_folder(lake: Lake, feed: Feed) -> Path:
    """Where the resubmitted files of a source lie."""
    return lake.warehouse / "ops" / "resubmitted" / feed.source


def _quarantine(lake: Lake, steps: Sequence[Step], table: str) -> DataFrame:
    declared = {step.table.name: step.table for step in steps}
    if table not in declared:
        raise UsageError(f"{table}: unknown table; known tables: {', '.join(sorted(declared))}")
    return delta.read(lake, quarantine_of(declared[table]))


def _reader_of(steps: Sequence[Step], step: Step) -> Step:
    if step.feed:
        raise UsageError(
            f"{step.table.name}: these lines could not be read as records; print them with `show`, correct them in a "
            "file with a header, and resubmit that with --file"
        )
    source = step.reads[0].table
    reader = next((s for s in steps if s.feed and s.table.name == source.name), None)
    if reader is None:
        raise UsageError(
            f"{step.table.name}: its rows are computed from {source.name}; resubmit the rows refused there"
        )
    return reader


def _as_delivered(row: Mapping[str, Any], feed: Feed) -> dict[str, Any]:
    """A bronze row under the names of its feed, with what bronze had rescued."""
    own = {names[0]: row.get(column) for column, names in feed.columns.items()}
    rescued: dict[str, Any] = json.loads(row.get(RESCUED) or "{}")
    return own | rescued


def _renamed(corrections: Mapping[str, str], feed: Feed) -> dict[str, str]:
    return {feed.columns[column][0]: value for column, value in corrections.items()}


def _text(records: Sequence[Mapping[str, Any]], feed: Feed) -> str:
    if feed.format == "jsonl":
        return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    out = io.StringIO()
    names = list(dict.fromkeys(name for record in records for name in record))
    writer = csv.DictWriter(out, names, delimiter=feed.delimiter, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue()


def _write(folder: Path, feed: Feed, text: str) -> None:
    content = hashlib.sha256(text.encode()).hexdigest()[:12]
    name = feed.pattern.removesuffix("*").replace("*", f"{RESUBMITTED}{content}")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(path.suffix + ".part")
    scratch.write_text(text, encoding=feed.encoding)
    scratch.replace(path)


def keep(lake: Lake, table: Table, journal: Journal, folder: Path, *, again: bool) -> None:
    """Keep the refused rows of a batch; those of groups that were computed again and are refused no more are released.

    A row that is refused again for other reasons waits for those. `again` says that a part of it may be done already.
    """
    quarantine, path = quarantine_of(table), outcome_folder(folder, "quarantined")
    has_rows, repeats = bool(files_in(path)), journal.notes["repeats"] or again
    if not has_rows and not (repeats and log.exists(lake, quarantine.name)):
        return
    delta.compact(lake, quarantine)
    rows = _refused_rows(lake, quarantine, path, journal) if has_rows else quarantine.arrow_schema.empty_table()
    if not repeats or not log.exists(lake, quarantine.name):
        delta.append_table(lake, quarantine, rows)
        return
    delta.evolve(lake, quarantine)
    refused = dict(zip(rows["_row_id"].to_pylist(), rows["_errors"].to_pylist(), strict=True))
    computed = None if journal.notes["replaces"] else _groups(folder)
    held: set[str] = set()
    touched = []
    for file in arrow.files(lake, quarantine):
        replaced, lost = list[int](), list[int]()
        for place, row in enumerate(file.read(["_row_id", "_errors", "_step", GROUP]).to_pylist()):
            is_own, errors = row["_step"] == journal.step, refused.get(row["_row_id"])
            if is_own and errors is not None:
                held.add(row["_row_id"])
                if errors != row["_errors"]:
                    replaced.append(place)
            elif is_own and (computed is None or row[GROUP] in computed):
                lost.append(place)
        if replaced or lost:
            places = (pa.array(found, pa.int64()) for found in (replaced, lost))
            touched.append(delta.Rewritten.of(quarantine, file, *places))
    new = rows.filter(pa.array([row_id not in held for row_id in rows["_row_id"].to_pylist()], pa.bool_()))
    if touched:
        changed = pa.concat_tables(each.before for each in touched)
        errors = pa.array(map(refused.get, changed["_row_id"].to_pylist()), changed.schema.field("_errors").type)
        changed = changed.set_column(changed.schema.get_field_index("_errors"), changed.schema.field("_errors"), errors)
        delta.rewrite(lake, quarantine, touched, changed, new)
    elif len(new):
        delta.append_table(lake, quarantine, new)


def held(lake: Lake, staged: Staged) -> int:
    """How many of the refused rows of a batch lie in quarantine already, for the same rules."""
    quarantine = quarantine_of(staged.step.table)
    waiting = arrow.rows(lake, quarantine, ("_step", "=", staged.step.name))
    known = set(zip(waiting["_row_id"].to_pylist(), map(_rules, waiting["_errors"].to_pylist()), strict=True))
    rows = _rows_of(staged.path("quarantined"))
    return sum((_row_id(row), _rules(row["_errors"])) in known for row in rows)


def _refused_rows(lake: Lake, quarantine: Table, path: Path, journal: Journal) -> pa.Table:
    made = {"_step": journal.step, "_batch_id": journal.batch_id, "_quarantined_at": lake.clock()}
    rows = [{**row, **made, "_row_id": _row_id(row)} for row in _rows_of(path)]
    return pa.Table.from_pylist(rows, quarantine.arrow_schema)


def _rows_of(path: Path) -> list[dict[str, Any]]:
    staged = dataset.dataset(path, format="parquet")
    own = [name for name in ("_row", "_errors", GROUP, *LINEAGE_COLUMNS) if name in staged.schema.names]
    rows: list[dict[str, Any]] = staged.to_table(own).to_pylist()
    return rows


def _groups(folder: Path) -> set[str]:
    """The groups that were computed again, as refused rows name theirs; files are read once: none."""
    groups = folder / "groups"
    return set(dataset.dataset(groups).to_table([GROUP])[GROUP].to_pylist()) if groups.is_dir() else set()


def _rules(errors: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(sorted(error["rule"] for error in errors))


def _row_id(row: Mapping[str, Any]) -> str:
    told = (row.get(name) for name in ("_row", "_source_file", "_source_row"))
    return hashlib.sha256("|".join(str(value) for value in told if value is not None).encode()).hexdigest()


def waiting_groups(lake: Lake, step: Step, rule: str) -> DataFrame:
    """The groups of a step that rows in quarantine belong to which wait for a key that another table lacked."""
    columns = StructType([step.table.schema[name] for name in step.recompute or ()])
    quarantine = quarantine_of(step.table)
    waiting = delta.read(lake, quarantine).where(
        (F.col("_step") == step.name) & F.array_contains(F.col("_errors.rule"), rule)
    )
    found = waiting.select(F.from_json(GROUP, columns).alias("group"))
    return found.select(*(F.col("group")[name].alias(name) for name in columns.names))


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
            Field(GROUP, "string", "JSON of the group that is computed again when what the row waits for arrives"),
            Field("_quarantined_at", "timestamp", "when it was refused (UTC)"),
            Field("_resubmitted_at", "timestamp", "when it was resubmitted (UTC); null while it waits"),
            *(Field(name, kind, said) for name, (kind, said) in LINEAGE_COLUMNS.items()),
        ),
        "one row per refused row",
        has_lineage=False,
    )
