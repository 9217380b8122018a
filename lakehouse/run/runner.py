"""Promoting steps in order, without a console: what happens is told to a listener, what came of it is the report.

A broad `except` stands here: whatever happens in a step, the user sees one message and the ledger what was done.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from lakehouse.accounts import ops_tables, releases
from lakehouse.accounts.journal import done, flush
from lakehouse.declare.table import Step
from lakehouse.errors import ACCOUNTS, GATE, OTHER, USAGE, GateBlocked, LakehouseError, SparkNotStarted
from lakehouse.intake.feeds import Feed
from lakehouse.intake.files import FileReport
from lakehouse.intake.folder import unaccounted
from lakehouse.promotion import gate
from lakehouse.promotion.promote import Promotion, promote
from lakehouse.settings import CONF
from lakehouse.store import arrow
from lakehouse.store.damage import found_by_spark
from lakehouse.store.lake import Lake

GRAVEST_FIRST = (ACCOUNTS, GATE, USAGE, OTHER)

Listener = Callable[[Step, str], None]
"""Is told, after each step, what came of it in one line."""


@dataclass
class Report:
    """What a run did: promotions and errors by step, and the steps that were held back by an error before them.

    `blocked` are the files of batches that a gate refused, `unaccounted` those that lay in the input folder and belong
    to no feed; `is_release` says whether all tables stand together after it.
    """

    promotions: list[Promotion] = field(default_factory=list)
    errors: list[tuple[Step, str, int]] = field(default_factory=list)
    held: list[Step] = field(default_factory=list)
    blocked: list[FileReport] = field(default_factory=list)
    unaccounted: list[FileReport] = field(default_factory=list)
    is_release: bool = False

    @property
    def published(self) -> list[Promotion]:
        """The promotions that put a batch into a table."""
        return [promotion for promotion in self.promotions if promotion.account]

    @property
    def files(self) -> list[FileReport]:
        """Every delivered file that a step looked at, those of a batch that a gate refused among them."""
        return [*(file for promotion in self.promotions for file in promotion.files), *self.blocked]

    @property
    def unreadable(self) -> list[str]:
        """Messages of files that could not be read."""
        return [f.message for f in self.files if f.status == "unreadable"]

    @property
    def notes(self) -> list[str]:
        """In what files that were read are not as their feeds declare them, and how they were read."""
        return [f.message for f in self.files if f.status == "loaded" and f.message]

    @property
    def warnings(self) -> list[str]:
        """What the gates warn of, by table."""
        failed = ((o.step.table.name, f) for o in self.promotions for f in o.findings if not f.passed)
        return [f"{table}: {finding.in_short}" for table, finding in failed]

    @property
    def exit_code(self) -> int:
        """0 done, 4 accounts, 3 gate, 2 usage, 1 anything else: the gravest counts."""
        codes = {code for _, _, code in self.errors} | ({OTHER} if self.unreadable else set())
        return next((code for code in GRAVEST_FIRST if code in codes), 0)


def run_steps(
    lake: Lake,
    steps: Sequence[Step],
    *,
    full: bool = False,
    rebuild: str | None = None,
    inputs: Path | None = None,
    feeds: Sequence[Feed] = (),
    listener: Listener = lambda _step, _said: None,
) -> Report:
    """Promote the steps in order. After an error the tables that need the failed one are held back.

    `feeds` are all that are known, also those of other steps: what lies in `inputs` and belongs to none of them is
    told. Without them that is not looked for. The table `rebuild` is made anew, as it is declared now.
    """
    started = lake.clock()
    flush(lake)
    report = Report()
    try:
        for step in steps:
            listener(step, _one_step(lake, step, report, full, rebuild, inputs))
        if feeds and inputs:
            report.unaccounted = [
                FileReport(file, "", size, "not taken", why) for file, size, why in unaccounted(feeds, inputs)
            ]
    finally:
        strange = _not_on_record(lake, report.unaccounted)
        if report.published or report.errors or report.unreadable or strange:
            message = next((text for _, text, _ in report.errors), None)
            note_run(lake, started, report.exit_code, len(report.published), message, strange=strange)
        if report.published:
            report.is_release = releases.note(lake)
        flush(lake)
    if (lake.gates and any(o.findings for o in report.promotions)) or any(code == GATE for _, _, code in report.errors):
        gate.build_pages(lake.warehouse / "ops")
    return report


def _one_step(lake: Lake, step: Step, report: Report, full: bool, rebuild: str | None, inputs: Path | None) -> str:
    """Promote one step into the report; returns a line for the progress."""
    broken = {s.table.name for s, _, _ in report.errors} | {s.table.name for s in report.held}
    needs = {read.table.name for read in step.reads} | {r.reference.name for r in step.table.row_rules if r.reference}
    is_rebuilt = step.table.name == rebuild
    if is_rebuilt:  # what the other steps bring must not take the place of all
        needs.add(step.table.name)
    if waits := sorted(broken & needs):
        report.held.append(step)
        return f"held back: waits for {', '.join(waits)}"
    try:
        anew = is_rebuilt and not any(each.step.table == step.table for each in report.published)
        promotion = promote(lake, step, full=full or is_rebuilt, anew=anew, inputs=inputs)
    except SparkNotStarted:
        raise
    except LakehouseError as error:
        report.errors.append((step, str(error), error.exit_code))
        if isinstance(error, GateBlocked):
            report.blocked.extend(error.files)
        return f"stopped: {str(error).splitlines()[0]}"
    except Exception as error:  # noqa: BLE001 - any failure of a step becomes a message, and the others go on
        if damaged := found_by_spark(lake, error):
            report.errors.append((step, str(damaged), damaged.exit_code))
            return f"stopped: {first_line(damaged)}"
        report.errors.append((step, f"{step.name}: {unexpected(lake, step.name, error)}", OTHER))
        return f"stopped: {first_line(error)}"
    report.promotions.append(promotion)
    if promotion.account is None:
        return "nothing new"
    account = promotion.account
    return f"{account.rows_read:,} rows read, {account.rows_accepted:,} accepted, {promotion.seconds:.1f} s"


def _not_on_record(lake: Lake, found: Sequence[FileReport]) -> list[FileReport]:
    """Files of no feed that no run before has noted with the same reason."""
    if not found:
        return []
    rows = arrow.rows(lake, ops_tables.FILES, ("status", "=", "not taken")).to_pylist()
    noted = {(row["file"], row["message"]) for row in rows}
    return [report for report in found if (report.file, report.message) not in noted]


def note_run(
    lake: Lake,
    started: datetime,
    exit_code: int,
    batches: int,
    message: str | None,
    *,
    step: str = "run",
    strange: Sequence[FileReport] = (),
) -> None:
    """Write down in ops.runs what ran: how many batches or versions came of it, and what went wrong first.

    `strange` are files that nobody took.
    """
    row = {
        "job": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "started_at": started.isoformat(),
        "ended_at": lake.clock().isoformat(),
        "exit_code": exit_code,
        "batches": batches,
        "message": message,
        "git_commit": git_commit(),
    }
    journal = done(lake, ops_tables.RUNS, step, row)
    facts = {"run_id": lake.run_id, "batch_id": journal.batch_id, "table": None, "step": None}
    facts |= {"at": lake.clock().isoformat()}
    told = ("file", "file_id", "size_bytes", "status", "message")
    journal.add(ops_tables.FILES, *(facts | {name: getattr(each, name) for name in told} for each in strange))
    journal.save()


def unexpected(lake: Lake, name: str, error: Exception) -> str:
    """What to tell of an error that nobody foresaw; its trace goes into a log of the run."""
    path = lake.warehouse / "ops" / "logs" / f"{lake.run_id}.log"
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as log:
        log.write(f"{name}\n{''.join(traceback.format_exception(error))}\n")
    return f"unexpected: {first_line(error)}; the details are in {path}"


def first_line(error: Exception) -> str:
    """The first line of what an error says, or its kind where it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def git_commit() -> str | None:
    """Commit of the code that runs, where it is known."""
    asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=CONF.parent, capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None
