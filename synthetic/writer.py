"""Writes the feeds' rows as one file a day, with the planted dirt, and keeps each feed's ledger."""

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from synthetic.base import Options
from synthetic.dirt import MONEY, Count, FeedDirt, amount, money
from synthetic.layout import FEEDS


@dataclass
class Ledger:
    """What was written of one feed: rows of the world, amounts, and whole files that came late or twice."""

    files: int = 0
    rows: int = 0
    cents: int = 0
    late: list[dict[str, Any]] = field(default_factory=list)
    redelivered: list[dict[str, Any]] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    changed_rows: int = 0


class FeedWriter:
    """One feed on disk. Rows of days that are not over yet wait for a later `write`."""

    def __init__(self, options: Options, feed: str) -> None:
        self._options, self._feed, self._layout = options, feed, FEEDS[feed]
        self._folder = options.output / feed
        self._folder.mkdir(parents=True)
        self._waiting: pl.DataFrame | None = None
        self._dirt = FeedDirt(options, feed)
        self.ledger = Ledger()

    def write(self, rows: pl.DataFrame, first_day: int, end_day: int) -> None:
        """Write the files of the days from `first_day` up to, not including, `end_day`."""
        if self._waiting is not None and len(self._waiting):
            rows = pl.concat([self._waiting, rows])
        self._waiting = rows.filter(pl.col("_day") >= end_day)
        rows = rows.filter(pl.col("_day") < end_day)
        if self._layout.order:
            rows = rows.sort("_day", *self._layout.order)
        days = rows.partition_by("_day", as_dict=True, maintain_order=True)
        for day in range(first_day, end_day):
            self._write_day(day, days.get((day,), rows.clear()))

    def _write_day(self, day: int, rows: pl.DataFrame) -> None:
        """The day's file, and beside it what arrives late and what arrives twice."""
        if rows.is_empty() and not self._dirt.waits_for(day):
            return
        self.ledger.rows += len(rows)
        if "_cents" in rows.columns:
            self.ledger.cents += int(rows["_cents"].sum())
        if day in self._dirt.late:
            on_time = len(rows) // 2
            self._write_late(day, rows[on_time:])
            rows = rows[:on_time]
        name, columns = self._name(day), self._columns(day)
        lines = self._lines(rows, day)
        self._dirt.spoil(day, name, lines, rows["_spoilable"].to_numpy(), columns)
        content = self._save(name, day, lines)
        if day in self._dirt.redelivered:
            self._redeliver(day, name, content, lines)

    def _write_late(self, day: int, rows: pl.DataFrame) -> None:
        """The second half of a day, in a file with the later day's date and schema."""
        arrival = self._dirt.late[day]
        name = self._name(arrival, f"_late_{self._options.date(day)}")
        self._save(name, arrival, self._lines(rows, arrival))
        cents = int(rows["_cents"].sum())
        dates = {"day": str(self._options.date(day)), "arrives": str(self._options.date(arrival))}
        self.ledger.late.append({"file": name, **dates, "rows": len(rows), "amount": money(cents)})

    def _redeliver(self, day: int, name: str, content: bytes, lines: list[str]) -> None:
        """The same bytes under another name."""
        copy = self._name(day, "_copy")
        (self._folder / copy).write_bytes(content)
        amounts = [amount(self._feed, line, self._columns(day)) or 0 for line in lines]
        entry = {"file": copy, "same_as": name, "rows": len(lines), "amount": money(sum(amounts))}
        self.ledger.redelivered.append(entry)

    def _lines(self, rows: pl.DataFrame, day: int) -> list[str]:
        """Data lines in the schema of the day on which they arrive."""
        renamed = dict(self._layout.renamed) if day >= self._options.change_day else {}
        shown = rows.rename(renamed).select(self._columns(day))
        if self._layout.format == "json":
            return _split(shown.write_ndjson())
        text = shown.write_csv(include_header=False, datetime_format="%Y-%m-%d %H:%M:%S", float_precision=2)
        return _split(text)

    def _save(self, name: str, day: int, lines: list[str]) -> bytes:
        header = [] if self._layout.format == "json" else [",".join(self._columns(day))]
        content = "\n".join([*header, *lines, ""]).encode()
        (self._folder / name).write_bytes(content)
        self.ledger.files += 1
        if day >= self._options.change_day and self._layout.changed_columns:
            self.ledger.changed.append(name)
            self.ledger.changed_rows += len(lines)
        return content

    def _columns(self, day: int) -> tuple[str, ...]:
        return self._layout.columns_at(day >= self._options.change_day)

    def _name(self, day: int, suffix: str = "") -> str:
        return f"{self._feed}_{self._options.date(day)}{suffix}.{self._layout.format}"

    def document(self) -> dict[str, Any]:
        """The feed's entry in `truth/dirt.json`."""
        counts, ledger = self._dirt.counts, self.ledger
        quarantined = {name: count for name, count in counts.items() if name != "duplicate"}
        duplicates = counts.get("duplicate", Count())
        clean_cents = ledger.cents - self._dirt.spoilt_cents
        figures: dict[str, Any] = {
            "files": ledger.files,
            "physical_records": ledger.rows + duplicates.rows,
            "clean_distinct_rows": ledger.rows - sum(count.rows for count in quarantined.values()),
        }
        if self._feed in MONEY:
            readable = clean_cents + sum(count.cents or 0 for count in counts.values())
            figures["amount"] = {
                "of": MONEY[self._feed],
                "parseable": money(readable),
                "clean_distinct": money(clean_cents),
                "duplicates": money(duplicates.cents or 0),
                "quarantined": {
                    name: None if count.cents is None else money(count.cents) for name, count in quarantined.items()
                },
            }
        kinds: dict[str, Any] = {name: count.document() for name, count in counts.items()}
        return {"ledger": figures, "kinds": kinds | self._whole_file_kinds()}

    def _whole_file_kinds(self) -> dict[str, Any]:
        ledger, layout = self.ledger, self._layout
        kinds: dict[str, Any] = {}
        for name, entries in {"redelivered": ledger.redelivered, "late": ledger.late}.items():
            if entries:
                rows = sum(entry["rows"] for entry in entries)
                kinds[name] = {"rows": rows, "files": len(entries), "deliveries": entries}
        if ledger.changed:
            kinds["schema_change"] = {
                "rows": ledger.changed_rows,
                "files": len(ledger.changed),
                "first_file": min(ledger.changed),
                "from_day": str(self._options.date(self._options.change_day)),
                "columns_before": list(layout.columns),
                "columns_after": list(layout.changed_columns),
            }
        return kinds


def _split(text: str) -> list[str]:
    """Lines at line feeds only: other line breaks of Unicode may stand inside a field."""
    return text.split("\n")[:-1] if text else []
