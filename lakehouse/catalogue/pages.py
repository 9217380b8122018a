"""The catalogue: the warehouse as static pages, derived from the declarations and from what the ops tables hold.

`pages` is pure: declarations and plain records in, HTML out. `collect` fetches the records, `write` does both. Rows
that may hold readable personal data are never shown.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lakehouse.accounts import ops_tables, releases
from lakehouse.accounts.account import ZERO
from lakehouse.accounts.journal import journals
from lakehouse.accounts.releases import Release
from lakehouse.catalogue import picture
from lakehouse.declare.rules import Rule
from lakehouse.declare.table import Field, Step, Table
from lakehouse.errors import writing
from lakehouse.promotion import findings, gate
from lakehouse.promotion.findings import Found
from lakehouse.promotion.quarantine import by_rule, quarantine_of
from lakehouse.store import arrow, log
from lakehouse.store.lake import Lake

Record = Mapping[str, Any]

BATCHES, FILES, EVENTS, EXAMPLES = 20, 100, 100, 5
"""The newest that are shown: batches of a table, its files of one status, entries of a list of operations, rows."""
SHOWN = 600
"""Characters of a refused row that are shown."""
NONE = "-"
LISTED = ("gold", "silver", "bronze", "ops")
"""The layers in the order in which they are listed."""
DATA_DOCS = ("ops", "gx", "uncommitted", "data_docs", "local_site", "index.html")
WRITES = {
    "append": "rows are only ever added",
    "merge": "merged on the grain: a new key is inserted, a changed row updated, a row alike left as it is",
    "scd2": "history is kept (SCD type 2): each change of a key ends its version and begins a new one",
}
EXITS = {0: "done", 1: "failed", 2: "wrong use", 3: "gate blocked", 4: "accounts out of balance"}
ALIASES = {"champion": "champion", "challenger": "not promoted"}
"""What became of a model's version, by the alias that names it since then."""
ACTIONS = {"quarantine": "quarantined", "warn": "warns", "fail": "blocks the batch"}


@dataclass(frozen=True)
class Stand:
    """What a table holds now: rows, those that are current where history is kept, and money by currency."""

    rows: int
    current: int | None = None
    amounts: Mapping[str | None, Decimal] = field(default_factory=dict)


@dataclass(frozen=True)
class Chart:
    """A picture on top of the overview: what it says in a sentence, and its numbers.

    `picture` and `in_the_dark` are SVG, for light and for dark screens. `columns` are the titles of `rows`.
    """

    title: str
    says: str
    picture: str
    in_the_dark: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    is_wide: bool = False


@dataclass(frozen=True)
class Records:
    """What is known of a warehouse at one moment; times carry their zone, lists have the newest first.

    `stands` has the tables that exist. `ledger`, `gates`, `files`, `drift`, `runs` and `moves` (of models) are rows of
    the ops tables.
    `refused` counts quarantined rows by table and rule (table, rule, rows, resubmitted, last_at), the most first, each
    with an `example` (row_id, row, reasons, file, line) unless that may be personal. `found` is what reconciliations
    found. `waiting` batches are done and not in the ledger yet. `data_docs` is a link, where there are any. Of
    `release`, if there is one, `stands` are. `charts` are pictures of what gold says.
    """

    at: datetime
    warehouse: str
    stands: Mapping[str, Stand] = field(default_factory=dict)
    ledger: Sequence[Record] = ()
    gates: Sequence[Record] = ()
    files: Sequence[Record] = ()
    drift: Sequence[Record] = ()
    runs: Sequence[Record] = ()
    moves: Sequence[Record] = ()
    refused: Sequence[Record] = ()
    found: Sequence[Found] = ()
    waiting: int = 0
    data_docs: str | None = None
    release: Release | None = None
    charts: Sequence[Chart] = ()


@dataclass(frozen=True)
class Equation:
    """An account written out: the numbers on both sides, with what they are, and what is missing between them."""

    what: str
    left: tuple[tuple[str, int | Decimal], ...]
    right: tuple[tuple[str, int | Decimal], ...]

    @property
    def difference(self) -> int | Decimal:
        """Left less right; 0 where the account balances."""
        return sum(n for _, n in self.left) - sum(n for _, n in self.right)


