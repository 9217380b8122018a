"""Small files that must survive a power cut: written whole or not at all, and on the disk before others need them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def write_text(path: Path, text: str, mode: int = 0o644, *, once: bool = False) -> None:
    """Write a file under another name, bring it to the disk, and give it its name; then bring the folder there.

    With `once`, a file that is there stays as it is, also one that another process has just made.
    """
    scratch = path.with_name(f"{path.name}.{os.getpid()}.part")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if once:
        with contextlib.suppress(FileExistsError):
            os.link(scratch, path)
        scratch.unlink()
    else:
        scratch.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
