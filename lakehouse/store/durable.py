"""Files that are whole or not there, and survive a power cut: what the accounts stand on is written through here."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def write(path: Path, text: str, mode: int = 0o666) -> None:
    """Replace a file by another content, whole or not at all, and return when it is on the disk."""
    scratch = path.with_name(f"{path.name}.part")
    _fill(scratch, text, mode)
    scratch.replace(path)
    sync([path.parent])


def create(path: Path, text: str, mode: int) -> bool:
    """Make a file with a content, whole, on the disk; false where there is one already, which is left as it is."""
    scratch = path.with_name(f"{path.name}.{os.getpid()}.part")
    _fill(scratch, text, mode)
    try:
        os.link(scratch, path)
    except FileExistsError:
        return False
    finally:
        scratch.unlink()
    sync([path.parent])
    return True


def sync(paths: Iterable[Path]) -> None:
    """Return when files are on the disk; of a folder, the names in it."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _fill(path: Path, text: str, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
