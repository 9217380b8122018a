"""What can go wrong, as messages: what, where, how many, what to do. The exit code is part of the message."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

OTHER, USAGE, GATE, ACCOUNTS = 1, 2, 3, 4
"""Exit codes: anything else, usage or configuration, a gate blocked a batch, the accounts do not balance."""


class LakehouseError(Exception):
    """Root of all errors that are told to people as one message, without a stack trace. Exit code 1."""

    exit_code = OTHER


class UsageError(LakehouseError):
    """An option, a configuration or a declaration is wrong. Exit code 2."""

    exit_code = USAGE


class SparkNotStarted(UsageError):
    """Spark does not start, so nothing that needs it can be done. Exit code 2."""


class FileUnreadable(LakehouseError):
    """A delivered file cannot be read at all; it is left where it is and the others go on. Exit code 1."""


class LockTimeout(LakehouseError):
    """Another process holds a table for longer than this one may wait. Exit code 1."""


class TableDamaged(LakehouseError):
    """Files of a table are damaged or gone; it is not read until it is restored or built again. Exit code 1."""


class CommitRefused(LakehouseError):
    """Another process published into the table that this run had locked; nothing of the batch was. Exit code 1."""


class GateBlocked(LakehouseError):
    """A quality gate refused a batch: the old version stays visible, the batch stays pending. Exit code 3.

    `files` are the reports of the files that the batch was read from.
    """

    exit_code = GATE

    def __init__(self, message: str, files: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.files = files


class AccountsImbalance(LakehouseError):
    """Rows or money were lost or invented between the reading and the table. Exit code 4."""

    exit_code = ACCOUNTS


@contextmanager
def writing(option: str, place: Path, kind: str = "folder") -> Iterator[None]:
    """Where a place that an option names cannot be written, that is a `UsageError`."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{option} {place}: cannot write there ({error.strerror}); choose another {kind}") from error
