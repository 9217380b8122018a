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
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from lakehouse.accounts.journal import Journal
from lakehouse.declare.conform import RESUBMITTED
from lakehouse.declare.table import LINEAGE_COLUMNS, Field, Step, Table
from lakehouse.errors import UsageError
from lakehouse.intake.feeds import Feed
from lakehouse.intake.records import RESCUED
from lakehouse.promotion.staged import GROUP, Staged, outcome_folder
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

    `again` says that a part of it may be done already.
    """
    quarantine = quarantine_of(table)
    path, groups = outcome_folder(folder, "quarantined"), folder / "groups"
    held = log.exists(lake, quarantine.name)
    if not path.is_dir() and not (held and journal.notes["repeats"]):
        return
    made = ("_row_id", "_step", "_quarantined_at", "_resubmitted_at")
    schema = StructType([quarantine.schema[name] for name in quarantine.all_columns if name not in made])
    reader = lake.spark.read.schema(schema)
    rows = reader.parquet(str(path)) if path.is_dir() else lake.spark.createDataFrame([], schema)
    rows = rows.withColumns(
        {
            "_row_id": _row_id(),
            "_step": F.lit(journal.step),
            "_batch_id": F.lit(journal.batch_id),
            "_quarantined_at": F.lit(lake.clock()),
            "_resubmitted_at": F.lit(None).cast("timestamp"),
        }
    ).select(*quarantine.all_columns)
    if not held or not (journal.notes["repeats"] or again):
        delta.append(lake, quarantine, rows)
        return
    waiting = delta.read(lake, quarantine).where(F.col("_step") == journal.step)
    if not journal.notes["replaces"]:
        columns = lake.spark.read.parquet(str(groups)) if groups.is_dir() else None
        if columns is None:  # files are read once: nothing is released
            waiting = waiting.limit(0)
        else:
            computed = columns.select(F.to_json(F.struct(*columns.columns)).alias(GROUP)).distinct()
            waiting = waiting.join(F.broadcast(computed), GROUP, "left_semi")
    released = waiting.join(rows.select("_row_id"), "_row_id", "left_anti")
    delta.keep_quarantine(lake, quarantine, rows, released.select(*quarantine.all_columns))


def held(lake: Lake, staged: Staged) -> int:
    """How many of the refused rows of a batch lie in quarantine already, for the same rules."""
    quarantine = quarantine_of(staged.step.table)
    if not log.exists(lake, quarantine.name):
        return 0
    schema = StructType([quarantine.schema[name] for name in ("_row", "_source_file", "_source_row", "_errors")])
    rows = lake.spark.read.schema(schema).parquet(str(staged.path("quarantined")))
    own = delta.read(lake, quarantine).where(F.col("_step") == staged.step.name)
    rules = F.sort_array("_errors.rule").alias("rules")
    return (
        rows.select(_row_id().alias("_row_id"), rules).join(own.select("_row_id", rules), ["_row_id", "rules"]).count()
    )


def _row_id() -> Column:
    return F.sha2(F.concat_ws("|", "_row", "_source_file", F.col("_source_row").cast("string")), 256)


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
