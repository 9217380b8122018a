"""The first half of the road: read what is new, build, split by the rules, and lay the batch down for the gate.

A batch is computed once, in one job that also takes its measures: what was read (at the input), and what became of it
(at the output). The number of jobs does not depend on the number of rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

from pyarrow import dataset
from pyspark.sql import Column, DataFrame, Observation, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from lakehouse import delta, files, ledger, snapshot
from lakehouse.errors import AccountsImbalance, UsageError
from lakehouse.lake import Lake
from lakehouse.ledger import ZERO, Account
from lakehouse.rules import errors_of, known_marker
from lakehouse.table import LINEAGE_COLUMNS, Read, Step, Table

STAGED_FATES = ("accepted", "quarantined")
WIDE_MONEY = "decimal(28,2)"


@dataclass
class Staged:
    """A batch on its way: where its rows are, what was read for it, and its account so far.

    `consumed` and `versions` are the versions of the tables read, before and now. `groups` are the groups that are
    computed again; None stands for all.
    """

    step: Step
    batch_id: str
    folder: Path
    full: bool = False
    consumed: dict[str, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    groups: DataFrame | None = None
    schema: StructType = field(default_factory=StructType)
    account: Account = field(default_factory=Account)
    files: tuple[files.FileReport, ...] = ()
    notes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def path(self, fate: str) -> Path:
        """Folder of the staged rows of one fate; there is none where no row has it."""
        return fate_folder(self.folder, fate)

    def rows(self, lake: Lake, fate: str) -> DataFrame:
        """The staged rows of one fate."""
        if not self.path(fate).is_dir():
            return lake.spark.createDataFrame([], self.schema)
        return lake.spark.read.schema(self.schema).parquet(str(self.path(fate)))

    def parts(self, fate: str) -> dataset.Dataset:
        """The staged rows of one fate as files, for small questions without Spark."""
        return dataset.dataset(self.path(fate), format="parquet")

    @property
    def is_rowwise(self) -> bool:
        """Whether each row built stands for one row read; otherwise rows are aggregates of groups."""
        return self.step.recompute is None or self.step.table.write == "scd2"

    @property
    def has_money(self) -> bool:
        """Whether the money of the rows is accounted for."""
        return self.step.amount is not None and self.step.table.amount is not None


def fate_folder(folder: Path, fate: str) -> Path:
    """Where the rows of one fate lie in a staging folder, as Spark names a partition."""
    return folder / "rows" / f"_fate={fate}"


# --- files ------------------------------------------------------------------------------------------------------------


def stage_files(lake: Lake, step: Step, batch_id: str, folder: Path, inputs: Path) -> Staged | None:
    """Read the delivered files that are new into staging; None where nothing is new."""
    recorded = _recorded_files(lake, step)
    loaded = {file_id for (_, file_id), status in recorded.items() if status == "loaded"}
    delivery = files.discover(step.feed, inputs, loaded)
    rows = folder / "rows"
    reports: list[files.FileReport] = []
    if delivery.new:
        tasks = lake.settings.stage_tasks
        reports = files.read_files(
            lake.spark, delivery.new, step.feed, step.table, str(rows), batch_id, lake.clock(), tasks
        )
        for fate in STAGED_FATES:
            if (rows / fate).is_dir():
                (rows / fate).rename(fate_folder(folder, fate))
    known = [files.FileReport(f.file, f.file_id, f.size_bytes, "known", "") for f in delivery.known]
    told = [r for r in (*delivery.unreadable, *reports, *known) if (r.file, r.file_id) not in recorded]
    unreadable = [r for r in (*delivery.unreadable, *reports) if r.status == "unreadable"]
    if not told and not unreadable:
        return None
    staged = Staged(step, batch_id, folder, schema=step.table.schema)
    staged.files = tuple(dict.fromkeys([*told, *unreadable]))
    staged.account = _file_account(staged, [r for r in told if r.status == "loaded"])
    staged.notes[ledger.FILES.name] = [_file_row(r) for r in told]
    staged.notes[ledger.SCHEMA_DRIFT.name] = _drift(told)
    return staged


def _recorded_files(lake: Lake, step: Step) -> dict[tuple[str, str], str]:
    """What is known of this step's files: (name, content hash) -> status, from `ops.files` and unmoved journals."""
    rows = [row for j in ledger.journals(lake) if j.state == "done" for row in j.rows.get(ledger.FILES.name, [])]
    rows += snapshot.rows(lake, ledger.FILES, ("step", "=", step.name)).to_pylist()
    return {(row["file"], row["file_id"]): row["status"] for row in rows if row["step"] == step.name}


def _file_row(report: files.FileReport) -> dict[str, Any]:
    names = {f.name for f in ledger.FILES.fields}
    return {key: value for key, value in asdict(report).items() if key in names}


