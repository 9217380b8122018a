"""What every job does around its steps: options, choice of steps, progress, summary, exit code.

The only place with a broad `except`: whatever happens, the user sees one message and the ledger what was done.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from lakehouse import gate, ledger
from lakehouse.clock import system_clock
from lakehouse.errors import LakehouseError, UsageError
from lakehouse.lake import Lake
from lakehouse.ledger import Account, Journal
from lakehouse.promote import Outcome, promote
from lakehouse.session import spark_session
from lakehouse.settings import CONF, load
from lakehouse.table import Step

OTHER, USAGE, GATE, ACCOUNTS = 1, 2, 3, 4
GRAVEST_FIRST = (ACCOUNTS, GATE, USAGE, OTHER)


class Parser(argparse.ArgumentParser):
    """Arguments whose mistakes are one line and exit code 2."""

    def error(self, message: str) -> NoReturn:
        """End with the message and the exit code of a wrong use."""
        self.exit(USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser(description: str) -> Parser:
    """The options that all jobs share."""
    made = Parser(description=description)
    made.add_argument("--env", default="local", help="which conf/<env>.yaml (default: local)")
    made.add_argument("--warehouse", type=Path, help="folder of all tables (default: as configured)")
    return made


def run_job(description: str, steps: Sequence[Step], arguments: Sequence[str] | None = None) -> int:
    """A job over steps: parse the options, promote, say what changed; returns the exit code."""
    options = parser(description)
    options.add_argument("--source", help="one source of files, such as online_retail (default: all)")
    options.add_argument("--table", help="one table, such as gold.sales_daily, with what it needs")
    options.add_argument("--full", action="store_true", help="build again from bronze instead of taking in what is new")
    if any(step.feed for step in steps):
        options.add_argument("--input", type=Path, required=True, help="folder of delivered files")
    chosen = options.parse_args(arguments)
    inputs = getattr(chosen, "input", None)
    todo = choose(steps, chosen.source, chosen.table)
    _check_inputs(todo, inputs)
    screen = console()
    gate.warm_up()
    lake = open_lake(chosen.env, chosen.warehouse, screen)
    report = run_steps(lake, todo, screen, full=chosen.full, inputs=inputs)
    summarise(lake, report, screen)
    return report.exit_code


def open_lake(env: str, warehouse: Path | None, console: Console, overrides: Mapping[str, str] | None = None) -> Lake:
    """The warehouse that the options name, with a session; Spark starts here, with `overrides` of its settings."""
    settings = load(env)
    folder = warehouse or Path(settings.warehouse)
    with console.status("starting Spark") if console.is_terminal else _nothing():
        return Lake(
            spark_session(overrides), folder, settings, system_clock, say=lambda text: console.print(text, style="dim")
        )


def console() -> Console:
    """Where jobs speak: colour and progress on a terminal, plain lines of any width elsewhere."""
    made = Console(highlight=False, soft_wrap=True)
    return made if made.is_terminal else Console(highlight=False, soft_wrap=True, width=160)


def guarded(main: Callable[[Sequence[str] | None], int], arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a job's main and end the process with its exit code; an error of ours is one message, without a trace."""
    try:
        code = main(arguments)
    except LakehouseError as error:
        sys.stderr.write(f"error: {error}\n")
        code = error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was not finished is read again by the next run\n")
        code = OTHER
    sys.exit(code)


# --- choice of steps --------------------------------------------------------------------------------------------------


def choose(steps: Sequence[Step], source: str | None = None, table: str | None = None) -> list[Step]:
    """The steps for one source, and for one table with all that it is made from. Unknown names are a `UsageError`."""
    sources = sorted({step.source for step in steps if step.source})
    if source is not None and sources and source not in sources:  # gold is of all sources
        raise UsageError(f"--source {source}: unknown source; known sources: {', '.join(sources)}")
    names = sorted({step.table.name for step in steps})
    if table is not None and table not in names:
        raise UsageError(f"--table {table}: unknown table here; known tables: {', '.join(names)}")
    chosen = [step for step in steps if source is None or step.source in (None, source)]
    return chosen if table is None else [step for step in chosen if step.table.name in _ancestry(chosen, table)]


def _ancestry(steps: Sequence[Step], table: str) -> set[str]:
    needed = {table}
    for step in reversed(steps):
        if step.table.name in needed:
            needed |= {read.table.name for read in step.reads}
            needed |= {rule.reference.name for rule in step.table.row_rules if rule.reference}
    return needed


