"""What a shop would want to be told of a delivery: where it differs from those before it, learnt from `ops.profiles`.

Each delivered file that comes new into a table of silver is described in one row: how many rows, its newest day, what
is missing, which codes are not known, how much money. It is compared with the files that came before by the same step.
So like is compared with like: rows that are computed again (`--full`, late corrections, the same files) are of files
that are described already. A young feed is not judged: it takes `DELIVERIES` files, or `SAME_WEEKDAY` of one weekday.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import takewhile
from operator import attrgetter
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.accounts.journal import unmoved
from lakehouse.accounts.ops_tables import PROFILES
from lakehouse.declare.conform import RESUBMITTED
from lakehouse.declare.table import Learnt, Step, Table
from lakehouse.promotion.gate import EXAMPLES, FEW_ROWS, Finding
from lakehouse.promotion.staged import Staged
from lakehouse.store import arrow, log
from lakehouse.store.lake import Lake

DELIVERIES = 8
"""So many files must have come before one is compared with all of them."""
SAME_WEEKDAY = 4
"""So many files of one weekday must have come before one is compared with these alone."""
RECENT = 100
"""So many of the newest files, and waits, are what is usual: a shop grows."""
SPREADS = 5
"""What is unusual for a weekday lies so many median absolute deviations from its median, and beyond its half or double.
While too few of the weekday are known, it lies beyond half of the lowest or double the highest of all."""
POINTS = 0.05
"""A share is only told when it is so much above the usual one."""

SAYS: Mapping[Learnt, str] = {
    "volume": "a delivered file has about as many rows as those before it",
    "freshness": "a feed brings its newest day about as late as ever",
    "missing": "no column is missing in more rows of a delivered file than before",
    "unknown": "no more codes of a delivered file are unknown than before",
    "amount": "a delivered file moves about as much money as those before it",
    "currency": "a delivered file has only currencies that came before",
}
_PLACE = ["_batch_id", "_source_file"]
_DAY_SECONDS = 86_400


@dataclass
class Profile:
    """What a delivered file brought into a table; columns as in `ops.profiles`."""

    delivery: str
    file: str
    newest_on: date | None = None
    rows_accepted: int = 0
    rows_quarantined: int = 0
    missing: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    amounts: dict[str, Decimal] = field(default_factory=dict)
    at: datetime | None = None
    batch_id: str = ""

    @property
    def rows(self) -> int:
        """All rows that the file brought."""
        return self.rows_accepted + self.rows_quarantined


def look(lake: Lake, staged: Staged) -> list[Finding]:
    """Describe the files that are new in a staged batch, note that with the batch, and compare them with the past.

    A finding per kind of `SAYS` that can be judged; none where nothing is new or the feed is young.
    """
    step = staged.step
    if not _is_watched(step):
        return []
    past = _past(lake, step)
    new = _profiles(staged, _new_batches(lake, staged, past))
    staged.notes[PROFILES.name] = [_row(each) for each in new]
    return _findings(step.table, past, new, lake.clock()) if new else []


def overdue(lake: Lake, step: Step) -> list[Finding]:
    """A finding where nothing new came for a step, and for longer than ever."""
    if not (lake.gates and _is_watched(step)):
        return []
    unusual = _late(_past(lake, step), [], lake.clock())
    return [_finding(step.table, "freshness", unusual)] if unusual else []


def _is_watched(step: Step) -> bool:
    """Whether rows of a step are those of delivered files, and tell a day."""
    return step.table.day is not None and step.is_rowwise and bool(step.reads) and step.reads[0].table.layer == "bronze"


# --- what came --------------------------------------------------------------------------------------------------------


def _past(lake: Lake, step: Step) -> list[Profile]:
    """The files that a step brought in batches before, in the order of their batches and days."""
    rows = arrow.rows(lake, PROFILES, ("step", "=", step.name)).to_pylist()
    rows += [row for row in unmoved(lake, PROFILES) if row["step"] == step.name]
    found = {row["delivery"]: _profile(row) for row in rows}
    return sorted(found.values(), key=lambda each: (each.batch_id, each.newest_on or date.min, each.delivery))


def _new_batches(lake: Lake, staged: Staged, past: Sequence[Profile]) -> list[str]:
    """The batches of bronze that this batch takes in first: all their rows are in it."""
    driver = staged.step.reads[0].table.name
    since, until = staged.consumed.get(driver, -1), staged.versions[driver]
    known = {each.delivery.partition("|")[0] for each in past}
    batches = takewhile(lambda batch: batch.version > since, log.batches(lake, driver))
    return [b.batch_id for b in batches if b.version <= until and b.batch_id and b.batch_id not in known]


def _profiles(staged: Staged, batches: Sequence[str]) -> list[Profile]:
    """What the files of some batches of bronze brought, from the staged rows; a resubmitted file is no delivery."""
    if not batches:
        return []
    found: dict[str, Profile] = {}

    def of(row: Mapping[str, Any]) -> Profile:
        key = f"{row['_batch_id']}|{row['_source_file']}"
        return found.setdefault(key, Profile(key, row["_source_file"] or ""))

    for rows in _staged_rows(staged, "accepted", batches, _columns(staged.step.table)):
        _take_accepted(staged.step.table, rows, of)
    for rows in _staged_rows(staged, "quarantined", batches, ["_errors"]):
        _take_quarantined(staged.step.table, rows, of)
    return [each for each in found.values() if RESUBMITTED not in each.file]


def _staged_rows(staged: Staged, outcome: str, batches: Sequence[str], columns: list[str]) -> Iterator[pa.Table]:
    if not staged.path(outcome).is_dir():
        return
    is_new = pc.field("_batch_id").isin(list(batches))
    for batch in staged.parts(outcome).to_batches(columns=[*_PLACE, *columns], filter=is_new):
        if batch.num_rows:
            yield pa.Table.from_batches([batch])


def _columns(table: Table) -> list[str]:
    wanted = [table.day, table.amount, table.currency, *_may_miss(table), *_codes(table)]
    return list(dict.fromkeys(name for name in wanted if name))


def _may_miss(table: Table) -> list[str]:
    """The columns that an accepted row may lack."""
    asked = {rule.columns[0] for rule in table.row_rules if rule.kind == "not_null" and rule.action == "quarantine"}
    return [f.name for f in table.fields if f.name not in asked]


def _codes(table: Table) -> dict[str, str]:
    """The columns of codes -> the value that stands for one that is not known."""
    return {f.name: f.unknown for f in table.fields if f.unknown is not None}


def _about_codes(table: Table) -> set[str]:
    """The rules about codes: those of a closed vocabulary, and keys that another table must know."""
    return {r.name for r in table.row_rules if r.reference or r.kind == "one_of"}


def _take_accepted(table: Table, rows: pa.Table, of: Callable[[Mapping[str, Any]], Profile]) -> None:
    codes = _codes(table)
    for name, unknown in codes.items():
        rows = rows.append_column(f"is {name}", pc.cast(pc.equal(rows[name], unknown), pa.int64()))
    only_null = pc.CountOptions(mode="only_null")
    wanted: list[tuple[Any, ...]] = [([], "count_all"), (table.day, "max")]
    wanted += [(name, "count", only_null) for name in _may_miss(table)] + [(f"is {name}", "sum") for name in codes]
    for row in rows.group_by(_PLACE).aggregate(wanted).to_pylist():
        profile = of(row)
        newest = row[f"{table.day}_max"]
        day = newest.date() if isinstance(newest, datetime) else newest
        profile.newest_on = max(filter(None, (profile.newest_on, day)), default=None)
        profile.rows_accepted += row["count_all"]
        _add(profile.missing, {name: row[f"{name}_count"] for name in _may_miss(table)})
        _add(profile.unknown, {name: row[f"is {name}_sum"] or 0 for name in codes})
    if table.amount:
        by = [*_PLACE, table.currency] if table.currency else _PLACE
        for row in rows.group_by(by).aggregate([(table.amount, "sum")]).to_pylist():
            currency = (row[table.currency] if table.currency else None) or ""
            if (amount := row[f"{table.amount}_sum"]) is not None:
                amounts = of(row).amounts
                amounts[currency] = amounts.get(currency, Decimal(0)) + amount


def _take_quarantined(table: Table, rows: pa.Table, of: Callable[[Mapping[str, Any]], Profile]) -> None:
    about_codes = _about_codes(table)
    for row in rows.to_pylist():
        profile = of(row)
        profile.rows_quarantined += 1
        _add(profile.unknown, Counter(e["rule"] for e in row["_errors"] if e["rule"] in about_codes))


def _add(counts: dict[str, int], more: Mapping[str, int]) -> None:
    for name, count in more.items():
        if count:
            counts[name] = counts.get(name, 0) + count


def _row(profile: Profile) -> dict[str, Any]:
    """A row of `ops.profiles`, without the facts of the batch."""
    names = ("delivery", "file", "rows_accepted", "rows_quarantined", "missing", "unknown", "amounts")
    day = profile.newest_on.isoformat() if profile.newest_on else None
    return {name: getattr(profile, name) for name in names} | {"newest_on": day}


def _profile(row: Mapping[str, Any]) -> Profile:
    """A row of `ops.profiles`; Arrow has its maps as pairs."""
    maps = {name: dict(row[name] or {}) for name in ("missing", "unknown", "amounts")}
    return Profile(**{each.name: row[each.name] for each in fields(Profile)} | maps)


# --- what is usual ----------------------------------------------------------------------------------------------------


def _findings(table: Table, past: list[Profile], new: list[Profile], now: datetime) -> list[Finding]:
    recent = sorted(past, key=lambda each: each.newest_on or date.min)[-RECENT:]
    found = {
        "volume": _each(new, lambda each: _volume(recent, each)),
        "freshness": _late(past, new, now),
        "missing": _shares(table, recent, new, "missing"),
        "unknown": _shares(table, recent, new, "unknown"),
        "amount": _each(new, lambda each: _amount(recent, each)) if table.amount else None,
        "currency": _currency(past, new) if table.currency and table.amount else None,
    }
    return [_finding(table, kind, found[kind]) for kind in SAYS if found[kind] is not None]


def _finding(table: Table, kind: Learnt, unusual: Sequence[str] | None) -> Finding:
    others = list(unusual or ())[1:]
    first = unusual[0] if unusual else None
    return Finding(
        f"{table.name}.learnt",
        f"learnt.{kind}",
        SAYS[kind],
        passed=not unusual,
        observed=first if not others else f"{first}, and {len(others)} more",
        examples=tuple(others[:EXAMPLES]),
        is_warning=kind not in table.blocks_on,
    )


def _each(new: Iterable[Profile], judge: Callable[[Profile], list[str] | None]) -> list[str] | None:
    """What is unusual in the files; None where none of them can be judged."""
    judged = [said for profile in new if (said := judge(profile)) is not None]
    return [text for said in judged for text in said] if judged else None


def _volume(past: Sequence[Profile], new: Profile) -> list[str] | None:
    return _compared([(each.newest_on, each.rows) for each in past], new, new.rows, "rows", ",.0f", FEW_ROWS)


def _amount(past: Sequence[Profile], new: Profile) -> list[str] | None:
    """The money of a file, by currency; that of a few rows is as it happens to be."""
    if new.rows <= FEW_ROWS:
        return None
    judged = []
    for currency, amount in new.amounts.items():
        before = [(each.newest_on, float(each.amounts[currency])) for each in past if currency in each.amounts]
        said = _compared(before, new, float(amount), currency, ",.2f")
        judged += [said] if said is not None else []
    return [text for said in judged for text in said] if judged else None


def _compared(
    past: Sequence[tuple[date | None, float]], new: Profile, value: float, unit: str, shown: str, least: float = 0
) -> list[str] | None:
    """Whether a value is below half or above double of what is usual; a difference of `least` or less is none."""
    usual = _usual(past, new.newest_on)
    if usual is None:
        return None
    low, high = (usual.middle, usual.middle) if usual.spread is not None else (min(usual.values), max(usual.values))
    is_beyond = value < (low / 2 if low > 0 else 2 * low) or value > (2 * high if high > 0 else high / 2)
    if not is_beyond or abs(value - usual.middle) <= max(least, SPREADS * (usual.spread or 0)):
        return []
    says = f"{new.file} ({new.newest_on}): {value:{shown}} {unit}, usually {usual.middle:{shown}}"
    return [f"{says} ({usual.what}, from {min(usual.values):{shown}} to {max(usual.values):{shown}})"]


@dataclass(frozen=True)
class _Usual:
    """Earlier values to compare with; `spread` is None where they are of all weekdays, and only their bounds count."""

    values: Sequence[float]
    what: str
    middle: float
    spread: float | None = None


def _usual(past: Sequence[tuple[date | None, float]], day: date | None) -> _Usual | None:
    """The values of the same weekday, or, while too few of them are known, all; None while these are few too."""
    same = [value for on, value in past if on and day and on.weekday() == day.weekday()]
    if day and len(same) >= SAME_WEEKDAY:
        return _Usual(same, f"{len(same)} {day:%A}s", *_middle(same))
    every = [value for _, value in past]
    return _Usual(every, f"{len(every)} files", median(every)) if len(every) >= DELIVERIES else None


def _middle(values: Sequence[float]) -> tuple[float, float]:
    """Median and median absolute deviation: a few odd ones move neither."""
    middle = median(values)
    return middle, median(abs(value - middle) for value in values)


def _shares(table: Table, past: Sequence[Profile], new: Sequence[Profile], kind: str) -> list[str] | None:
    """Columns, and rules about codes, that are told of a larger share of the rows than before."""
    if kind == "unknown" and not (_codes(table) or _about_codes(table)):
        return None
    rows = attrgetter("rows_accepted" if kind == "missing" else "rows")
    past = [each for each in past if rows(each) > FEW_ROWS]
    if len(past) < DELIVERIES:
        return None
    found = []
    for each in new:
        counts: dict[str, int] = getattr(each, kind)
        for name, count in counts.items():
            before = [(other.newest_on, getattr(other, kind).get(name, 0) / rows(other)) for other in past]
            usual = _usual(before, each.newest_on)
            if usual is None or count <= FEW_ROWS:
                continue
            share = count / rows(each)
            most = max(usual.values) if usual.spread is None else usual.middle
            is_beyond = share > 2 * most or 1 - share < (1 - most) / 2
            if is_beyond and share - usual.middle > max(POINTS, SPREADS * (usual.spread or 0)):
                told = f"{each.file}: {name.partition('.')[0]} is {kind} in {count:,} of {rows(each):,} rows"
                found.append(f"{told} ({share:.0%}), usually in {usual.middle:.0%} ({usual.what})")
    return found


def _currency(past: Sequence[Profile], new: Sequence[Profile]) -> list[str] | None:
    """Currencies that never came before."""
    if len(past) < DELIVERIES:
        return None
    known = {currency for each in past for currency in each.amounts}
    return [
        f"{each.file} has {amount:,.2f} {currency}, never seen in {len(past)} files ({', '.join(sorted(known))})"
        for each in new
        for currency, amount in each.amounts.items()
        if currency and currency not in known
    ]


def _late(past: Sequence[Profile], new: Sequence[Profile], now: datetime) -> list[str] | None:
    """Whether the newest day of a feed is older now than it ever became before the next one came."""
    batches: defaultdict[str, list[Profile]] = defaultdict(list)
    for each in past:
        if each.newest_on and each.at:
            batches[each.batch_id].append(each)
    waits: list[float] = []
    newest: date | None = None
    for _, files in sorted(batches.items()):
        at = max(each.at for each in files if each.at)
        if newest:
            waits.append(_age(newest, at))
        newest = max([*_days(files), *([newest] if newest else [])])
    if newest is None or len(waits) < DELIVERIES:
        return None
    newest = max([newest, *_days(new)])
    age, usual = _age(newest, now), waits[-RECENT:]
    middle, spread = _middle(usual)
    if age - middle <= max(1, SPREADS * spread) or age <= 2 * middle or age <= max(usual):
        return []
    told = f"the newest day is {newest}, {age:.1f} days ago; usually the next came after {middle:.1f} days"
    return [f"{told} (in {len(usual)} batches {max(usual):.1f} at the most)"]


def _days(files: Iterable[Profile]) -> list[date]:
    return [each.newest_on for each in files if each.newest_on]


def _age(day: date, now: datetime) -> float:
    """Days from the beginning of a day (UTC)."""
    return (now - datetime.combine(day, time(), UTC)).total_seconds() / _DAY_SECONDS
