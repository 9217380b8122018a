"""Look at refused rows and resubmit them: quarantine.py list | show TABLE | resubmit TABLE."""

from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

from rich.table import Table as Grid

from jobs.steps import ALL
from lakehouse.errors import UsageError
from lakehouse.promotion import quarantine
from lakehouse.run import job
from lakehouse.run.console import console, run_shown, summarise
from lakehouse.run.options import choose, parser


def main(arguments: Sequence[str] | None = None) -> int:
    """List, show or resubmit; see --help."""
    options = parser(__doc__ or "")
    options.add_argument("action", choices=("list", "show", "resubmit"))
    options.add_argument("table", nargs="?", help="for show and resubmit: the table that refused the rows")
    options.add_argument("--source", help="only rows of this source")
    options.add_argument("--rule", help="only rows that break this rule, such as quantity.type")
    options.add_argument("--limit", type=int, default=20, help="rows to show (default: 20)")
    options.add_argument(
        "--set", action="append", default=[], metavar="COLUMN=VALUE", help="correct a delivered column"
    )
    options.add_argument("--file", type=Path, help="for bronze tables: a corrected file, with a header")
    chosen = options.parse_args(arguments)
    if chosen.action != "list" and not chosen.table:
        options.error(f"{chosen.action} needs a table, such as silver.order_lines")
    corrections = dict(_pair(text) for text in chosen.set)
    screen = console()
    steps = choose(ALL, chosen.source)
    lake = job.open_lake(chosen.env, chosen.warehouse, screen)
    if chosen.action == "list":
        grid = Grid("table", "rule", "rows", "resubmitted", "last refused (UTC)", box=None, pad_edge=False)
        found = quarantine.waiting(lake, steps)
        for w in found:
            last = w.last_at.astimezone(UTC)
            grid.add_row(w.table, w.rule, f"{w.rows:,}", f"{w.resubmitted:,}", f"{last:%Y-%m-%d %H:%M}")
        screen.print(grid if found else "Nothing is in quarantine.")
        return 0
    if chosen.action == "show":
        for row in quarantine.refused(lake, steps, chosen.table, chosen.rule, chosen.limit):
            again = f", resubmitted {row.resubmitted_at.astimezone(UTC):%Y-%m-%d %H:%M}" if row.resubmitted_at else ""
            screen.print(f"{row.file or chosen.table}:{row.line or '-'}{again}", style="bold", markup=False)
            screen.print("\n".join(f"  {reason}" for reason in row.reasons), markup=False)
            screen.print(f"  {row.row}", style="dim", markup=False)
        return 0
    if chosen.file:
        reader, ids = quarantine.deliver_corrected(lake, steps, chosen.table, chosen.file)
    else:
        reader, ids = quarantine.deliver_again(lake, steps, chosen.table, chosen.rule, corrections)
    folder = quarantine.resubmitted_folder(lake, reader.feed)
    report = run_shown(lake, choose(ALL, reader.source), screen, inputs=folder)
    if report.exit_code == 0:
        quarantine.mark(lake, steps, chosen.table, ids)
        screen.print(f"{len(ids)} rows of {chosen.table} were delivered again.")
    summarise(lake, report, screen)
    return report.exit_code


def _pair(text: str) -> tuple[str, str]:
    column, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set {text}: write it as COLUMN=VALUE")
    return column, value


if __name__ == "__main__":
    job.guarded(main)
