"""Where jobs speak: colour and progress on a terminal, plain lines elsewhere, and a summary at the end."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from lakehouse.accounts.account import Account
from lakehouse.declare.reconciliation import NAME as RECONCILIATION
from lakehouse.declare.table import Step
from lakehouse.errors import LakehouseError
from lakehouse.intake.feeds import Feed
from lakehouse.promotion import findings
from lakehouse.promotion.promote import Promotion
from lakehouse.run.runner import Report, run_steps
from lakehouse.store.lake import Lake

LISTED = 50
"""So many files are named in a summary with what is to be said of them; of more, how many."""


def console() -> Console:
    """Where jobs speak: colour and progress on a terminal, plain lines of any width elsewhere."""
    made = Console(highlight=False, soft_wrap=True)
    return made if made.is_terminal else Console(highlight=False, soft_wrap=True, width=160)


def run_shown(
    lake: Lake,
    steps: Sequence[Step],
    console: Console,
    *,
    full: bool = False,
    rebuild: str | None = None,
    inputs: Path | None = None,
    feeds: Sequence[Feed] = (),
) -> Report:
    """Promote the steps, and show how far it is; see `run_steps`."""
    with _progress(console, len(steps)) as listener:
        return run_steps(lake, steps, full=full, rebuild=rebuild, inputs=inputs, feeds=feeds, listener=listener)


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


def summarise(lake: Lake, report: Report, console: Console) -> None:
    """What changed, table by table, what went wrong, and where to look."""
    if report.published:
        console.print(_grid(report.published))
    quiet = len(report.promotions) - len(report.published)
    if quiet:
        console.print(f"{quiet} tables had nothing new.")
    passed = sum(f.passed for o in report.promotions for f in o.findings)
    warned = sum(not f.passed for o in report.promotions for f in o.findings)
    if report.published:
        balanced = "every batch balances" if lake.ledger else "the ledger was off"
        console.print(f"Gates: {passed} expectations passed, {warned} warned. Accounts: {balanced}.")
    if report.published and not report.is_release:
        console.print("Release: none, since some tables have not taken in what others hold; readers stay at the last.")
    _reconciled(lake, report, console)
    if counts := Counter(f.status for o in report.promotions for f in o.files):
        console.print(f"Files: {', '.join(f'{count:,} {status}' for status, count in counts.items())}.")
    _listed(console, "warning", report.warnings, "ops.gate_results")
    _listed(console, "note", report.notes)
    _listed(console, "unreadable", report.unreadable)
    _listed(console, "not taken", [each.message for each in report.unaccounted])
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


def _reconciled(lake: Lake, report: Report, console: Console) -> None:
    """What tables state differently of the same key, by reconciliation; findings from earlier runs too."""
    compared = [each for each in report.promotions if each.step.table.name == RECONCILIATION]
    if not compared:
        return
    keys = compared[0].step.reads[0].table.short_name
    read = sum(each.account.rows_read for each in compared if each.account)
    found = findings.found(lake, [each.step for each in report.promotions])
    if read and not found:
        console.print(f"Reconciliation: no finding among {read:,} {keys}.")
    for each in found:
        others = f", {keys} without one {each.without(read):,}" if read else ""
        told = f"Reconciliation {each.reconciliation}: findings {each.findings:,}{others}; {each}"
        console.print(told, style="yellow", markup=False)
        for example in each.largest:
            waiting = f" ({example.refused:,} rows in quarantine)" if example.refused else ""
            console.print(f"  {example.key}: {example.finding}{waiting}", style="yellow", markup=False)


def _listed(console: Console, what: str, messages: Sequence[str], table: str = "ops.files") -> None:
    """Messages, a line each; of very many only the first, and the table that has all."""
    for message in messages[:LISTED]:
        console.print(f"{what}: {message}", style="yellow", markup=False)
    if len(messages) > LISTED:
        console.print(f"{what}: {len(messages) - LISTED:,} more; all are in {table}", style="yellow")


def _grid(promotions: Iterable[Promotion]) -> Grid:
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
    for promotion in promotions:
        account = promotion.account or Account()
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
        grid.add_row(promotion.step.table.name, *(f"{n:,}" if n else "·" for n in numbers), money)
    return grid