def _drift(reports: list[files.FileReport]) -> list[dict[str, Any]]:
    first: dict[tuple[str, str], str] = {}
    for report in reports:
        for change, columns in (("new", report.new_columns), ("missing", report.missing_columns)):
            for column in columns:
                first.setdefault((column, change), report.file)
    return [{"file": file, "column": column, "change": change} for (column, change), file in first.items()]


def _file_account(staged: Staged, loaded: list[files.FileReport]) -> Account:
    """Rows read are counted from physical lines, rows accepted and quarantined from what lies in staging."""
    blank = sum(r.blank_lines for r in loaded)
    counts = {fate: staged.parts(fate).count_rows() for fate in STAGED_FATES if staged.path(fate).is_dir()}
    return Account(
        rows_read=sum(r.lines - r.header_lines - r.continuation_lines for r in loaded),
        rows_accepted=counts.get("accepted", 0),
        rows_quarantined=counts.get("quarantined", 0),
        rows_filtered={"blank_line": blank} if blank else {},
    )


# --- rows of tables: read ---------------------------------------------------------------------------------------------


def stage_rows(
    lake: Lake, step: Step, batch_id: str, folder: Path, head: delta.Head | None, full: bool
) -> Staged | None:
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
    _split_and_write(lake, staged, step.build(**inputs))
    if not step.recompute and lake.ledger:
        _note_reading(staged, observed.get)
    if lake.ledger and not staged.is_rowwise:
        _account_for_groups(staged)
    return staged


def _version(lake: Lake, table: Table) -> int:
    head = delta.head(lake, table.name)
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


def _split_and_write(lake: Lake, staged: Staged, built: DataFrame) -> None:
    """Give every built row its fate and write the accepted and the quarantined ones, in one job."""
    rows = _with_errors(lake, staged, built)
    rows = _with_fate(staged, rows)
    observed = Observation(f"fate {staged.batch_id}")
    if lake.ledger:
        rows = rows.observe(observed, *(value.alias(name) for name, value in _fates(staged.step.table).items()))
    rows = rows.where(F.col("_fate").isin(*STAGED_FATES))
    rows.write.partitionBy("_fate").parquet(str(staged.folder / "rows"))
    staged.schema = rows.drop("_fate").schema
    if lake.ledger:
        _note_fates(staged, observed.get)
        if staged.account.rows_quarantined:
            staged.account.rows_rejected_by_rule = _count_by_rule(staged)


def _count_by_rule(staged: Staged) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for batch in staged.parts("quarantined").to_batches(columns=["_errors"]):
        counts.update(batch["_errors"].flatten().field("rule").to_pylist())
    return dict(sorted(counts.items()))


def _with_errors(lake: Lake, staged: Staged, built: DataFrame) -> DataFrame:
    """The declared columns and the staged helpers, the rules that a row breaks, and the row as it came if it does."""
    table = staged.step.table
    rules = [rule for rule in table.row_rules if rule.action == "quarantine"]
    built = _complete(lake, staged, built)
    for rule in table.row_rules:
        if rule.reference is not None:
            built = _with_marker(lake, built, rule.reference, rule.columns[0])
    own = [name for name in table.all_columns if name not in ("__START_AT", "__END_AT")]
    types = {f.name: f.type for f in table.fields}
    declared = [F.col(name).cast(types[name]).alias(name) if name in types else F.col(name) for name in own]
    helpers = [name for name in built.columns if name.startswith("_") and name not in (*own, "_raw", "_unread")]
    came = F.to_json(F.col("_raw")) if "_raw" in built.columns else F.to_json(F.struct(*types))
    errors = errors_of(rules)
    return built.withColumn("_errors", errors).select(
        *declared, *helpers, "_errors", F.when(F.size("_errors") > 0, came).alias("_row")
    )


def _complete(lake: Lake, staged: Staged, built: DataFrame) -> DataFrame:
    """Add what a build over several rows cannot carry; a declared column that it does not give is an error."""
    table = staged.step.table
    if missing := [f.name for f in table.fields if f.name not in built.columns]:
        raise UsageError(f"{staged.step.name}: the build does not give {', '.join(missing)}; see the table's fields")
    known = {"_batch_id": F.lit(staged.batch_id), "_ingested_at": F.lit(lake.clock())}
    wanted = {"_untyped": F.lit(None).cast("string"), "_unread": F.lit(None).cast("map<string, string>")}
    if table.has_lineage:
        wanted |= {name: known.get(name, F.lit(None).cast(kind)) for name, (kind, _) in LINEAGE_COLUMNS.items()}
    return built.withColumns({name: value for name, value in wanted.items() if name not in built.columns})


def _with_marker(lake: Lake, rows: DataFrame, referenced: Table, column: str) -> DataFrame:
    marker = known_marker(column)
    keys = delta.read(lake, referenced).select("shop_id", column).distinct().withColumn(marker, F.lit(True))
    found = F.coalesce(F.col(marker), F.lit(False))
    marked = rows.join(keys, ["shop_id", column], "left")
    return marked.withColumn(marker, F.when(F.col(column).isNotNull(), found))


