"""The planted dirt: rows spoilt in a known way and number, and the ledger that a pipeline's accounts must equal.

Every spoilt row has exactly one defect, every defect hits a row of its own, and only sound rows are delivered twice.
"""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np

from synthetic.base import Bools, Ints, Options
from synthetic.layout import FEEDS

LISTED_PLACES = 1000
"""Places (file and line) are listed for kinds with at most this many rows."""
LEAST = 4
"""At least this many rows of each kind, where the feed has as many rows that may be spoilt."""
EARLY = 0.6
"""The least rows of each kind are planted in this first share of the days, so that sparse feeds still get them."""
REDELIVERED_SHARE = 0.02
LATE_SHARE = 0.02

Spoiler = Callable[[str, tuple[str, ...]], str]


@dataclass(frozen=True)
class Kind:
    """One kind of dirt in a feed: how often per row, and what it does to the row's line; a duplicate has no `spoil`."""

    name: str
    rate: float
    spoil: Spoiler | None = None


@dataclass
class Count:
    """What was planted of one kind; cents are None where a row's amount can't be read any more."""

    rows: int = 0
    cents: int | None = None
    files: set[str] = field(default_factory=set)
    places: list[tuple[str, int]] = field(default_factory=list)

    def add(self, file: str, line: int, cents: int | None) -> None:
        """Count one row at a place."""
        self.rows += 1
        self.files.add(file)
        if len(self.places) <= LISTED_PLACES:
            self.places.append((file, line))
        if cents is not None:
            self.cents = (self.cents or 0) + cents

    def document(self) -> dict[str, Any]:
        """The kind's entry in `truth/dirt.json`."""
        entry: dict[str, Any] = {"rows": self.rows, "files": len(self.files)}
        if self.cents is not None:
            entry["amount"] = money(self.cents)
        if self.rows <= LISTED_PLACES:
            entry["places"] = [{"file": file, "line": line} for file, line in self.places]
        return entry


def money(cents: int) -> str:
    """Cents as an exact decimal text."""
    return str(Decimal(cents).scaleb(-2))


def put(column: str, value: str | int) -> Spoiler:
    """Set a field to a wrong value."""
    return change(column, lambda _: value)


def negate(column: str) -> Spoiler:
    """Turn a number's sign round."""
    return change(column, lambda row: f"-{row[column]}")


def change(column: str, value: Callable[[dict[str, Any]], str | int]) -> Spoiler:
    """Replace one field by what `value` makes of the row."""

    def spoil(line: str, columns: tuple[str, ...]) -> str:
        row = parse(line, columns)
        assert row is not None, "only sound lines are spoilt"
        row[column] = value(row)
        return render(row, line.startswith("{"))

    return spoil