# --- run --------------------------------------------------------------------------------------------------------------


@dataclass
class Report:
    """What a run did: outcomes and errors by step, and the steps that were held back by an error before them."""

    outcomes: list[Outcome] = field(default_factory=list)
    errors: list[tuple[Step, str, int]] = field(default_factory=list)
    held: list[Step] = field(default_factory=list)

    @property
    def published(self) -> list[Outcome]:
        """The outcomes that put a batch into a table."""
        return [outcome for outcome in self.outcomes if outcome.account]

    @property
    def unreadable(self) -> list[str]:
        """Messages of files that could not be read."""
        return [f.message for outcome in self.outcomes for f in outcome.files if f.status == "unreadable"]

    @property
    def exit_code(self) -> int:
        """0 done, 4 accounts, 3 gate, 2 usage, 1 anything else: the gravest counts."""
        codes = {code for _, _, code in self.errors} | ({OTHER} if self.unreadable else set())
        return next((code for code in GRAVEST_FIRST if code in codes), 0)


def run_steps(
    lake: Lake, steps: Sequence[Step], console: Console, *, full: bool = False, inputs: Path | None = None
) -> Report:
    """Promote the steps in order. After an error the tables that need the failed one are held back."""
    started = lake.clock()
    ledger.flush(lake)
    report = Report()
    try:
        with _progress(console, len(steps)) as advance:
            for step in steps:
                advance(step, _one_step(lake, step, report, full, inputs))
    finally:
        if report.published or report.errors or report.unreadable:
            _note_run(lake, started.isoformat(), report)
        ledger.flush(lake)
    if (lake.gates and any(o.findings for o in report.outcomes)) or any(code == GATE for _, _, code in report.errors):
        gate.build_pages(lake.warehouse / "ops")
    return report


def _one_step(lake: Lake, step: Step, report: Report, full: bool, inputs: Path | None) -> str:
    """Promote one step into the report; returns a line for the progress."""
    broken = {s.table.name for s, _, _ in report.errors} | {s.table.name for s in report.held}
    needs = {read.table.name for read in step.reads} | {r.reference.name for r in step.table.row_rules if r.reference}
    if waits := sorted(broken & needs):
        report.held.append(step)
        return f"held back: waits for {', '.join(waits)}"
    try:
        outcome = promote(lake, step, full=full, inputs=inputs)
    except LakehouseError as error:
        report.errors.append((step, str(error), error.exit_code))
        return f"stopped: {str(error).splitlines()[0]}"
    except Exception as error:  # noqa: BLE001 - the one place where any failure becomes a message
        path = lake.warehouse / "ops" / "logs" / f"{lake.run_id}.log"
        path.parent.mkdir(exist_ok=True)
        with path.open("a") as log:
            log.write(f"{step.name}\n{traceback.format_exc()}\n")
        first = next(iter(str(error).splitlines()), type(error).__name__)
        report.errors.append((step, f"{step.name}: unexpected: {first}; the details are in {path}", OTHER))
        return f"stopped: {first}"
    report.outcomes.append(outcome)
    if outcome.account is None:
        return "nothing new"
    return (
        f"{outcome.account.rows_read:,} rows read, {outcome.account.rows_accepted:,} accepted, {outcome.seconds:.1f} s"
    )


def _check_inputs(steps: Sequence[Step], inputs: Path | None) -> None:
    feeds = [step.feed for step in steps if step.feed]
    if inputs is None or not feeds:
        return
    if not inputs.is_dir():
        raise UsageError(f"--input {inputs}: there is no such folder; name the folder of the delivered files")
    if not any(next(inputs.glob(feed.pattern), None) for feed in feeds):
        expected = ", ".join(sorted({feed.pattern for feed in feeds}))
        raise UsageError(f"--input {inputs}: no file there belongs to a known feed; expected {expected}")


def _note_run(lake: Lake, started_at: str, report: Report) -> None:
    journal = Journal(lake.journal / f"{lake.run_id}.json", lake.run_id, ledger.RUNS.name, "run", "done")
    journal.add(
        ledger.RUNS,
        {
            "run_id": lake.run_id,
            "batch_id": lake.run_id,
            "job": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "started_at": started_at,
            "ended_at": lake.clock().isoformat(),
            "exit_code": report.exit_code,
            "batches": len(report.published),
            "message": next((text for _, text, _ in report.errors), None),
            "git_commit": git_commit(),
        },
    )
    journal.save()


