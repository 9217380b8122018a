"""What is told of a table whose files are damaged or gone: what is missing, where, and the way back."""

from __future__ import annotations

import re
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


_READING = re.compile(r"while reading file file:(/\S+?)\.?\s")


def found_by_spark(lake: Lake, error: Exception) -> TableDamaged | None:
    """The same of what Spark says of a file of a table that it could not read; None where it says something else."""
    text = str(error)
    named = _READING.search(text)
    path = Path(named[1]) if named else None
    if path is None or not path.is_relative_to(lake.warehouse):
        return None
    layer, table, *_ = path.relative_to(lake.warehouse).parts
    if table.startswith("_"):  # a file of a batch on its way
        return None
    causes = re.findall(r"^Caused by: [\w.$]+: (.+)", text, re.MULTILINE)
    why = f" ({causes[-1]})" if causes else ""
    return damaged(lake, f"{layer}.{table}", f"its file {path} cannot be read{why}")
