"""One warehouse as a run sees it: Spark, the folder of all tables, the clock and the name of the run."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pyspark.sql import SparkSession

from lakehouse.clock import Clock, system_clock
from lakehouse.declare.table import Table
from lakehouse.errors import UsageError, writing
from lakehouse.settings import Settings
from lakehouse.store.key import key_of


def new_id(clock: Clock) -> str:
    """An id that sorts by time: `20260131T235959-1a2b3c4d`."""
    return f"{clock():%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


@dataclass
class Lake:
    """What a promotion needs from outside; nothing in it belongs to one table.

    `start` starts Spark, or names the session that runs, when something first asks for `spark`. `say` gets one plain
    sentence at a time about what is going on. `gates` and `ledger` are switched off only by the benchmark that measures
    what they cost.
    """

    start: Callable[[], SparkSession]
    warehouse: Path
    settings: Settings
    clock: Clock = system_clock
    say: Callable[[str], None] = lambda _: None
    gates: bool = True
    ledger: bool = True
    run_id: str = ""
    held_locks: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.warehouse = self.warehouse.absolute()
        self.run_id = self.run_id or new_id(self.clock)
        probe = self.warehouse / "ops" / f".writable-{self.run_id}"
        with writing("--warehouse", self.warehouse):
            probe.parent.mkdir(parents=True, exist_ok=True)
            probe.touch()
        try:
            _check_disk(probe)
        except OSError as error:
            raise UsageError(
                f"--warehouse {self.warehouse}: its file system has no locks, hard links or appends ({error.strerror}),"
                " as a mounted bucket or a Unity Catalog Volume; choose a folder on a disk, or on a network disk (NFS)"
            ) from error
        finally:
            probe.unlink()

    @cached_property
    def spark(self) -> SparkSession:
        """The session."""
        return self.start()

    def path(self, table: Table | str) -> str:
        """Folder of a table: `<warehouse>/<layer>/<table>`."""
        name = table if isinstance(table, str) else table.name
        return str(self.warehouse.joinpath(*name.split(".")))

    @property
    def journal(self) -> Path:
        """Folder of what batches have done that the ops tables do not show yet."""
        return self._made("ops", "_journal")

    def staging(self, table: Table) -> Path:
        """Folder in which a batch of a table is built before its gate; one at a time, by who holds the table's lock."""
        return self.warehouse / "ops" / "_staging" / table.name

    def pseudonym_key(self, *, in_use: bool = False) -> str:
        """The secret by which personal data is pseudonymised; made once per warehouse unless it is configured.

        `in_use` says that there are pseudonyms already. A key that is empty, gone or another one is a `UsageError`.
        """
        return key_of(self.warehouse, self.settings.pseudonym_key, in_use=in_use)

    def _made(self, *parts: str) -> Path:
        folder = self.warehouse.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _check_disk(probe: Path) -> None:
    """Raise `OSError` where a file system cannot do what locks and commits stand on."""
    other = probe.with_name(f"{probe.name}.link")
    with probe.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.write("appended")
    os.link(probe, other)
    other.unlink()