def write(lake: Lake, steps: Sequence[Step], output: Path | None = None, charts: Sequence[Chart] = ()) -> Path:
    """Write the pages into a folder (`ops/catalogue` of the warehouse unless told otherwise); returns the index.

    Pages of tables that are there no more are removed.
    """
    folder = (output or lake.warehouse / "ops" / "catalogue").absolute()
    rendered = pages(steps, replace(collect(lake, steps, folder), charts=charts))
    with writing("--output", folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name in tables_of(steps):
            if _page(name) not in rendered:
                (folder / _page(name)).unlink(missing_ok=True)
        for name, text in rendered.items():
            (folder / name).write_text(text, encoding="utf-8")
    return folder / "index.html"


# --- from declarations and records to pages ---------------------------------------------------------------------------


def pages(steps: Sequence[Step], records: Records) -> dict[str, str]:
    """All pages by file name: `index.html`, `ops.html`, and `<table>.html` for each table that the warehouse has."""
    declared, hidden = len(tables_of(steps)), private_tables(steps)
    steps = here(steps, records)
    tables = tables_of(steps)
    shared = {"records": records, "known": set(tables), "layers": _layers(tables.values()), "declared": declared}
    states = {name: gate_state(_of(records.gates, name)) for name in tables}
    last = {name: max((r["at"] for r in _of(records.ledger, name)), default=None) for name in tables}
    views = {"states": states, "last": last, "steps": steps, "matrix": matrix(steps), "picture": picture.draw(steps)}
    rendered = {
        "index.html": _render("index", **shared, **views, neighbours=_neighbours(steps)),
        "ops.html": _render("ops", **shared, unreadable=_unreadable(records), masked=ops_tables.masked),
    }
    for name, table in tables.items():
        view = _table_view(steps, table, records, name in hidden)
        rendered[_page(name)] = _render("table", **shared, **view, state=states[name], last=last[name])
    return rendered


def tables_of(steps: Sequence[Step]) -> dict[str, Table]:
    """The tables that are written, by name, in the order of the steps."""
    return {step.table.name: step.table for step in steps}


def here(steps: Sequence[Step], records: Records) -> list[Step]:
    """The steps into tables that a warehouse has: with rows, or with the verdict of a gate that let none in.

    Of several ways into a table, those from tables that are not there are left out.
    """
    declared = tables_of(steps)
    held = records.stands.keys() | {finding["table"] for finding in records.gates}
    own = [step for step in steps if step.table.name in held]
    used = {step for step in own if not step.reads or step.reads[0].table.name not in declared.keys() - held}
    ways = {step.table.name for step in used}
    return [step for step in own if step in used or step.table.name not in ways]


def private_tables(steps: Sequence[Step]) -> frozenset[str]:
    """Tables whose rows, or whose refused rows as they came, may hold personal data that is readable.

    These are the tables that declare personal columns, the delivered ones that such a table is made from, and all
    tables made from those.
    """
    personal = {step.table.name for step in steps if any(f.personal for f in step.table.fields)}
    delivered = {step.table.name for step in steps if step.feed}
    sources = {r.table.name for step in steps if step.table.name in personal for r in step.reads} & delivered
    fed = {step.table.name for step in steps if sources & {r.table.name for r in step.reads}}
    return frozenset(personal | sources | fed)


def matrix(steps: Sequence[Step]) -> list[tuple[Step, dict[str, str]]]:
    """What each step does with each table: W written, R read, K keys looked up by a rule."""
    return [(step, _marks(step)) for step in steps]


def _marks(step: Step) -> dict[str, str]:
    marks = {rule.reference.name: "K" for rule in step.table.row_rules if rule.reference}
    marks |= {read.table.name: "R" for read in step.reads}
    return marks | {step.table.name: "RW" if marks.get(step.table.name) == "R" else "W"}


def equations(batch: Record) -> list[Equation]:
    """The account of a batch, as four equations; those of money only where the table has money."""
    rows = [_split(batch, "rows", 0), _published(batch, "rows", 0)]
    if batch["amount_read"] is None:
        return rows
    return [*rows, _split(batch, "amount", ZERO), _published(batch, "amount", ZERO)]


def _split(batch: Record, what: str, zero: int | Decimal) -> Equation:
    left_out = {f"left out: {reason}": n for reason, n in (batch[f"{what}_filtered"] or {}).items()}
    outcomes = {name: batch.get(f"{what}_{name}") or zero for name in ("quarantined", "duplicate")}
    folded = {"folded": batch.get(f"{what}_folded") or zero}
    accepted = {"accepted": batch[f"{what}_accepted"] or zero}
    read = {"read": batch[f"{what}_read"]}
    generated = {"generated": batch.get(f"{what}_generated") or zero}
    return Equation(what, _terms(read, generated), _terms(accepted, outcomes | left_out | folded))


def _published(batch: Record, what: str, zero: int | Decimal) -> Equation:
    parts = {name: batch.get(f"{what}_{name}") or zero for name in ("updated", "unchanged")}
    accepted, inserted = ({name: batch.get(f"{what}_{name}") or zero} for name in ("accepted", "inserted"))
    return Equation(f"{what} stored", _terms(accepted, {}), _terms(inserted, parts))


def _terms(first: Mapping[str, Any], others: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """The first term always, the others where they are not 0."""
    return (*first.items(), *((name, n) for name, n in others.items() if n))


def gate_state(findings: Sequence[Record]) -> str:
    """The verdict of the newest gate of each way into a table, the worst of them: blocked, warned, passed or none."""
    failed = [f for f in findings if not f["passed"]]
    if any(not f["is_warning"] for f in failed):
        return "blocked"
    return "warned" if failed else "passed" if findings else "none"


def _table_view(steps: Sequence[Step], table: Table, records: Records, is_private: bool) -> dict[str, Any]:
    own = [step for step in steps if step.table.name == table.name]
    readers = [step for step in steps if table.name in {read.table.name for read in step.reads}]
    lookups = [step for step in steps if _marks(step).get(table.name) == "K"]
    return {
        "table": table,
        "own": own,
        "readers": _names(readers),
        "lookups": _names(lookups),
        "stand": records.stands.get(table.name),
        "columns": _columns(table),
        "wide_rules": [rule for rule in table.row_rules if len(rule.columns) > 1],
        "allowance": f"at most {table.max_quarantined:.0%} of the rows of a batch, or {gate.FEW_ROWS} rows, refused",
        "batches": [(batch, equations(batch)) for batch in _of(records.ledger, table.name)],
        "gates": _by_step(_of(records.gates, table.name)),
        "refused": _of(records.refused, table.name),
        "examples": [] if is_private else _examples(_of(records.refused, table.name)),
        "files": _of(records.files, table.name),
        "is_private": is_private,
        "writes": WRITES[table.write],
    }


@dataclass(frozen=True)
class _ColumnView:
    name: str
    type: str
    meaning: str
    unit: str
    rules: tuple[Rule, ...]
    is_key: bool
    is_personal: bool
    is_own: bool


def _columns(table: Table) -> list[_ColumnView]:
    """Every stored column, the platform's too, with the rules about it alone."""
    fields = {f.name: f for f in table.fields}
    views = []
    for name, (kind, said) in table.all_columns.items():
        declared = fields.get(name, Field(name, kind, said))
        rules = tuple(rule for rule in table.row_rules if rule.columns == (name,))
        is_key = name in table.key
        views.append(
            _ColumnView(
                name, kind, declared.meaning, declared.unit, rules, is_key, declared.personal, is_own=name in fields
            )
        )
    return views


def _layers(tables: Iterable[Table]) -> dict[str, list[Table]]:
    """Tables by layer, those first that people ask."""
    layers: dict[str, list[Table]] = {layer: [] for layer in LISTED}
    for table in tables:
        layers[table.layer].append(table)
    return {layer: own for layer, own in layers.items() if own}


def _neighbours(steps: Sequence[Step]) -> dict[str, int]:
    """A number for each box of the picture, so that its style can name the lines that end there."""
    names = [name for edge in picture.edges_of(steps) for name in edge]
    return {name: index for index, name in enumerate(dict.fromkeys([*names, *tables_of(steps)]))}


def _names(steps: Iterable[Step]) -> list[str]:
    return list(dict.fromkeys(step.table.name for step in steps))


def _of(rows: Sequence[Record], table: str) -> list[Record]:
    return [row for row in rows if row["table"] == table]


def _examples(refused: Sequence[Record]) -> list[Record]:
    """Up to five refused rows, each once, for as many different rules."""
    found = {rule["example"]["row_id"]: rule["example"] for rule in refused if rule["example"]}
    return list(found.values())[:EXAMPLES]


def _by_step(findings: Iterable[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for finding in findings:
        found.setdefault(finding["step"], []).append(finding)
    return found


def _unreadable(records: Records) -> list[Record]:
    found = [file for file in records.files if file["status"] == "unreadable"]
    return sorted(found, key=lambda file: file["at"], reverse=True)


# --- words and numbers ------------------------------------------------------------------------------------------------


def _count(number: int | None) -> str:
    return NONE if number is None else f"{number:,}"


def _rows(number: int) -> str:
    return f"{number:,} row" if number == 1 else f"{number:,} rows"


def _number(number: int | Decimal) -> str:
    return f"{number:,.2f}" if isinstance(number, Decimal) else f"{number:,}"


def _when(moment: datetime | None) -> str:
    return NONE if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _size(size: int | None) -> str:
    if size is None:
        return NONE
    value, units = float(size), ["B", "kB", "MB", "GB"]
    while value >= 1000 and len(units) > 1:
        value, _ = value / 1000, units.pop(0)
    return f"{value:,.0f} {units[0]}" if units[0] == "B" else f"{value:,.1f} {units[0]}"


def _took(run: Record) -> str:
    seconds = int((run["ended_at"] - run["started_at"]).total_seconds())
    return f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"


def _first_line(text: str | None) -> str:
    return next(iter((text or "").splitlines()), "")


def _cut(text: str | None) -> str:
    shown = text or ""
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]} ... ({len(shown):,} characters)"


def _svg(picture: str) -> str:
    """A picture as the address of an image."""
    return f"data:image/svg+xml;base64,{b64encode(picture.encode()).decode()}"


def _page(table: str) -> str:
    return quote(f"{table}.html")


@cache
def _templates() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    filters: dict[str, Callable[..., str]] = {
        "count": _count,
        "rows": _rows,
        "number": _number,
        "when": _when,
        "size": _size,
        "took": _took,
        "first_line": _first_line,
        "cut": _cut,
        "page": _page,
        "svg": _svg,
    }
    made.filters.update(filters)
    made.globals.update(actions=ACTIONS, aliases=ALIASES, exits=EXITS, none=NONE)
    return made


def _render(template: str, **values: Any) -> str:
    return _templates().get_template(f"{template}.html.j2").render(page=template, **values)


# --- from the warehouse to records ------------------------------------------------------------------------------------


def collect(lake: Lake, steps: Sequence[Step], output: Path) -> Records:
    """Fetch what the pages show; `output` is the folder that links start from."""
    tables = list(tables_of(steps).values())
    hidden = private_tables(steps)
    release = releases.newest(lake)
    versions = release.versions if release else {}
    data_docs = lake.warehouse.joinpath(*DATA_DOCS)
    return Records(
        at=lake.clock(),
        warehouse=lake.warehouse.name,
        release=release,
        stands={
            table.name: _stand(lake, table, versions.get(table.name))
            for table in tables
            if log.exists(lake, table.name)
        },
        ledger=_newest(arrow.rows(lake, ops_tables.ROW_LEDGER), BATCHES, "table"),
        gates=_last_gates(arrow.rows(lake, ops_tables.GATE_RESULTS)),
        files=_files(arrow.rows(lake, ops_tables.FILES)),
        drift=_newest(arrow.rows(lake, ops_tables.SCHEMA_DRIFT), EVENTS),
        runs=_newest(arrow.rows(lake, ops_tables.RUNS), EVENTS, moment="started_at"),
        moves=_newest(arrow.rows(lake, ops_tables.MODEL_MOVES), EVENTS),
        refused=[rule for table in tables for rule in _refused(lake, table, table.name in hidden)],
        found=findings.found(lake, steps),
        waiting=sum(journal.state == "done" for journal in journals(lake)),
        data_docs=quote(Path(os.path.relpath(data_docs, output)).as_posix()) if data_docs.exists() else None,
    )


def _stand(lake: Lake, table: Table, version: int | None = None) -> Stand:
    rows, current = arrow.count(lake, table, version), None
    if table.write == "scd2":
        current = sum(part["__END_AT"].null_count for part in arrow.parts(lake, table, ["__END_AT"], version))
    amounts: dict[str | None, Decimal] = {}
    if table.amount:
        currency = "currency" if "currency" in table.all_columns else None
        columns = list(filter(None, (currency, table.amount)))
        for part in arrow.parts(lake, table, columns, version):
            sums = part.group_by(columns[:-1]).aggregate([(table.amount, "sum")]).to_pylist()
            for row in sums:
                own = row.get("currency")
                amounts[own] = amounts.get(own, ZERO) + (row[f"{table.amount}_sum"] or ZERO)
    return Stand(rows, current, amounts)


def _newest(rows: pa.Table, limit: int, per: str | None = None, moment: str = "at") -> list[dict[str, Any]]:
    """The newest rows, or the newest for each value of `per`; the newest first."""
    order = _newest_first(rows, moment)
    groups = [None] * len(order) if per is None else rows[per].take(order).to_pylist()
    taken: Counter[Any] = Counter()
    kept = []
    for index, group in zip(order.to_pylist(), groups, strict=True):
        taken[group] += 1
        if taken[group] <= limit:
            kept.append(index)
    return _plain(rows.take(pa.array(kept, pa.int64())))


def _newest_first(rows: pa.Table, moment: str = "at") -> pa.Array:
    return pc.sort_indices(rows, [(moment, "descending"), ("batch_id", "descending")])


def _last_gates(rows: pa.Table) -> list[dict[str, Any]]:
    """What the newest gate of each step found."""
    steps, batches = rows["step"].to_pylist(), rows["batch_id"].to_pylist()
    last: dict[str, str] = {}
    kept = []
    for index in _newest_first(rows).to_pylist():
        if last.setdefault(steps[index], batches[index]) == batches[index]:
            kept.append(index)
    return _plain(rows.take(pa.array(kept, pa.int64())))


def _files(rows: pa.Table) -> list[dict[str, Any]]:
    """The newest files of each table and status, with how many there are, and when a refused one was loaded after."""
    keys = [rows[name].to_pylist() for name in ("table", "file", "status", "at")]
    total: Counter[tuple[str, str]] = Counter()
    loaded: dict[tuple[str, str], datetime] = {}
    for table, file, status, at in zip(*keys, strict=True):
        total[(table, status)] += 1
        if status == "loaded":
            loaded[(table, file)] = max(at, loaded.get((table, file), at))
    kinds = pa.array([f"{table} {status}" for table, status in zip(keys[0], keys[2], strict=True)], pa.string())
    found = _newest(rows.append_column("kind", kinds), FILES, "kind")
    for file in found:
        after = loaded.get((file["table"], file["file"]))
        file["total"] = total[(file["table"], file["status"])]
        file["loaded_at"] = after if after and after >= file["at"] else None
    return found


def _refused(lake: Lake, table: Table, is_private: bool) -> list[dict[str, Any]]:
    """Refused rows of a table by rule, the most first, each rule with a row as an example unless it may be personal."""
    quarantine = quarantine_of(table)
    if not log.exists(lake, quarantine.name):
        return []
    columns = ["_row_id", "_errors", "_quarantined_at", "_resubmitted_at"]
    columns += [] if is_private else ["_row", "_source_file", "_source_row"]
    found: dict[str, dict[str, Any]] = {}
    for part in arrow.parts(lake, quarantine, columns):
        for rule in by_rule(part):
            place = rule.pop("row")
            before = found.get(rule["rule"])
            if before is None or rule["last_at"] > before["last_at"]:
                example = None if is_private else _example(part, place)
                found[rule["rule"]] = rule | {"table": table.name, "example": example}
            if before is not None:
                found[rule["rule"]] |= {name: before[name] + rule[name] for name in ("rows", "resubmitted")}
    return sorted(found.values(), key=lambda rule: (-rule["rows"], rule["rule"]))


def _example(part: pa.Table, index: int) -> dict[str, Any]:
    (row,) = part.slice(index, 1).to_pylist()
    reasons = [error["message"] for error in row["_errors"]]
    names = {"row_id": "_row_id", "row": "_row", "file": "_source_file", "line": "_source_row"}
    return {name: row[column] for name, column in names.items()} | {"reasons": reasons}


def _plain(rows: pa.Table) -> list[dict[str, Any]]:
    """Rows as dictionaries, maps included."""
    found: list[dict[str, Any]] = rows.to_pylist(maps_as_pydicts="strict")
    return found