def git_commit() -> str | None:
    """Commit of the code that runs, where it is known."""
    asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=CONF.parent, capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None


@contextmanager
def _progress(console: Console, total: int) -> Iterator[Callable[[Step, str], None]]:
    """A bar on a terminal, a line per step elsewhere."""
    if not console.is_terminal:
        done = iter(range(1, total + 1))
        yield lambda step, said: console.print(f"[{next(done):>2}/{total}] {step.name}: {said}", markup=False)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("promoting", total=total)
        yield lambda step, said: bar.update(task, advance=1, description=f"{step.table.name}: {said}"[:70])


@contextmanager
def working(console: Console, what: str) -> Iterator[None]:
    """Say what goes on, and how far it is by what is logged as "shoplake": a spinner on a terminal, else lines."""
    if console.is_terminal:
        with console.status(what) as status, _told(console, lambda stage: status.update(f"{what}: {stage}")):
            yield
    else:
        console.print(what, style="dim", markup=False)
        with _told(console, lambda stage: console.print(f"  {stage}", style="dim", markup=False)):
            yield


class _Teller(logging.Handler):
    """Shows what is logged: stages by `tell`, warnings as lines that stay."""

    def __init__(self, console: Console, tell: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._console, self._tell = console, tell

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            self._console.print(f"  {record.getMessage()}", style="yellow", markup=False)
        else:
            self._tell(record.getMessage())


@contextmanager
def _told(console: Console, tell: Callable[[str], None]) -> Iterator[None]:
    handler = _Teller(console, tell)
    logger = logging.getLogger("shoplake")
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


_Answer = TypeVar("_Answer")


def attempt(console: Console, doing: str, name: str, work: Callable[[], _Answer]) -> tuple[_Answer | None, int]:
    """What comes of one of several pieces of work, and its exit code: an error of one is a line, and others go on."""
    try:
        with working(console, f"{doing} {name}"):
            return work(), 0
    except LakehouseError as error:
        console.print(f"{name}: {error}", style="yellow", markup=False)
        return None, error.exit_code


@contextmanager
def _nothing() -> Iterator[None]:
    yield


# --- summary ----------------------------------------------------------------------------------------------------------


def summarise(lake: Lake, report: Report, console: Console) -> None:
    """What changed, table by table, what went wrong, and where to look."""
    if report.published:
        console.print(_grid(report.published))
    quiet = len(report.outcomes) - len(report.published)
    if quiet:
        console.print(f"{quiet} tables had nothing new.")
    passed = sum(f.passed for o in report.outcomes for f in o.findings)
    warned = sum(not f.passed for o in report.outcomes for f in o.findings)
    if report.published:
        balanced = "every batch balances" if lake.ledger else "the ledger was off"
        console.print(f"Gates: {passed} expectations passed, {warned} warned. Accounts: {balanced}.")
    for message in report.unreadable:
        console.print(f"unreadable: {message}", style="yellow", markup=False)
    for step, message, _ in report.errors:
        console.print(
            f"error: {message}" if step.table.name in message else f"error: {step.name}: {message}",
            style="red",
            markup=False,
        )
    for step in report.held:
        console.print(f"held back: {step.name}", style="yellow", markup=False)
    pages = lake.warehouse / "ops" / "gx" / "uncommitted" / "data_docs" / "local_site" / "index.html"
    console.print(f"Tables     {lake.warehouse}/<layer>/<table>", markup=False)
    console.print(f"Ledger     {lake.warehouse}/ops/row_ledger", markup=False)
    if pages.exists():
        console.print(f"Data Docs  {pages}", markup=False)


def _grid(outcomes: Iterable[Outcome]) -> Grid:
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    grid.add_column("table")
    for title in (
        "read",
        "accepted",
        "quarantined",
        "duplicate",
        "left out",
        "folded",
        "new",
        "changed",
        "amount accepted",
    ):
        grid.add_column(title, justify="right")
    for outcome in outcomes:
        account = outcome.account or Account()
        numbers = (
            account.rows_read + account.rows_generated,
            account.rows_accepted,
            account.rows_quarantined,
            account.rows_duplicate,
            sum(account.rows_filtered.values()),
            account.rows_folded,
            account.rows_inserted,
            account.rows_updated + account.rows_deleted,
        )
        money = "" if account.amount_accepted is None else f"{account.amount_accepted:,.2f}"
        grid.add_row(outcome.step.table.name, *(f"{n:,}" if n else "·" for n in numbers), money)
    return grid
