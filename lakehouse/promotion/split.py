"""What becomes of each row of a batch: the rules that it breaks, and its outcome, in one job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column, DataFrame, Observation, Window
from pyspark.sql import functions as F

from lakehouse.accounts.account import ZERO
from lakehouse.declare.rules import errors_of, known_marker
from lakehouse.declare.table import LINEAGE_COLUMNS, Table
from lakehouse.errors import UsageError
from lakehouse.promotion.staged import STAGED_OUTCOMES, WIDE_MONEY, Staged
from lakehouse.store import delta
from lakehouse.store.lake import Lake


def split_and_write(lake: Lake, staged: Staged, built: DataFrame) -> None:
    """Give every built row its outcome and write the accepted and the quarantined ones, in one job."""
    rows = _with_errors(lake, staged, built)
    rows = _with_outcome(staged, rows)
    observed = Observation(f"outcome {staged.batch_id}")
    if lake.ledger:
        rows = rows.observe(observed, *(value.alias(name) for name, value in _outcomes(staged.step.table).items()))
    rows = rows.where(F.col("_outcome").isin(*STAGED_OUTCOMES))
    rows.write.partitionBy("_outcome").parquet(str(staged.folder / "rows"))
    staged.schema = rows.drop("_outcome").schema
    if lake.ledger:
        _note_outcomes(staged, observed.get)
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


def _with_outcome(staged: Staged, rows: DataFrame) -> DataFrame:
    rejected = F.size("_errors") > 0
    if not staged.is_rowwise:
        return rows.withColumn("_outcome", F.when(rejected, "quarantined").otherwise("accepted"))
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
    outcome = (
        F.when(F.col("_rejected"), "quarantined")
        .when(F.col("_place") == 1, "accepted")
        .when(F.col("_content") == F.col("_newer"), "duplicate")
        .otherwise("superseded")
    )
    return rows.withColumn("_outcome", outcome).drop("_content", "_place", "_newer")


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
    outcome = (
        F.when(F.col("_rejected"), "quarantined")
        .when(F.col("_place") > 1, F.when(F.col("_content") == F.col("_winner"), "duplicate").otherwise("superseded"))
        .when(F.col("_begins"), "accepted")
        .otherwise("folded")
    )
    rows = rows.withColumns({"_outcome": outcome, "__START_AT": F.col(moment), "__END_AT": ends})
    return rows.drop("_place", "_content", "_winner", "_begins")


def _outcomes(table: Table) -> dict[str, Column]:
    """What is measured on the rows built: rows and money by outcome, rows by warning."""
    measures: dict[str, Column] = {}
    for outcome in (*STAGED_OUTCOMES, "duplicate", "superseded", "folded"):
        is_it = F.col("_outcome") == outcome
        measures[f"rows {outcome}"] = F.count_if(is_it)
        if table.amount:
            measures[f"amount {outcome}"] = F.sum(F.when(is_it, F.col(table.amount)).cast(WIDE_MONEY))
    for rule in table.row_rules:
        if rule.action == "warn":
            measures[f"warn {rule.name}"] = F.count_if(rule.breaks() & (F.col("_outcome") == "accepted"))
    if table.counts:
        measures["counted"] = F.sum(table.counts)
    return measures


def _note_outcomes(staged: Staged, measured: Mapping[str, Any]) -> None:
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
