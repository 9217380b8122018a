"""What becomes of each row of a batch: the rules that it breaks, and its outcome, in one job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column, DataFrame, Observation, Window
from pyspark.sql import functions as F

from lakehouse.accounts.account import ZERO
from lakehouse.accounts.ops_tables import WIDE_MONEY
from lakehouse.declare.conform import RESTATED, carried, in_order
from lakehouse.declare.rules import errors_of, known_marker
from lakehouse.declare.table import LINEAGE_COLUMNS, Table
from lakehouse.errors import UsageError
from lakehouse.promotion.staged import AMOUNT_READ, GROUP, STAGED_OUTCOMES, Staged
from lakehouse.store import delta
from lakehouse.store.lake import Lake

_OUTCOMES = (*STAGED_OUTCOMES, "duplicate", "superseded", "restated", "folded")
_LEFT_OUT = ("superseded", "restated")


def split_and_write(lake: Lake, staged: Staged, built: DataFrame) -> None:
    """Give every built row its outcome and write the accepted and the quarantined ones, in one job."""
    rows = _with_outcome(staged, _with_errors(lake, staged, built))
    observed = Observation(f"outcome {staged.batch_id}")
    if lake.ledger:
        rows = rows.observe(observed, *(value.alias(name) for name, value in _outcomes(staged).items()))
    rows = rows.where(F.col("_outcome").isin(*STAGED_OUTCOMES)).drop(AMOUNT_READ)
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
    """The declared columns, the staged helpers, and the rules that a row breaks."""
    table = staged.step.table
    rules = [rule for rule in table.row_rules if rule.action == "quarantine"]
    built = _complete(lake, staged, built)
    for rule in table.row_rules:
        if rule.reference is not None:
            built = _with_marker(lake, built, rule.reference, rule.columns[0])
    own = [name for name in table.all_columns if name not in ("__START_AT", "__END_AT")]
    types = {f.name: f.type for f in table.fields}
    declared = [F.col(name).cast(types[name]).alias(name) if name in types else F.col(name) for name in own]
    helpers = [name for name in built.columns if name.startswith("_") and name not in (*own, "_unread")]
    return built.withColumn("_errors", errors_of(rules)).select(*declared, *helpers, "_errors")


def _complete(lake: Lake, staged: Staged, built: DataFrame) -> DataFrame:
    """Add what a build over several rows cannot carry; a declared column that it does not give is an error."""
    table = staged.step.table
    if missing := [f.name for f in table.fields if f.name not in built.columns]:
        raise UsageError(f"{staged.step.name}: the build does not give {', '.join(missing)}; see the table's fields")
    known = {"_batch_id": F.lit(staged.batch_id), "_ingested_at": F.lit(lake.clock())}
    wanted = {
        "_untyped": F.lit(None).cast("string"),
        "_unread": F.lit(None).cast("map<string, string>"),
        AMOUNT_READ: F.lit(None).cast(WIDE_MONEY),
        RESTATED: F.lit(False),
    }
    if table.has_lineage:
        wanted |= {name: known.get(name, F.lit(None).cast(kind)) for name, (kind, _) in LINEAGE_COLUMNS.items()}
    return built.withColumns({name: value for name, value in wanted.items() if name not in built.columns})


def _with_marker(lake: Lake, rows: DataFrame, referenced: Table, column: str) -> DataFrame:
    marker, key = known_marker(column), [*referenced.scope, column]
    keys = delta.read(lake, referenced).select(*key).distinct().withColumn(marker, F.lit(True))
    found = F.coalesce(F.col(marker), F.lit(False))
    marked = rows.join(keys, key, "left")
    return marked.withColumn(marker, F.when(F.col(column).isNotNull(), found))


def _with_outcome(staged: Staged, rows: DataFrame) -> DataFrame:
    table, recompute = staged.step.table, staged.step.recompute or ()
    if not staged.is_rowwise:
        came = F.to_json(F.struct(*(f.name for f in table.fields)))
        rows = rows.withColumn("_outcome", F.when(F.size("_errors") > 0, "quarantined").otherwise("accepted"))
    else:
        came = F.to_json(F.col("_raw"))
        is_delivered = staged.step.reads[0].table.layer == "bronze"
        rows = _folded(table, rows, is_delivered) if table.write == "scd2" else _deduplicated(table, rows)
    is_refused = F.col("_outcome") == "quarantined"
    rows = rows.withColumns(
        {"_row": F.when(is_refused, came), GROUP: F.when(is_refused, F.to_json(F.struct(*recompute)))}
    )
    return rows.drop("_raw", RESTATED)


def _content_hash(table: Table, without: tuple[str, ...] = ()) -> Column:
    # xxhash64 passes over nulls, so two rows could look alike whose values stand in different columns.
    told = [F.col(f.name) for f in table.fields if f.name not in without]
    return F.xxhash64(*told, *(value.isNull() for value in told))


def _deduplicated(table: Table, rows: DataFrame) -> DataFrame:
    """The newest good row of each key is accepted; one like its next newer one is a duplicate, any other superseded.

    Where the feed does not say which of two is the newer, two rows of a key that differ within one delivery are both
    refused: one of them is wrong, and nothing tells which. There a later delivery that is good also corrects one that
    was refused. A restated row that is like the accepted one is a duplicate.
    """
    delivery = ("_source_file", "_batch_id", "_source_row")
    needed = dict.fromkeys([*table.grain, *table.sequence_by, *delivery, "_errors", RESTATED, "_content"])
    rows = rows.withColumn("_content", _content_hash(table))
    return carried(rows, list(needed), lambda keys: _newest(table, keys)).drop("_content")


def _newest(table: Table, rows: DataFrame) -> DataFrame:
    """The outcome of each row, by its key, content and order."""
    key = Window.partitionBy(*table.grain)
    order = F.struct(*(value.alias(f"_{n}") for n, value in enumerate(in_order(table.sequence_by))))
    # Most keys have one row, which needs no order: names of files take long to be read.
    rows = rows.withColumn("_rows", F.count(F.lit(1)).over(key))
    rows = rows.withColumn("_order", F.when(F.col("_rows") > 1, order))
    is_good = (F.size("_errors") == 0) & ~F.col(RESTATED)
    if not table.has_own_sequence:
        rows = _without_conflicts(table, rows, is_good)
    good = rows.withColumn("_good", is_good)
    of_good = Window.partitionBy(*table.grain, "_good").orderBy(F.col("_order").desc_nulls_last())
    good = good.withColumns({"_place": F.row_number().over(of_good), "_newer": F.lag("_content").over(of_good)})
    good = good.withColumns(
        {
            "_kept_order": F.max(F.when(F.col("_good"), F.col("_order"))).over(key),
            "_kept_content": F.max(F.when(F.col("_good") & (F.col("_place") == 1), F.col("_content"))).over(key),
        }
    )
    is_corrected = F.lit(False) if table.has_own_sequence else F.col("_kept_order") > F.col("_order")
    outcome = (
        F.when(F.col(RESTATED), F.when(F.col("_content") == F.col("_kept_content"), "duplicate").otherwise("restated"))
        .when(~F.col("_good"), F.when(is_corrected, "superseded").otherwise("quarantined"))
        .when(F.col("_place") == 1, "accepted")
        .when(F.col("_content") == F.col("_newer"), "duplicate")
        .otherwise("superseded")
    )
    helpers = ("_rows", "_order", "_good", "_place", "_newer", "_kept_order", "_kept_content")
    return good.withColumn("_outcome", outcome).drop(*helpers)


def _without_conflicts(table: Table, rows: DataFrame, is_good: Column) -> DataFrame:
    """Refuse the rows of a key that differ from another of the same delivery."""
    delivery = Window.partitionBy(*table.grain, "_source_file", "_batch_id")
    content = F.when(is_good, F.col("_content"))
    differ = F.min(content).over(delivery) != F.max(content).over(delivery)
    repeated = F.when(is_good & (F.col("_rows") > 1), F.col("_source_row"))
    rows = rows.withColumns(
        {
            "_differ": is_good & F.coalesce(differ, F.lit(False)),
            "_lines": F.array_sort(F.collect_set(repeated).over(delivery)),
        }
    )
    says = F.concat(
        F.lit(f"{', '.join(table.grain)} must stand once in a delivery, or each time with the same values; it is "),
        F.concat_ws(", ", *(F.coalesce(F.col(name).cast("string"), F.lit("missing")) for name in table.grain)),
        F.lit(" on the lines "),
        F.concat_ws(", ", F.slice("_lines", 1, 5)),
    )
    named = F.array(*map(F.lit, table.grain))
    refused = F.array(F.struct(F.lit("key.conflict").alias("rule"), says.alias("message"), named.alias("columns")))
    errors = F.when(F.col("_differ"), refused).otherwise(F.col("_errors"))
    return rows.withColumn("_errors", errors).drop("_differ", "_lines")


def _folded(table: Table, rows: DataFrame, is_delivered: bool) -> DataFrame:
    """Events become versions: one that changes no attribute is folded into the version before it (SCD type 2).

    Of several events of a key at one time the last by `sequence_by` counts; the others are superseded. Of rows that are
    not delivered themselves, but read from a table, any may be the last, always the same: which delivery stands beside
    such a row depends on the order in which they came.
    """
    moment = table.sequence_by[0]
    rows = rows.withColumns({"_content": _content_hash(table, (moment,)), "_rejected": F.size("_errors") > 0})
    order = in_order(table.sequence_by[1:]) if is_delivered else [F.col("_content")]
    rows = rows.withColumn("_order", F.struct(*(value.alias(f"_{n}") for n, value in enumerate(order))))
    needed = [*table.grain, moment, "_content", "_order", "_rejected"]
    return carried(rows, needed, lambda events: _versions(table, events)).drop("_content", "_order", "_rejected")


def _versions(table: Table, events: DataFrame) -> DataFrame:
    """The outcome of each event, and the span of each version, by its key, moment, content and order."""
    moment, key = table.sequence_by[0], table.grain
    at_once = Window.partitionBy("_rejected", *key, moment).orderBy(F.col("_order").desc_nulls_last())
    rows = events.withColumns({"_place": F.row_number().over(at_once), "_winner": F.first("_content").over(at_once)})
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
    return rows.drop("_place", "_winner", "_begins")


def _outcomes(staged: Staged) -> dict[str, Column]:
    """What is measured on the rows built: rows and money by outcome, rows by warning.

    The money of accepted rows is what the build gives; that of the others what was read, for a refused row may have no
    amount.
    """
    table = staged.step.table
    measures: dict[str, Column] = {}
    for outcome in _OUTCOMES:
        is_it = F.col("_outcome") == outcome
        measures[f"rows {outcome}"] = F.count_if(is_it)
        if table.amount:
            by_build = outcome == "accepted" or not staged.is_rowwise
            value = F.col(table.amount).cast(WIDE_MONEY) if by_build else F.col(AMOUNT_READ)
            measures[f"amount {outcome}"] = F.sum(F.when(is_it, value))
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
    account.rows_warned = {k[5:]: v for k, v in measured.items() if k.startswith("warn ") and v}
    if staged.has_money:
        account.amount_accepted = measured["amount accepted"] or ZERO
        account.amount_quarantined = measured["amount quarantined"] or ZERO
        account.amount_duplicate = measured["amount duplicate"] or ZERO
    for left_out in _LEFT_OUT:
        if rows := measured[f"rows {left_out}"]:
            account.rows_filtered[left_out] = rows
            if staged.has_money:
                account.amount_filtered[left_out] = measured[f"amount {left_out}"] or ZERO
    if table.counts:
        staged.notes["counted"] = [{"rows": measured["counted"] or 0}]
