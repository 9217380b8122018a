"""A job as a command: its options, a wrong use as one line, and the exit code that the process ends with.

Nothing heavy is imported here, so that `shoplake --help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from lakehouse.errors import OTHER, USAGE, LakehouseError, UsageError
from lakehouse.settings import ENVIRONMENT

_Work = TypeVar("_Work", bound=Callable[..., Any])


def run(command: click.Command, arguments: Sequence[str] | None, name: str | None = None) -> int:
    """The exit code of a command; a wrong use is one line on stderr and exit code 2."""
    try:
        code = command.main(arguments, name, standalone_mode=False)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        told = context.command_path if context else name or command.name
        sys.stderr.write(f"{told}: {error.format_message().rstrip('.')}; see {told} --help\n")
        return USAGE
    except click.Abort as error:
        raise KeyboardInterrupt from error
    return int(code or 0)


class Job(click.Command):
    """A job that returns its exit code when it is called with arguments (default: those of the process)."""

    def __call__(self, arguments: Sequence[str] | None = None) -> int:
        """Run the job; returns the exit code."""
        return run(self, arguments)


def job(description: str | None, *options: Callable[[_Work], _Work]) -> Callable[[_Work], Job]:
    """Makes a job of a function that returns an exit code, with the description as help and these options."""

    def made(work: _Work) -> Job:
        for option in reversed(options):
            work = option(work)
        return click.command(cls=Job, help=description)(work)

    return made


def pair(text: str) -> tuple[str, str]:
    """The name and the value of `--set NAME=VALUE`."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set {text}: write it as NAME=VALUE")
    return name, value


ENV = click.option(
    "--env", default="local", envvar=ENVIRONMENT, help=f"which conf/<env>.yaml (default: {ENVIRONMENT}, or local)"
)
WAREHOUSE = click.option(
    "--warehouse", type=click.Path(path_type=Path), help="folder of all tables (default: as configured)"
)


def guarded(main: Callable[[Sequence[str] | None], int], arguments: Sequence[str] | None = None) -> None:
    """Run a job's main and end the process with its exit code; an error of ours is one message, without a trace.

    A job that is done returns: in a process of another, such as Databricks's, even `sys.exit(0)` is an exception.
    """
    try:
        code = main(arguments)
    except LakehouseError as error:
        sys.stderr.write(f"error: {error}\n")
        code = error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was not finished is read again by the next run\n")
        code = OTHER
    if code:
        sys.exit(code)
