"""Locks between processes: Delta's own commit is not safe between two on a local disk (check, then rename).

A writer holds `<layer>/.<table>.lock`; the operating system frees it when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lakehouse.errors import LockTimeout
from lakehouse.store.lake import Lake


@contextmanager
def locked(lake: Lake, name: str) -> Iterator[None]:
    """Hold a table (`silver.orders`) against other processes; wait as long as the settings allow, and say so.

    Raises `LockTimeout` that names the holder. Held again by the same run, it does nothing.
    """
    if name in lake.held_locks:
        yield
        return
    layer, short = name.split(".")
    path = lake.warehouse / layer / f".{short}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        _wait(lake, name, file)
        lake.held_locks.add(name)
        file.truncate(0)
        file.write(f"process {os.getpid()}, run {lake.run_id}")
        file.flush()
        try:
            yield
        finally:
            lake.held_locks.discard(name)


def _wait(lake: Lake, name: str, file: Any) -> None:
    deadline = time.monotonic() + lake.settings.lock_wait_seconds
    told = False
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = Path(file.name).read_text() or "another process"
        if time.monotonic() >= deadline:
            raise LockTimeout(
                f"{name} is being written by {holder}; waited {lake.settings.lock_wait_seconds} s. "
                "Run again when it has finished, or raise lock_wait_seconds in conf/"
            )
        if not told:
            lake.say(f"waiting for {name}: {holder} is writing it")
            told = True
        time.sleep(0.1)
