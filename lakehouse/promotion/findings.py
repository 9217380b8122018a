"""What reconciliations found, summed up for people: how many, how much by currency, and the largest with a reason.

Reads the table of findings and the quarantines without Spark.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lakehouse.declare.reconciliation import DIFFERS, LEFT_MISSING, NAME, RIGHT_MISSING
from lakehouse.declare.table import Step, Table
from lakehouse.promotion.quarantine import quarantine_of
from lakehouse.store import arrow, log
from lakehouse.store.lake import Lake

SHOWN = 3
"""So many findings of a reconciliation are shown, the largest first."""
_LEAST = 4
"""Keys shorter than this are not looked for in lines that could not be read: another field may hold the same."""


@dataclass(frozen=True)
class Example:
    """A finding: its key, what both tables say, and how many rows with that key lie in quarantine."""

    key: str
    finding: str
    refused: int


@dataclass(frozen=True)
class Found:
    """What one reconciliation of a `left` and a `right` table found: `kinds` in words with their number.

    `differences` are the sums of left less right by currency.
    `strangers` are keys that the left table does not have. Of `explained` findings, rows of the same key lie in
    quarantine.
    """

    reconciliation: str
    left: str
    right: str
    kinds: dict[str, int]
    differences: dict[str, Decimal]
    explained: int
    strangers: int
    largest: tuple[Example, ...]

    @property
    def findings(self) -> int:
        """How many keys do not agree."""
        return sum(self.kinds.values())

    def without(self, keys: int) -> int:
        """How many of the keys on the left have no finding, of so many that there are."""
        return keys - self.findings + self.strangers

    def __str__(self) -> str:
        amounts = ", ".join(f"{currency} {_money(amount)}" for currency, amount in self.differences.items())
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in self.kinds.items())
        explained = f"; of {self.explained:,}, rows are in quarantine" if self.explained else ""
        return f"{kinds}; {self.left} less {self.right} {amounts}{explained}"


def found(lake: Lake, steps: Sequence[Step]) -> list[Found]:
    """What stands in the table of findings, by reconciliation; nothing where no step writes one."""
    table = next((step.table for step in steps if step.table.name == NAME), None)
    rows = arrow.rows(lake, table).to_pylist() if table else []
    if table is None or not rows:
        return []
    own = [name for name in table.grain if name not in ("reconciliation", "currency", *table.scope)]
    refused = _refused(lake, steps, table, own, {tuple(row[name] for name in own) for row in rows})
    of_each: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (-abs(row["difference"]), *(row[name] for name in table.grain))):
        of_each[row["reconciliation"]].append(row | {"refused": refused[tuple(row[name] for name in own)]})
    shown = [name for name in table.grain if name != "reconciliation"]
    return [_summed(name, of_each[name], shown) for name in sorted(of_each)]


def _summed(name: str, rows: Sequence[dict[str, Any]], shown: Sequence[str]) -> Found:
    kinds = Counter(_kind(row) for row in rows)
    differences: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        differences[row["currency"]] += row["difference"]
    largest = [Example(" ".join(str(r[c]) for c in shown), r["finding"], r["refused"]) for r in rows[:SHOWN]]
    return Found(
        name,
        rows[0]["left_table"],
        rows[0]["right_table"],
        dict(sorted(kinds.items())),
        dict(sorted(differences.items())),
        explained=sum(row["refused"] > 0 for row in rows),
        strangers=sum(row["kind"] == LEFT_MISSING for row in rows),
        largest=tuple(largest),
    )


def _money(amount: Decimal) -> str:
    """An amount without the third decimal that only some currencies have."""
    text = f"{amount:,.3f}"
    return text[:-1] if text.endswith("0") else text


def _kind(row: dict[str, Any]) -> str:
    missing = {LEFT_MISSING: row["left_table"], RIGHT_MISSING: row["right_table"]}
    return DIFFERS if row["kind"] == DIFFERS else f"not in {missing[row['kind']]}"


def _refused(
    lake: Lake, steps: Sequence[Step], table: Table, own: Sequence[str], keys: set[tuple[Any, ...]]
) -> Counter[tuple[Any, ...]]:
    """How many rows of each key lie in the quarantines of the tables compared, and of those that they are made from.

    A refused row names its key by columns of these names; a line that could not be read, as a word in it.
    """
    compared = {read.table for step in steps if step.table.name == table.name for read in step.reads}
    delivered = {read.table for step in steps if step.table in compared for read in step.reads}
    words = {key[0]: key for key in keys if len(key) == 1 and len(str(key[0])) >= _LEAST}
    counts: Counter[tuple[Any, ...]] = Counter()
    for each in compared | {t for t in delivered if t.layer == "bronze"}:
        quarantine = quarantine_of(each)
        if not log.exists(lake, quarantine.name):
            continue
        for part in arrow.parts(lake, quarantine, ("_row",)):
            for row in part["_row"].to_pylist():
                counts.update(_keys_of(row, own, keys) if each in compared else _words_of(row, words))
    return counts


def _keys_of(row: str, own: Sequence[str], keys: set[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    came = json.loads(row)
    key = tuple(str(came.get(name) or "").strip() for name in own)
    return {key} & keys


def _words_of(row: str, words: dict[Any, tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    return {words[word] for word in re.findall(r"[\w-]+", row) if word in words}
