"""One fact in two places: what tables say of the same key, compared, so that they do not drift apart in silence.

`findings` is a helper of builds: what does not agree becomes the rows of the table that `findings_table` declares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.declare.rules import holds, not_null, one_of
from lakehouse.declare.table import Field, Table

NAME = "ops.reconciliation"
DIFFERS, LEFT_MISSING, RIGHT_MISSING = "differs", "left_missing", "right_missing"
_AMOUNT = "decimal(30,3)"


@dataclass(frozen=True)
class Facts:
    """What a table says of a key: SQL aggregates over its rows of the key, each under a name that no other has."""

    table: Table
    said: Mapping[str, str]


@dataclass(frozen=True)
class Reconciliation:
    """Two tables that state the same amount; `says` is the sentence that must hold.

    `left` and `right` are a table and SQL over the facts of a key (those of any table; null where it says nothing of
    the key). A key of which the table itself says nothing counts as 0, and an amount that is null is not known: it is
    not compared, nor are keys for which `where` is not true. The amounts may differ by `tolerance`, SQL too.
    """

    name: str
    says: str
    left: tuple[Table, str]
    right: tuple[Table, str]
    where: str = "true"
    tolerance: str = "0"


def findings_table(key: Sequence[Field], scope: tuple[str, ...], reconciliations: Sequence[Reconciliation]) -> Table:
    """The table of what does not agree, by reconciliation and key; its name is `NAME`."""
    told = "; ".join(f"{each.name}: {each.says}" for each in reconciliations)
    return Table(
        name=NAME,
        meaning="What two tables state differently of the same key; a finding that is settled is gone.",
        grain=("reconciliation", *(field.name for field in key)),
        scope=scope,
        fields=(
            Field(
                "reconciliation",
                "string",
                f"what was compared. {told}",
                rules=(one_of([each.name for each in reconciliations], "fail"),),
            ),
            *key,
            Field(
                "kind",
                "string",
                "differs, or left_missing, right_missing: that table says nothing of the key",
                rules=(one_of((DIFFERS, LEFT_MISSING, RIGHT_MISSING), "fail"),),
            ),
            Field("left_table", "string", "table that states the left amount"),
            Field("left_amount", _AMOUNT, "what it states; null where it says nothing of the key", "currency"),
            Field("right_table", "string", "table that states the right amount"),
            Field("right_amount", _AMOUNT, "what it states; null where it says nothing of the key", "currency"),
            Field("difference", _AMOUNT, "left_amount - right_amount", "currency", rules=(not_null("fail"),)),
            Field("tolerance", _AMOUNT, "difference that is allowed", "currency", rules=(not_null("fail"),)),
            Field("finding", "string", "both amounts as a sentence"),
        ),
        row_law="One row per reconciliation and key whose amounts differ by more than is allowed; only what both "
        "tables were delivered for is compared.",
        rules=(
            holds(
                "difference.beyond",
                ("difference", "tolerance"),
                "difference must be more than is allowed",
                "abs(difference) > tolerance",
                "fail",
            ),
        ),
        has_lineage=False,
    )


def findings(
    reconciliations: Sequence[Reconciliation], facts: Sequence[Facts], table: Table, frames: Mapping[str, DataFrame]
) -> DataFrame:
    """The rows of `table` (see `findings_table`): what the frames, by the tables' short names, state differently.

    Two tables are compared within the scopes (such as shops) of which both have rows.
    """
    key = [name for name in table.grain if name != "reconciliation"]
    said = reduce(lambda a, b: a.join(b, key, "full"), (_said(each, frames, key) for each in facts))
    for each in facts:
        present = frames[each.table.short_name].select(*table.scope).distinct()
        said = said.join(F.broadcast(present.withColumn(_present(each.table), F.lit(True))), list(table.scope), "left")
    found = F.explode(F.array_compact(F.array(*(_finding(each) for each in reconciliations))))
    return said.select(*key, found.alias("found")).select(*key, "found.*").select(*table.all_columns)


def _said(facts: Facts, frames: Mapping[str, DataFrame], key: Sequence[str]) -> DataFrame:
    told = [F.expr(sql).alias(name) for name, sql in facts.said.items()]
    rows = frames[facts.table.short_name]
    return rows.groupBy(*key).agg(F.lit(True).alias(_knows(facts.table)), *told)


def _knows(table: Table) -> str:
    """The column that says whether a table has rows of the key."""
    return f"_knows_{table.short_name}"


def _present(table: Table) -> str:
    """The column that says whether a table has rows of the scope."""
    return f"_present_{table.short_name}"


def _finding(each: Reconciliation) -> Column:
    """What becomes of one reconciliation of a key: a struct, or null where it agrees or is not compared."""
    (left_table, left_sql), (right_table, right_sql) = each.left, each.right
    has_left, has_right = (F.coalesce(F.col(_knows(table)), F.lit(False)) for table in (left_table, right_table))
    left, right = (F.expr(sql).cast(_AMOUNT) for sql in (left_sql, right_sql))
    difference = F.when(has_left, left).otherwise(0) - F.when(has_right, right).otherwise(0)
    tolerance = F.expr(each.tolerance).cast(_AMOUNT)
    is_compared = F.col(_present(left_table)) & F.col(_present(right_table)) & F.expr(each.where)
    kind = F.when(~has_left, LEFT_MISSING).when(~has_right, RIGHT_MISSING).otherwise(DIFFERS)
    sides = ((left_table, has_left, left), (right_table, has_right, right))
    told = [F.concat(F.lit(f"{t.name} says "), F.when(has, _shown(v)).otherwise("nothing")) for t, has, v in sides]
    columns = {
        "reconciliation": F.lit(each.name),
        "kind": kind,
        "left_table": F.lit(left_table.name),
        "left_amount": F.when(has_left, left),
        "right_table": F.lit(right_table.name),
        "right_amount": F.when(has_right, right),
        "difference": difference.cast(_AMOUNT),
        "tolerance": tolerance,
        "finding": F.concat_ws(", ", *told),
    }
    row = F.struct(*(value.alias(name) for name, value in columns.items()))
    return F.when(is_compared & (F.abs(difference) > tolerance), row)


def _shown(amount: Column) -> Column:
    """An amount without the third decimal that only some currencies have."""
    return F.regexp_replace(amount.cast("string"), r"(\.\d\d)0$", "$1")
