"""Online Retail II as a warehouse holds it; made by the jobs, not by a benchmark."""

from __future__ import annotations

from pathlib import Path

from lakehouse.errors import UsageError

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def folder_of(warehouse: Path, table: str) -> str:
    """The folder of a table such as silver.products; without it, a `UsageError` that says how to make it."""
    folder = warehouse.joinpath(*table.split("."))
    if not (folder / "_delta_log").is_dir():
        raise UsageError(
            f"{warehouse} has no {table}; make it: python -m jobs.run --source online_retail "
            f"--input {DATA / 'online_retail'} --warehouse {warehouse}"
        )
    return str(folder)
