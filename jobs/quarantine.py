"""Look at refused rows and resubmit them: quarantine.py list | show TABLE | resubmit TABLE."""

from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table as Grid

from jobs.steps import ALL
from lakehouse.declare.table import Step
from lakehouse.promotion import quarantine
from lakehouse.run import command, job
from lakehouse.run.console import console, run_shown, summarise
from lakehouse.run.options import choose
from lakehouse.store.lake import Lake


@command.job(
    __doc__,
    command.ENV,
    command.WAREHOUSE,
    click.argument("action", type=click.Choice(("list", "show", "resubmit"))),
    click.argument("table", required=False),
    click.option("--source", help="only rows of this source"),
    click.option("--rule", help="only rows that break this rule, such as quantity.type"),
    click.option("--limit", default=20, help="rows to show (default: 20)"),
    click.option("--set", "corrected", multiple=True, metavar="COLUMN=VALUE", help="correct a delivered column"),
    click.option("--file", type=click.Path(path_type=Path), help="for bronze tables: a corrected file, with a header"),
)
def main(
    env: str,
    warehouse: Path | None,
    action: str,
    table: str | None,
    source: str | None,
    rule: str | None,
    limit: int,
    corrected: tuple[str, ...],
    file: Path | None,
) -> int:
    """List, show or resubmit."""
    if action != "list" and not table:
        raise click.UsageError(f"{action} needs a table, such as silver.order_lines")
    corrections = dict(map(command.pair, corrected))
    screen = console()
    steps = choose(ALL, source)
    lake = job.open_lake(env, warehouse, screen)
    if action == "list" or table is None:
        return _list(lake, steps, screen)
    if action == "show":
        for row in quarantine.refused(lake, steps, table, rule, limit):
            again = f", resubmitted {row.resubmitted_at.astimezone(UTC):%Y-%m-%d %H:%M}" if row.resubmitted_at else ""
            screen.print(f"{row.file or table}:{row.line or '-'}{again}", style="bold", markup=False)
            screen.print("\n".join(f"  {reason}" for reason in row.reasons), markup=False)
            screen.print(f"  {row.row}", style="dim", markup=False)
        return 0
    if file:
        reader, ids = quarantine.deliver_corrected(lake, steps, table, file)
    else:
        reader, ids = quarantine.deliver_again(lake, steps, table, rule, corrections)
    folder = quarantine.resubmitted_folder(lake, reader.feed)
    report = run_shown(lake, choose(ALL, reader.source), screen, inputs=folder)
    if report.exit_code == 0:
        quarantine.mark(lake, steps, table, ids)
        screen.print(f"{len(ids)} rows of {table} were delivered again.")
    summarise(lake, report, screen)
    return report.exit_code


def _list(lake: Lake, steps: Sequence[Step], screen: Console) -> int:
    grid = Grid("table", "rule", "rows", "resubmitted", "last refused (UTC)", box=None, pad_edge=False)
    found = quarantine.waiting(lake, steps)
    for w in found:
        last = w.last_at.astimezone(UTC)
        grid.add_row(w.table, w.rule, f"{w.rows:,}", f"{w.resubmitted:,}", f"{last:%Y-%m-%d %H:%M}")
    screen.print(grid if found else "Nothing is in quarantine.")
    return 0


if __name__ == "__main__":
    command.guarded(main)
