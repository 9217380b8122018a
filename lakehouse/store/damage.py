"""What is told of a table whose files are damaged or gone: what is missing, where, and the way back."""

from __future__ import annotations

from pathlib import Path

from lakehouse.errors import TableDamaged
from lakehouse.store.lake import Lake


def witness(lake: Lake, name: str) -> Path:
    """The file that says at which version a table must stand at least."""
    return lake.warehouse / "ops" / "_versions" / f"{name}.json"


def damaged(lake: Lake, name: str, what: str) -> TableDamaged:
    """The error that says what is wrong with a table, and the ways back."""
    layer, short = name.split(".")
    folder = lake.path(name)
    if name == "ops.files":
        anew = "write it again from bronze: shoplake files rebuild"
    elif layer == "ops" or (layer == "bronze" and short.endswith("__quarantine")):
        anew = f"go on without what it told: remove {folder} and {witness(lake, name)}"
    elif layer == "bronze":
        anew = (
            f"remove {folder}, then: shoplake files rebuild, and shoplake run --full with all files that were delivered"
        )
    else:
        anew = f"remove {folder} and build all of it again: shoplake run --full"
    return TableDamaged(f"{name}: {what}. Nothing was read from it. Restore it from a backup, or {anew}")
