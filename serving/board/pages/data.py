"""Whether the numbers can be trusted: freshness, gates, accounts, what waits in quarantine, runs and their cost."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from lakehouse.accounts import ops_tables
from lakehouse.declare.reconciliation import NAME as RECONCILIATION
from serving.board import charts, words
from serving.board.blocks import Block, Figure, Note, Page, Tile, Tiles, View, section

_SUFFIX = "__quarantine"
_ROWS = 200
"""So many refused rows are shown, the newest first."""
_RUNS = 100
_EXITS = {0: "done", 1: "failed", 2: "wrong use", 3: "gate blocked", 4: "accounts out of balance"}


@section("At a glance")
def glance(view: View) -> Iterator[Block]:
    """How old the release is, and whether a gate, a file or a run asks for attention."""
    release = view.reader.release
    tiles = [
        Tile("Release", f"{release.at:%Y-%m-%d %H:%M}", (f"{words.things(len(release.versions), 'table')}, UTC",)),
    ]
    if view.scope.shop.sales:
        tiles.append(Tile("Last day of sales", f"{view.scope.shop.sales.last}", (view.scope.shop.label,)))
    if view.knows("ops.runs"):
        for run in view.rows("SELECT job, exit_code, ended_at FROM ops.runs ORDER BY ended_at DESC LIMIT 1"):
            ok = run["exit_code"] == 0
            said = _EXITS.get(run["exit_code"], str(run["exit_code"]))
            tiles.append(Tile("Last run", said, (f"{run['ended_at']:%Y-%m-%d %H:%M}",), "" if ok else "bad"))
    waiting = _waiting(view)
    tiles.append(
        Tile(
            "Rows in quarantine",
            words.count(waiting["rows"].sum() if len(waiting) else 0),
            ("refused, kept as they came",),
        )
    )
    yield Tiles(tuple(tiles))


@section("Freshness")
def freshness(view: View) -> Iterator[Block]:
    """When each feed was last delivered, and the newest day in it."""
    if not (view.knows("ops.files") and view.knows("ops.profiles")):
        return
    rows = view.frame(
        'SELECT f."table", count(*) AS files, max(f."at") AS last_loaded_at, any_value(newest_on) AS newest_on'
        " FROM ops.files AS f LEFT JOIN (SELECT split_part(step, ' <- ', 2) AS \"table\", max(newest_on) AS newest_on"
        ' FROM ops.profiles GROUP BY 1) AS p ON f."table" = p."table"'
        " WHERE status = 'loaded' GROUP BY f.\"table\" ORDER BY newest_on NULLS LAST, last_loaded_at"
    )
    if rows.is_empty():
        return
    dated = rows.filter(pl.col("newest_on").is_not_null())
    told = f"Files of {words.things(len(rows), 'feed')} were taken in."
    if not dated.is_empty():
        oldest = dated.row(0, named=True)
        told += f" {oldest['table']} is the one that reaches least far: to {oldest['newest_on']}."
    yield Figure(
        "freshness",
        "How fresh the data are",
        told,
        rows,
        titles={"last_loaded_at": "last loaded (UTC)", "newest_on": "newest day in it"},
    )


@section("Gates")
def gates(view: View) -> Iterator[Block]:
    """What the newest gate of each table did not pass, and what it warned of."""
    if not view.knows("ops.gate_results"):
        return
    rows = view.frame(
        'SELECT "table", is_warning, passed, says, failing_rows, observed, "at" FROM ops.gate_results'
        ' QUALIFY "at" = max("at") OVER (PARTITION BY step) ORDER BY passed, is_warning, failing_rows DESC NULLS LAST,'
        ' "table", says'
    )
    failed = rows.filter(~pl.col("passed"))
    blocked = failed.filter(~pl.col("is_warning"))
    told = (
        f"Of {words.things(len(rows), 'expectation')} of the newest gates {len(rows) - len(failed):,} hold, "
        f"{len(failed) - len(blocked):,} warn and {len(blocked):,} block."
    )
    yield Figure(
        "gates", "What the gates say", told, failed.drop("passed"), titles={"at": "when (UTC)", "says": "must hold"}
    )


@section("Accounts")
def ledger(view: View) -> Iterator[Block]:
    """What became of all rows that were read, table by table."""
    if not view.knows("ops.row_ledger"):
        return
    rows = view.frame(
        'SELECT "table", count(*) AS batches, sum(rows_read) AS read, sum(rows_generated) AS generated,'
        " sum(rows_accepted) AS accepted, sum(rows_quarantined) AS quarantined, sum(rows_duplicate) AS duplicate,"
        " sum(list_sum(map_values(rows_filtered))) AS filtered, sum(rows_folded) AS folded"
        ' FROM ops.row_ledger GROUP BY "table" ORDER BY "table"'
    ).with_columns(pl.col(pl.Decimal, pl.Float64).cast(pl.Int64).fill_null(0))
    if rows.is_empty():
        return
    outcomes = ["accepted", "quarantined", "duplicate", "filtered", "folded"]
    rows = rows.with_columns((pl.col("read") + pl.col("generated") - pl.sum_horizontal(outcomes)).alias("unaccounted"))
    lost = rows["unaccounted"].abs().sum()
    yield Figure(
        "ledger",
        "What became of every row",
        f"{words.count(rows['read'].sum())} rows were read into {words.things(len(rows), 'table')}; "
        + ("every one is accounted for." if lost == 0 else f"{lost:,} are not accounted for."),
        rows,
        note="read + generated = accepted + quarantined + duplicate + filtered + folded. A table that reads groups "
        "again counts their rows each time.",
    )


def _quarantines(view: View) -> list[str]:
    return [name for name in view.reader.tables if name.endswith(_SUFFIX)]


def _waiting(view: View) -> pl.DataFrame:
    """Refused rows by table and rule, with the age of the oldest that was not delivered again."""
    parts = [
        f"SELECT '{name.removesuffix(_SUFFIX)}' AS \"table\","
        " unnest(list_distinct(list_transform(_errors, lambda e: e.rule))) AS rule,"
        f" _row_id, _quarantined_at, _resubmitted_at FROM {name}"
        for name in _quarantines(view)
    ]
    if not parts:
        return pl.DataFrame()
    return view.frame(
        'SELECT "table", rule, count(*) AS rows, count(_resubmitted_at) AS delivered_again,'
        " min(_quarantined_at) FILTER (WHERE _resubmitted_at IS NULL) AS oldest_at, max(_quarantined_at) AS newest_at"
        f' FROM ({" UNION ALL ".join(parts)}) GROUP BY ALL ORDER BY rows DESC, "table", rule'
    )


@section("Quarantine")
def quarantine(view: View) -> Iterator[Block]:
    """Which rules refused how many rows, how long they have waited, and the rows with their reasons."""
    rules = _waiting(view)
    if rules.is_empty():
        return
    top = rules.row(0, named=True)
    yield Figure(
        "quarantine",
        "What was refused, by rule",
        f"{top['table']} refused most: {words.things(top['rows'], 'row')} by {top['rule']}.",
        rules,
        charts.bars(
            rules.head(15).with_columns(pl.format("{}: {}", "table", "rule").alias("what")), "what", "rows", "rows"
        ),
        titles={"oldest_at": "oldest that waits (UTC)", "newest_at": "newest (UTC)"},
        note="A row that breaks two rules is in both. See: shoplake quarantine.",
    )
    shown = [
        f"SELECT '{name.removesuffix(_SUFFIX)}' AS \"table\", _quarantined_at AS refused_at, _source_file AS file,"
        " _source_row AS line, list_transform(_errors, lambda e: e.message) AS reasons, _row AS row"
        f" FROM {name} WHERE _resubmitted_at IS NULL"
        for name in _quarantines(view)
        if not any(field.personal for field in view.reader.tables[name].fields)
    ]
    if shown:
        rows = view.frame(
            f'SELECT * FROM ({" UNION ALL ".join(shown)}) ORDER BY refused_at DESC, "table", file, line LIMIT {_ROWS}'
        )
        yield Figure(
            "refused",
            "Refused rows and their reasons",
            f"The newest {words.things(len(rows), 'row')} that wait; rows that may hold personal data are not shown.",
            rows,
            titles={"refused_at": "refused (UTC)"},
        )


@section("Reconciliations")
def reconciliations(view: View) -> Iterator[Block]:
    """Keys of which two tables state different amounts."""
    if not view.has(RECONCILIATION):
        yield Note("Where tables do not agree", "No two tables of this warehouse state the same amounts.")
        return
    rows = view.frame(
        "SELECT reconciliation, currency, left_table, right_table, count(*) AS findings, sum(difference) AS difference,"
        " sum(abs(difference)) AS absolute FROM ops.reconciliation WHERE shop_id = $shop"
        " GROUP BY ALL ORDER BY findings DESC, reconciliation, currency"
    )
    told = "All tables that state the same amounts agree."
    if not rows.is_empty():
        top = rows.row(0, named=True)
        told = (
            f"{words.things(int(rows['findings'].sum()), 'finding')}; most of {top['reconciliation']}: "
            f"{top['findings']:,}, {words.amount(top['absolute'], top['currency'])} in all, whatever the sign."
        )
    yield Figure("reconciliations", "Where tables do not agree", told, rows)


@section("Runs")
def runs(view: View) -> Iterator[Block]:
    """How long the newest runs took, and how they ended."""
    if not view.knows("ops.runs"):
        return
    rows = view.frame(
        "SELECT started_at, date_diff('millisecond', started_at, ended_at) / 1000 AS seconds, exit_code, batches, job,"
        f" message FROM ops.runs ORDER BY started_at DESC LIMIT {_RUNS}"
    )
    if rows.is_empty():
        return
    ended = rows["exit_code"].replace_strict(_EXITS, default="failed", return_dtype=pl.String)
    rows = rows.with_columns(ended.alias("ended"), pl.col("job").map_elements(ops_tables.masked, pl.String))
    failed = rows.filter(pl.col("exit_code") != 0)
    last = rows.row(0, named=True)
    yield Figure(
        "runs",
        "Runs",
        f"The last of {words.things(len(rows), 'run')} shown took {last['seconds']:,.0f} seconds and ended: "
        f"{last['ended']}. {words.things(len(failed), 'run')} of them did not end well.",
        rows.drop("exit_code"),
        charts.lines(rows, "started_at", "seconds", "seconds") if len(rows) > 1 else None,
        titles={"started_at": "started (UTC)"},
    )


@section("Cost of tables")
def cost(view: View) -> Iterator[Block]:
    """How long each table took in the newest run that wrote many."""
    if not (view.knows("ops.row_ledger") and view.knows("ops.runs")):
        return
    rows = view.frame(
        "WITH runs AS (SELECT run_id, min(started_at) AS started_at FROM ops.runs GROUP BY run_id),"
        ' batches AS (SELECT run_id, "table", "at", rows_read,'
        ' coalesce(lag("at") OVER (PARTITION BY run_id ORDER BY "at"), started_at) AS before'
        " FROM ops.row_ledger JOIN runs USING (run_id)),"
        ' newest AS (SELECT run_id FROM batches GROUP BY run_id ORDER BY count(*) DESC, max("at") DESC LIMIT 1)'
        ' SELECT "table", sum(date_diff(\'millisecond\', before, "at")) / 1000 AS seconds, sum(rows_read) AS rows_read,'
        ' max(run_id) AS run FROM batches JOIN newest USING (run_id) GROUP BY "table" ORDER BY seconds DESC, "table"'
    ).with_columns(pl.col("rows_read").cast(pl.Int64))
    if rows.is_empty():
        return
    top, total = rows.row(0, named=True), rows["seconds"].sum()
    yield Figure(
        "cost",
        "What each table cost",
        f"{top['table']} took {top['seconds']:,.0f} of {total:,.0f} seconds of run {top['run']}.",
        rows.drop("run"),
        charts.bars(rows.head(20), "table", "seconds", "seconds"),
        note="Of the run that wrote most tables: from one account to the next. The first has the start of Spark in it, "
        "and what a run did between two tables counts for the later one.",
    )


PAGE = Page(
    "data",
    "Data",
    "Can we trust these numbers: how fresh are they, and what was refused?",
    (glance, freshness, gates, ledger, quarantine, reconciliations, runs, cost),
)