def _with_fate(staged: Staged, rows: DataFrame) -> DataFrame:
    rejected = F.size("_errors") > 0
    if not staged.is_rowwise:
        return rows.withColumn("_fate", F.when(rejected, "quarantined").otherwise("accepted"))
    rows = rows.withColumn("_rejected", rejected)
    if staged.step.table.write == "scd2":
        return _folded(staged.step.table, rows).drop("_rejected")
    return _deduplicated(staged.step.table, rows).drop("_rejected")


def _content_hash(table: Table, without: tuple[str, ...] = ()) -> Column:
    return F.xxhash64(*(F.col(f.name) for f in table.fields if f.name not in without))


def _deduplicated(table: Table, rows: DataFrame) -> DataFrame:
    """The newest row of each key is accepted; one like its next newer one is a duplicate, any other is superseded."""
    newest_first = [F.col(name).desc_nulls_last() for name in table.sequence_by]
    of_key = Window.partitionBy("_rejected", *table.grain).orderBy(*newest_first)
    rows = rows.withColumn("_content", _content_hash(table))
    rows = rows.withColumns({"_place": F.row_number().over(of_key), "_newer": F.lag("_content").over(of_key)})
    fate = (
        F.when(F.col("_rejected"), "quarantined")
        .when(F.col("_place") == 1, "accepted")
        .when(F.col("_content") == F.col("_newer"), "duplicate")
        .otherwise("superseded")
    )
    return rows.withColumn("_fate", fate).drop("_content", "_place", "_newer")


def _folded(table: Table, rows: DataFrame) -> DataFrame:
    """Events become versions: one that changes no attribute is folded into the version before it (SCD type 2).

    Of several events of a key at one time the last by `sequence_by` counts; the others are superseded.
    """
    moment = table.sequence_by[0]
    key = table.grain
    at_once = Window.partitionBy("_rejected", *key, moment).orderBy(
        *(F.col(name).desc_nulls_last() for name in table.sequence_by[1:])
    )
    rows = rows.withColumns({"_place": F.row_number().over(at_once), "_content": _content_hash(table, (moment,))})
    rows = rows.withColumn("_winner", F.first("_content").over(at_once))
    counts = ~F.col("_rejected") & (F.col("_place") == 1)
    in_time = Window.partitionBy(counts, *key).orderBy(moment)
    rows = rows.withColumn("_begins", ~F.coalesce(F.lag("_content").over(in_time) == F.col("_content"), F.lit(False)))
    versions = Window.partitionBy(counts & F.col("_begins"), *key).orderBy(moment)
    ends = F.lead(moment).over(versions)
    fate = (
        F.when(F.col("_rejected"), "quarantined")
        .when(F.col("_place") > 1, F.when(F.col("_content") == F.col("_winner"), "duplicate").otherwise("superseded"))
        .when(F.col("_begins"), "accepted")
        .otherwise("folded")
    )
    rows = rows.withColumns({"_fate": fate, "__START_AT": F.col(moment), "__END_AT": ends})
    return rows.drop("_place", "_content", "_winner", "_begins")


def _fates(table: Table) -> dict[str, Column]:
    """What is measured on the rows built: rows and money by fate, rows by warning."""
    measures: dict[str, Column] = {}
    for fate in (*STAGED_FATES, "duplicate", "superseded", "folded"):
        is_it = F.col("_fate") == fate
        measures[f"rows {fate}"] = F.count_if(is_it)
        if table.amount:
            measures[f"amount {fate}"] = F.sum(F.when(is_it, F.col(table.amount)).cast(WIDE_MONEY))
    for rule in table.row_rules:
        if rule.action == "warn":
            measures[f"warn {rule.name}"] = F.count_if(rule.breaks() & (F.col("_fate") == "accepted"))
    if table.counts:
        measures["counted"] = F.sum(table.counts)
    return measures


def _note_fates(staged: Staged, measured: Mapping[str, Any]) -> None:
    account, table = staged.account, staged.step.table
    account.rows_accepted = measured["rows accepted"]
    account.rows_quarantined = measured["rows quarantined"]
    account.rows_duplicate = measured["rows duplicate"]
    account.rows_folded = measured["rows folded"]
    if superseded := measured["rows superseded"]:
        account.rows_filtered["superseded"] = superseded
    account.rows_warned = {k[5:]: v for k, v in measured.items() if k.startswith("warn ") and v}
    if staged.has_money:
        account.amount_accepted = measured["amount accepted"] or ZERO
        account.amount_quarantined = measured["amount quarantined"] or ZERO
        account.amount_duplicate = measured["amount duplicate"] or ZERO
        if superseded:
            account.amount_filtered["superseded"] = measured["amount superseded"] or ZERO
    if table.counts:
        staged.notes["counted"] = [{"rows": measured["counted"] or 0}]


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
