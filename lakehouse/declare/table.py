"""One table, one declaration; one step, one way into it. Everything else is derived from these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, cast

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructField, StructType

from lakehouse.declare.rules import Check, Expectation, Rule, if_read, typed_as
from lakehouse.errors import UsageError

Layer = Literal["bronze", "silver", "gold", "ops"]
Write = Literal["append", "merge", "scd2"]
Learnt = Literal["volume", "freshness", "missing", "unknown", "amount", "currency"]
"""What is learnt of the files that a feed delivered, and compared (lakehouse/promotion/watch.py)."""

LINEAGE_COLUMNS: Mapping[str, tuple[str, str]] = {
    "_source_file": ("string", "delivered file that the row came in"),
    "_source_row": ("bigint", "line of that file at which the row begins (the header is line 1)"),
    "_ingested_at": ("timestamp", "when the file was taken into bronze (UTC)"),
    "_batch_id": ("string", "batch that took the row into bronze"),
}
DELIVERY_ORDER = ("_source_file", "_ingested_at", "_source_row")
"""Which of two rows of one key is the newer where the feed itself does not say: that of the file with the later name
(numbers in it compare as numbers, so that a date in a name tells), then of the later delivery of a name, then the later
line. It is the same for files that arrive in one run or in ten, and in any order."""
MONEY = "decimal(19,3)"
"""Money, exact in every currency in use: some have three decimals (ISO 4217)."""
SCD2_COLUMNS: Mapping[str, tuple[str, str]] = {
    "__START_AT": ("timestamp", "from when the version holds (UTC, included)"),
    "__END_AT": ("timestamp", "until when it holds (UTC, excluded); null for the current version"),
}


@dataclass(frozen=True)
class Field:
    """A column: Spark SQL type, meaning, unit, the checks of its value, and whether it is personal data.

    `unknown` is the value of a column of codes that stands for one that is not known. A personal field is pseudonymised
    (HMAC-SHA256 by the warehouse's key) when it is published to silver.
    """

    name: str
    type: str
    meaning: str
    unit: str = ""
    rules: tuple[Check, ...] = ()
    personal: bool = False
    unknown: str | None = None


@dataclass(frozen=True, eq=False)
class Table:
    """A table as declared, once, beside the function that builds it.

    `grain` is the key of a row. `row_law` says in words how input rows become rows here. `amount` names the column of
    money that the ledger accounts for. `counts` names, in an aggregate, the column that says how many input rows a
    row stands for. `sequence_by` orders deliveries of one key: the greatest is the newest. `scope` names the columns
    within which keys are unique and references are looked up, such as the shop. `max_quarantined` is the share of
    rejected rows above which a batch is taken for a broken feed and blocked. `distribute_by` names the columns by which
    rows are brought together to be compared (default: those of the key within its scope). Of a bronze table with
    `newest_file_counts` only the newest delivery under each file name counts.

    `day` names the day or moment by which deliveries into a silver table are compared with those before, and `currency`
    the currency of `amount`; what is unusual is a warning, but for what `blocks_on` names, which blocks the batch.
    """

    name: str
    meaning: str
    grain: tuple[str, ...]
    fields: tuple[Field, ...]
    row_law: str
    write: Write = "merge"
    sequence_by: tuple[str, ...] = DELIVERY_ORDER
    scope: tuple[str, ...] = ()
    distribute_by: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    amount: str | None = None
    counts: str | None = None
    max_quarantined: float = 0.1
    has_lineage: bool = True
    newest_file_counts: bool = False
    day: str | None = None
    currency: str | None = None
    blocks_on: tuple[Learnt, ...] = ()

    def __post_init__(self) -> None:
        names = [field.name for field in self.fields]
        named = (*self.grain, *self.scope, *self.distribute_by, self.amount, self.counts, self.day, self.currency)
        wrong = [name for name in named if name and name not in self.all_columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if wrong or twice:
            raise UsageError(
                f"{self.name}: grain, scope, distribute_by, amount, counts, day, currency must be fields, once each: "
                f"{wrong or twice}"
            )

    @property
    def layer(self) -> str:
        """Schema of the table: bronze, silver, gold or ops."""
        return self.name.split(".")[0]

    @property
    def short_name(self) -> str:
        """Name without the layer; a build's parameter is named like this."""
        return self.name.split(".")[1]

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify a stored row: the grain, and the start of the version where history is kept."""
        return (*self.grain, "__START_AT") if self.write == "scd2" else self.grain

    @property
    def distribution(self) -> tuple[str, ...]:
        """The columns by which rows are brought together: as declared, or those of the key within its scope."""
        within = tuple(name for name in self.grain if name not in self.scope)
        return self.distribute_by or within or self.grain

    @cached_property
    def all_columns(self) -> dict[str, tuple[str, str]]:
        """Every stored column, in order: name -> (type, comment)."""
        own = {f.name: (f.type, f.meaning + (f" [{f.unit}]" if f.unit else "")) for f in self.fields}
        history = dict(SCD2_COLUMNS) if self.write == "scd2" else {}
        return own | history | (dict(LINEAGE_COLUMNS) if self.has_lineage else {})

    @property
    def has_own_sequence(self) -> bool:
        """Whether the rows themselves say which of two is the newer, such as by the time of a change."""
        return self.sequence_by != DELIVERY_ORDER

    @property
    def skipping_columns(self) -> tuple[str, ...]:
        """The columns that a query narrows: the key, dates and times. Delta keeps the bounds of these in every file."""
        moments = [name for name, (kind, _) in self.all_columns.items() if kind.lower() in ("date", "timestamp")]
        return tuple(dict.fromkeys([*self.key, *moments]))

    @cached_property
    def row_rules(self) -> tuple[Rule, ...]:
        """All rules of a row: types first, then the fields' checks, then the rules over several columns."""
        typed = () if self.layer != "silver" else tuple(f for f in self.fields if f.type != "string")
        bound = [check(f.name) for f in self.fields for check in f.rules]
        names = {f"{f.name}.not_null" for f in typed}
        bound = [if_read(rule) if rule.name in names else rule for rule in bound]
        return (*(typed_as(f.name, f.type) for f in typed), *bound, *self.rules)

    @property
    def arrow_schema(self) -> pa.Schema:
        """The stored schema as Arrow has it; times carry UTC."""
        return to_arrow_schema(self.schema, timezone="UTC")

    @property
    def schema(self) -> StructType:
        """The stored schema with column comments."""
        declared = self.all_columns
        parsed = cast(
            StructType, StructType.fromDDL(", ".join(f"`{name}` {kind}" for name, (kind, _) in declared.items()))
        )
        return StructType(
            [StructField(f.name, f.dataType, True, {"comment": declared[f.name][1]}) for f in parsed.fields]
        )


@dataclass(frozen=True)
class Read:
    """A table that a step reads.

    `where` limits it (SQL over its columns). What changes here makes groups of the step be computed again. Which, is
    told in one of two ways: `groups` maps the step's group columns to SQL over this table's columns; `joins` maps SQL
    over the first read to SQL over this table, and the groups are those of the rows of the first read that join what
    changed. With neither, every group is computed again. A read with `joins` alone is given to `build` whole.
    """

    table: Table
    where: str | None = None
    groups: Mapping[str, str] | None = None
    joins: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Filter:
    """Rows left out on purpose, counted under `reason`; `drops` is SQL that is true on such a row of the first read."""

    reason: str
    drops: str


@dataclass(frozen=True, eq=False)
class Step:
    """One way into a table: what is read, and the pure function that builds the rows.

    `build` gets one DataFrame per read, as keyword arguments named like the tables. The first read drives the step:
    it is the one whose rows are counted. The groups (values of the columns `recompute`) that changed in any read are
    built again from all their rows and replace what was there, so that the same rows give the same table in however
    many batches they came. `owns` says by columns and values which rows are this step's, where several steps write
    one table. `amount` is SQL over the first read for the money in a row, written apart from `build`
    so that the accounts check it. `models` names the versions of the models that `build` uses: they are consumed like
    tables, and with another version everything is built again. A bronze step has a `feed` instead of reads.
    """

    table: Table
    build: Callable[..., DataFrame]
    reads: tuple[Read, ...] = ()
    recompute: tuple[str, ...] | None = None
    filters: tuple[Filter, ...] = ()
    amount: str | None = None
    models: Mapping[str, int] = field(default_factory=dict)
    feed: Any = None
    source: str | None = None
    owns: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.reads and not self.recompute:
            raise UsageError(f"{self.name}: a step that reads tables must say which groups it computes again")

    @property
    def is_rowwise(self) -> bool:
        """Whether each row built stands for one row read; otherwise rows are aggregates of groups."""
        if self.table.write == "scd2" or not self.reads:
            return True
        return self.table.has_lineage and self.reads[0].table.layer == "bronze"

    @property
    def name(self) -> str:
        """Name of the step in progress marks and logs: target <- what drives it."""
        driver = self.reads[0].table.name if self.reads else f"files of {self.feed.source}.{self.feed.name}"
        return f"{self.table.name} <- {', '.join((driver, *self.models))}"
