"""Which delivered files were taken in, and taking one out: files.py list | withdraw FILE | restore FILE | rebuild."""

from datetime import UTC
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table as Grid

from jobs.steps import ALL
from lakehouse.accounts import deliveries, ops_tables, received
from lakehouse.accounts.journal import flush
from lakehouse.errors import UsageError
from lakehouse.run import command, job
from lakehouse.run.console import console
from lakehouse.store import arrow
from lakehouse.store.lake import Lake


@command.job(
    __doc__,
    command.ENV,
    command.WAREHOUSE,
    click.argument("action", type=click.Choice(("list", "withdraw", "restore", "rebuild"))),
    click.argument("file", required=False),
    click.option("--why", default="", help="for withdraw and restore: the reason, which is kept"),
    click.option("--limit", default=100, help="for list: the newest files (default: 100)"),
    click.option(
        "--input",
        "inputs",
        type=click.Path(path_type=Path),
        help="for rebuild: folder of delivered files, for commits that do not say what they hold",
    ),
)
def main(
    env: str, warehouse: Path | None, action: str, file: str | None, why: str, limit: int, inputs: Path | None
) -> int:
    """List the files, let one count no more (or again), or write ops.files again from what bronze holds."""
    if action in ("withdraw", "restore") and not file:
        raise click.UsageError(f"{action} needs a file, as `list` names it")
    screen = console()
    lake = job.open_lake(env, warehouse, screen)
    if action == "list":
        found = sorted(arrow.rows(lake, ops_tables.FILES).to_pylist(), key=lambda row: (row["at"], row["file"]))
        grid = Grid("table", "file", "status", "lines", "records", "broken", "at (UTC)", box=None, pad_edge=False)
        for row in found[-limit:]:
            numbers = ("" if row[name] is None else f"{row[name]:,}" for name in ("lines", "records", "broken"))
            at = f"{row['at'].astimezone(UTC):%Y-%m-%d %H:%M}"
            grid.add_row(row["table"], row["file"], row["status"], *numbers, at)
        screen.print(grid if found else "No file was taken in yet.")
        return 0
    if action in ("withdraw", "restore") and file:
        return _count(lake, screen, file, action == "restore", why)
    done = received.rebuild(lake, ALL, inputs)
    if done.moved:
        screen.print(f"The damaged table was moved to {done.moved}", markup=False)
    screen.print(
        f"ops.files: {done.written} loaded files were missing and are written again; {done.gone} are no longer in "
        "bronze and are loaded again where they are delivered."
    )
    if done.unknown:
        screen.print(
            f"{len(done.unknown)} files are not in {inputs}, so their content is not known. Do not deliver them "
            f"again, they would be loaded twice: {', '.join(done.unknown[:5])}",
            style="yellow",
            markup=False,
        )
    return 0


def _count(lake: Lake, screen: Console, file: str, counts: bool, why: str) -> int:
    """Let a file count no more, or again."""
    tables = {row["table"] for row in arrow.rows(lake, ops_tables.FILES, ("file", "=", file)).to_pylist()}
    own = [step.table for step in ALL if step.feed and step.table.name in tables]
    if not own:
        raise UsageError(f"{file}: no such file was loaded; see: shoplake files list")
    for table in own:
        deliveries.count(lake, table, file, counts, why)
    flush(lake)
    done = "counts again" if counts else "counts no more; its rows stay in bronze"
    screen.print(f"{file} {done}. The next run brings silver and gold up to that.", markup=False)
    return 0


if __name__ == "__main__":
    command.guarded(main)
