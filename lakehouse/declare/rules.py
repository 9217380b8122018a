"""Rules of a row, declared once as SQL: Spark judges by it before the gate, and another engine at the gate.

A check (`not_null()`, `between(0, 10)`) waits for the name of its column; a table binds it to a `Rule`. Null passes
every check but `not_null`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.errors import UsageError

if TYPE_CHECKING:
    from lakehouse.declare.table import Table

Action = Literal["quarantine", "warn", "fail"]
Kind = Literal["not_null", "one_of", "other"]
"""What is learnt of a column besides (`promotion.watch`): that values are missing, or unknown."""
Limit = int | float | Decimal | date | None


@dataclass(frozen=True)
class Rule:
    """A rule bound to its columns.

    `says` is the sentence a person reads ("quantity must be between 1 and 9"). `truth` is SQL that is not true on a row
    that breaks the rule, in words that Spark and DuckDB read alike; null passes. `shows` is what a reason quotes where
    that is not the values of the columns, also SQL. A row that breaks a rule is put into quarantine, kept and counted
    (`warn`), or blocks its whole batch (`fail`).
    """

    name: str
    columns: tuple[str, ...]
    says: str
    truth: str
    action: Action = "quarantine"
    kind: Kind = "other"
    reference: Table | None = None
    shows: str | None = None

    def breaks(self) -> Column:
        """True on a row that breaks the rule, else false."""
        return F.coalesce(~F.expr(self.truth), F.lit(False))


@dataclass(frozen=True)
class Expectation:
    """A statement about all rows that are about to be published; a batch for which it does not hold is blocked.

    `says` is the sentence a person reads. What is measured over `columns` (`kind`) lies from `low` to `high`, both
    included; of `unique`, no two rows are alike in them.
    """

    name: str
    kind: Literal["sum", "distinct", "unique"]
    columns: tuple[str, ...]
    says: str
    low: float | None = None
    high: float | None = None


def sums_to_at_least(column: str, low: float, says: str) -> Expectation:
    """The sum of a column over the batch is at least `low`."""
    return Expectation(f"{column}.sum", "sum", (column,), says, low)


def at_most_distinct(column: str, high: int, says: str) -> Expectation:
    """A column has at most so many different values in the batch."""
    return Expectation(f"{column}.distinct", "distinct", (column,), says, None, high)


def unique(columns: tuple[str, ...]) -> Expectation:
    """No two rows of the batch have the same values in these columns."""
    return Expectation("key.unique", "unique", columns, f"{', '.join(columns)} is unique")


Check = Callable[[str], Rule]


def not_null(action: Action = "quarantine") -> Check:
    """The column has a value. A text that could not be typed has none."""
    return lambda column: Rule(
        f"{column}.not_null", (column,), f"{column} must not be missing", f"{column} IS NOT NULL", action, "not_null"
    )


def between(low: Limit = None, high: Limit = None, *, strict: bool = False, action: Action = "quarantine") -> Check:
    """The value lies between `low` and `high`, both included; `strict` excludes both."""
    kind, equal = ("within", "") if strict else ("between", "=")
    limits = f"{'...' if low is None else low} and {'...' if high is None else high}"
    bounds = [(f">{equal}", low), (f"<{equal}", high)]
    return lambda column: Rule(
        f"{column}.between",
        (column,),
        f"{column} must be {kind} {limits}",
        " AND ".join(f"{column} {sign} {literal(limit)}" for sign, limit in bounds if limit is not None),
        action,
    )


def one_of(values: Sequence[str], action: Action = "quarantine") -> Check:
    """The value is in a closed vocabulary."""
    return lambda column: Rule(
        f"{column}.one_of",
        (column,),
        f"{column} must be one of {', '.join(values)}",
        f"{column} IN ({', '.join(map(literal, values))})",
        action,
        "one_of",
    )


def matches(regex: str, what: str, action: Action = "quarantine") -> Check:
    """The text matches a regular expression; `what` says it in words ("an e-mail address")."""
    truth = f"regexp_like({{}}, {literal(regex)})"
    return lambda column: Rule(
        f"{column}.matches", (column,), f"{column} must be {what}", truth.replace("{}", column, 1), action
    )


def not_before(other: str, action: Action = "quarantine") -> Check:
    """The value is at least that of another column of the row."""
    return lambda column: Rule(
        f"{column}.not_before_{other}",
        (column, other),
        f"{column} must not be before {other}",
        f"{column} >= {other}",
        action,
    )


def references(table: Table, action: Action = "quarantine") -> Check:
    """The value exists in the column of the same name of `table`, in the same shop. The road adds the marker column."""
    return lambda column: Rule(
        f"{column}.known",
        (column,),
        f"{column} must be known in {table.name}",
        known_marker(column),
        action,
        reference=table,
    )


def holds(name: str, columns: tuple[str, ...], says: str, truth: str, action: Action = "quarantine") -> Rule:
    """A rule over several columns: `truth`, as SQL, must not be false. Null passes, as in every other rule."""
    return Rule(name, columns, says, truth, action)


def literal(value: str | Limit) -> str:
    """A value as SQL that every engine reads alike."""
    if isinstance(value, str):
        if "\\" in value or "'" in value:
            raise UsageError(f"a rule cannot name {value!r}: engines read backslashes and quotes in a text differently")
        return f"'{value}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    return f"{value:f}" if isinstance(value, Decimal) else repr(value)


_SPELT = {
    "date": "a day (YYYY-MM-DD, or as the feed declares)",
    "timestamp": "a day and time (YYYY-MM-DD hh:mm:ss, with an offset or zone if need be, or as the feed declares)",
    "int": "a whole number",
    "bigint": "a whole number",
    "double": "a number",
    "boolean": "true or false",
}


def if_read(rule: Rule) -> Rule:
    """A rule that asks for a value, but of one that could not be read as its type: that is one reason, not two."""
    return replace(rule, truth=f"{rule.truth} OR {_unread(rule.columns[0])}")


def typed_as(column: str, type_name: str) -> Rule:
    """The delivered text could be read as the declared type; `conform.typed` lists the failures in `_untyped`."""
    spelt = _SPELT.get(type_name, f"a plain number with no more decimals than are kept ({type_name})")
    return Rule(
        f"{column}.type",
        (column,),
        f"{column} must be {spelt}",
        f"NOT {_unread(column)}",
        shows=f"_unread['{column}']",
    )


def _unread(column: str) -> str:
    """Whether a text was delivered for the column that could not be read as its type: that is a reason of its own."""
    return f"coalesce(contains(_untyped, ',{column},'), false)"


def known_marker(column: str) -> str:
    """Name of the staged boolean that says whether a referenced key was found (null where the key is missing)."""
    return f"_known_{column}"


def quoted(text: str) -> str:
    """A text as a literal of Spark's SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def errors_of(rules: Sequence[Rule]) -> Column:
    """The rules that a row breaks: array of structs (rule, message, columns); empty for a good row.

    It is one text of SQL: made of columns, each of which is a call to Java, it took a tenth of a small promotion.
    """
    none = "CAST(array() AS ARRAY<STRUCT<rule: STRING, message: STRING, columns: ARRAY<STRING>>>)"
    if not rules:
        return F.expr(none)
    broken = [f"coalesce(NOT ({rule.truth}), false)" for rule in rules]
    reasons = [f"CASE WHEN {breaks} THEN {_reason(rule)} END" for breaks, rule in zip(broken, rules, strict=True)]
    # Nearly every row is good: it must not pay for the array of reasons.
    found = f"filter(array({', '.join(reasons)}), each -> each IS NOT NULL)"
    return F.expr(f"CASE WHEN {' OR '.join(broken)} THEN {found} ELSE {none} END")


def _reason(rule: Rule) -> str:
    """Why a row is refused, as an element of `_errors`."""
    columns = ", ".join(map(quoted, rule.columns))
    message = f"concat({quoted(f'{rule.says}; it is ')}, {_shown(rule)})"
    return f"named_struct('rule', {quoted(rule.name)}, 'message', {message}, 'columns', array({columns}))"


def _shown(rule: Rule) -> str:
    """What the reason shows of a row: the values of the rule's columns, or what the rule itself shows."""
    values = [rule.shows] if rule.shows else [f"CAST(`{name}` AS STRING)" for name in rule.columns]
    shown = [f"coalesce(substring({value}, 1, 80), 'missing')" for value in values]
    return f"concat_ws(', ', {', '.join(shown)})"