def cut_fields(line: str, columns: tuple[str, ...]) -> str:
    """Cut a csv line off in its first half, so that fields are missing."""
    return ",".join(line.split(",")[: len(columns) // 2])


def open_quote(line: str, _columns: tuple[str, ...]) -> str:
    """Open a quote in the third field that nobody closes."""
    first, second, rest = line.split(",", 2)
    return f'{first},{second},"{rest}'


def cut_text(line: str, _columns: tuple[str, ...]) -> str:
    """Cut a json line off in the middle."""
    return line[: len(line) // 2]


def _days_before(row: dict[str, Any]) -> str:
    return str(date.fromisoformat(row["ordered_at"][:10]) - timedelta(days=3))


KINDS: dict[str, tuple[Kind, ...]] = {
    "orders": (
        Kind("duplicate", 0.001),
        Kind("unknown_status", 0.0003, put("status", "teleported")),
        Kind("promised_before_ordered", 0.0003, change("promised_on", _days_before)),
    ),
    "order_lines": (
        Kind("duplicate", 0.002),
        Kind("truncated_line", 0.0003, cut_fields),
        Kind("unclosed_quote", 0.0003, open_quote),
        Kind("quantity_not_a_number", 0.0003, put("quantity", "two")),
        Kind("price_not_a_number", 0.0003, put("unit_price", "n/a")),
        Kind("impossible_time", 0.0003, put("ordered_at", "2024-13-45 99:00:00")),
        Kind("unknown_product", 0.0005, put("product_id", "P99999999")),
        Kind("negative_price", 0.0005, negate("unit_price")),
    ),
    "payments": (
        Kind("duplicate", 0.001),
        Kind("amount_not_a_number", 0.0003, put("amount", "see invoice")),
        Kind("unknown_method", 0.0003, put("method", "barter")),
    ),
    "customers": (
        Kind("duplicate", 0.001),
        Kind("malformed_email", 0.001, change("email", lambda row: row["email"].replace("@", "(at)"))),
    ),
    "products": (
        Kind("cut_off_json", 0.001, cut_text),
        Kind("negative_list_price", 0.001, negate("list_price")),
    ),
    "page_events": (
        Kind("duplicate", 0.0005),
        Kind("cut_off_json", 0.0001, cut_text),
        Kind("unknown_event_type", 0.0001, put("event_type", "stare")),
    ),
    "stock_levels": (Kind("negative_on_hand", 0.0001, put("on_hand", "-5")),),
    "reviews": (Kind("duplicate", 0.001), Kind("rating_out_of_range", 0.001, put("rating", 9))),
    "promotions": (Kind("discount_over_100", 0.001, put("discount_pct", "150")),),
    "marketing_spend": (Kind("negative_spend", 0.0005, negate("spend")),),
    "exposures": (Kind("duplicate", 0.002), Kind("unknown_variant", 0.001, put("variant", "purple"))),
}
"""The kinds of dirt of each feed, beside the kinds of whole files: redelivered, late, schema_change."""


def parse(line: str, columns: tuple[str, ...]) -> dict[str, Any] | None:
    """A line's fields by name; None if the line is broken."""
    try:
        if line.startswith("{"):
            row: dict[str, Any] = json.loads(line)
            return row
        fields = next(csv.reader([line], strict=True))
    except (json.JSONDecodeError, csv.Error):
        return None
    return dict(zip(columns, fields, strict=True)) if len(fields) == len(columns) else None


def render(row: dict[str, Any], as_json: bool) -> str:
    """A row as a line of its file, without the line's end."""
    if as_json:
        return json.dumps(row, ensure_ascii=False, separators=(",", ":"))
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(row.values())
    return buffer.getvalue()


def amount(feed: str, line: str, columns: tuple[str, ...]) -> int | None:
    """A line's amount in cents as its texts say; None if they don't."""
    row = parse(line, columns)
    if row is None:
        return None
    try:
        if feed == "order_lines":
            return _cents(row["unit_price"]) * int(row["quantity"]) - _cents(row["discount"])
        if feed in MONEY:
            return _cents(row[MONEY[feed]])
    except (InvalidOperation, ValueError):
        return None
    return None


def _cents(text: str) -> int:
    return int(Decimal(text).scaleb(2))


MONEY = {"order_lines": "amount", "payments": "amount", "marketing_spend": "spend"}
"""Feeds whose amounts are summed, with the column (a line's amount is quantity * unit_price - discount)."""


class FeedDirt:
    """The dirt of one feed: spoils file after file, in order of days, and keeps the ledger."""

    def __init__(self, options: Options, feed: str) -> None:
        self._options, self.feed = options, feed
        self._kinds = () if options.clean else KINDS[feed]
        self.counts = {kind.name: Count() for kind in self._kinds}
        self.spoilt_cents = 0
        self._next_day = 0
        self._waiting: dict[int, list[tuple[str, int | None]]] = {}
        self._due = np.zeros(len(self._kinds), dtype=np.int64)
        rng = options.rng("plan", feed)
        self._planned = np.zeros((len(self._kinds), options.days), dtype=np.int64)
        early = max(1, int(options.days * EARLY))
        for row in self._planned:
            np.add.at(row, rng.integers(0, early, LEAST), 1)
        self.late, self.redelivered = self._whole_files(rng)

    def _whole_files(self, rng: np.random.Generator) -> tuple[dict[int, int], set[int]]:
        """Days of which a part arrives late, with the day of arrival, and days whose file comes twice."""
        days = self._options.days
        if self.feed != "order_lines" or self._options.clean or days < 12:
            return {}, set()
        drawn = rng.permutation(days - 8)
        lates, copies = max(2, round(days * LATE_SHARE)), max(2, round(days * REDELIVERED_SHARE))
        arrivals = drawn[:lates] + rng.integers(3, 8, lates)
        late = dict(zip(drawn[:lates].tolist(), arrivals.tolist(), strict=True))
        return late, set(drawn[lates : lates + copies].tolist())

    def waits_for(self, day: int) -> bool:
        """Whether duplicates of earlier rows are due in the day's file."""
        return day in self._waiting

    def spoil(self, day: int, file: str, lines: list[str], spoilable: Bools, columns: tuple[str, ...]) -> None:
        """Spoil a file's data lines in place and append the duplicates that are due."""
        if not self._kinds:
            return
        rng = self._options.rng("dirt", self.feed, day)
        header = 0 if FEEDS[self.feed].format == "json" else 1
        taken = self._draw(rng, day, len(lines), spoilable)
        due = self._waiting.pop(day, [])
        for kind, places in zip(self._kinds, taken, strict=True):
            for place in places.tolist():
                if kind.spoil is None:
                    due += self._repeat(rng, day, lines[place], columns)
                else:
                    self.spoilt_cents += amount(self.feed, lines[place], columns) or 0
                    lines[place] = kind.spoil(lines[place], columns)
                    cents = amount(self.feed, lines[place], columns)
                    self.counts[kind.name].add(file, place + 1 + header, cents)
        for line, cents in due:
            lines.append(line)
            self.counts["duplicate"].add(file, len(lines) + header, cents)

    def _draw(self, rng: np.random.Generator, day: int, rows: int, spoilable: Bools) -> list[Ints]:
        """Rows for each kind of the day, all different; what finds no row waits for the next file."""
        rates = np.array([kind.rate for kind in self._kinds])
        self._due += self._planned[:, self._next_day : day + 1].sum(axis=1) + rng.binomial(rows, rates)
        self._next_day = day + 1
        any_row = np.array([kind.spoil is None for kind in self._kinds])
        order = rng.permutation(rows)
        spoilt, other = order[spoilable[order]], order[~spoilable[order]]
        taken: list[Ints] = [np.zeros(0, dtype=np.int64)] * len(self._kinds)
        for number in np.argsort(any_row, kind="stable"):
            if any_row[number]:
                spoilt, other = np.concatenate([spoilt, other]), other[:0]
            taken[number], spoilt = spoilt[: self._due[number]], spoilt[self._due[number] :]
            self._due[number] -= len(taken[number])
        return taken

    def _repeat(
        self, rng: np.random.Generator, day: int, line: str, columns: tuple[str, ...]
    ) -> list[tuple[str, int | None]]:
        """Deliver a row again: now, or in a later file of the same schema."""
        again = (line, amount(self.feed, line, columns))
        later = day + int(rng.integers(1, 6))
        changes = day < self._options.change_day <= later
        if rng.random() < 0.5 or later >= self._options.days or changes:
            return [again]
        self._waiting.setdefault(later, []).append(again)
        return []
