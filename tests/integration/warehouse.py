"""A warehouse as the tests of the whole see it: run by the jobs' own functions, read by a reader that is not Spark."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from rich.console import Console

from jobs.steps import ALL, FEEDS
from lakehouse.declare.table import Step, Table
from lakehouse.promotion.staged import files_in
from lakehouse.run.console import run_shown
from lakehouse.run.options import choose
from lakehouse.run.runner import Report
from lakehouse.settings import load
from lakehouse.store import delta
from lakehouse.store.lake import Lake

Row = dict[str, Any]
MONEY_PARTS = ("accepted", "quarantined", "duplicate")
ROW_PARTS = (*MONEY_PARTS, "folded")
WRITTEN = ("inserted", "updated", "unchanged")


def lake_at(
    spark: SparkSession, folder: Path, *, wait_seconds: int = 60, say: Callable[[str], None] = lambda _: None
) -> Lake:
    """The warehouse in a folder. All have one key, so that a person has the same pseudonym in each."""
    settings = replace(load("local"), lock_wait_seconds=wait_seconds, pseudonym_key="key of the tests")
    return Lake(lambda: spark, folder, settings, say=say)


def run(
    lake: Lake,
    inputs: Path,
    *,
    table: str | None = None,
    source: str = "shop",
    full: bool = False,
    steps: Sequence[Step] | None = None,
    screen: io.StringIO | None = None,
) -> Report:
    """What a job does between its options and its exit code. A run is made of one Lake: ids differ between runs."""
    again = Lake(lake.start, lake.warehouse, lake.settings, say=lake.say)
    console = Console(file=screen or io.StringIO(), width=160)
    todo = steps if steps is not None else choose(ALL, source, table)
    return run_shown(again, todo, console, full=full, inputs=inputs, feeds=FEEDS)


def put(lake: Lake, table: Table, rows: DataFrame, metadata: dict[str, Any] | None = None) -> None:
    """Rows in a table, as if the road had brought them."""
    delta.append_table(lake, table, rows.select(*table.all_columns).toArrow().cast(table.arrow_schema), metadata)


def as_files(rows: DataFrame, folder: Path) -> list[Path]:
    """Rows as they lie in staging, in a folder of their own below another."""
    made = folder / uuid4().hex
    rows.write.parquet(str(made))
    return files_in(made)


def flipped(data: bytes, column: Any) -> bytes:
    """A Parquet file with one bit turned near the end of the last page of a column, which its footer tells."""
    start = column.dictionary_page_offset or column.data_page_offset
    damaged = bytearray(data)
    damaged[start + column.total_compressed_size - 3] ^= 4
    return bytes(damaged)


def done(report: Report) -> Report:
    """The report of a run in which nothing went wrong."""
    assert report.exit_code == 0, report.errors or report.unreadable
    return report


def deliver(folder: Path, shop: Path, files: Iterable[Path]) -> Path:
    """Copy files of a shop into an input folder."""
    for file in files:
        target = folder / file.relative_to(shop)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return folder


def files_of(shop: Path, *feeds: str) -> list[Path]:
    """The delivered files of a shop, or of some of its feeds."""
    folders = [folder for folder in sorted(shop.iterdir()) if folder.name != "truth"]
    return [file for f in folders if not feeds or f.name in feeds for file in sorted(f.iterdir())]


def contents_of(files: Iterable[Path]) -> dict[str, Path]:
    """Files by their content: of those that are the same, the first."""
    found: dict[str, Path] = {}
    for file in files:
        found.setdefault(hashlib.sha256(file.read_bytes()).hexdigest(), file)
    return found


def balances(lake: Lake) -> bool:
    """Whether every account of a warehouse balances."""
    return not [row for row in accounts(lake.warehouse) if any(differences(row).values())]


LINE_COLUMNS = (
    "order_id,line_no,ordered_at,customer_id,country,product_id,quantity,unit_price,discount,currency,promotion_id"
)


def order_line(
    number: int, *, product: str = "P00013", price: str = "10.00", currency: str = "EUR", day: str = "2024-01-21"
) -> str:
    """A line of the order N1, which the synthetic shop does not know."""
    return f"N1,{number},{day} 08:00:00,C0000040,FR,{product},1,{price},0.00,{currency},"


def deliver_lines(folder: Path, *lines: str, day: str = "2024-01-21") -> Path:
    """A file of order lines in an input folder; one that is there is replaced."""
    path = folder / "order_lines" / f"order_lines_{day}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([LINE_COLUMNS, *lines, ""]))
    return folder


# --- what lies in the warehouse ---------------------------------------------------------------------------------------


def exists(warehouse: Path, table: str) -> bool:
    """Whether the table has a commit."""
    return any(warehouse.joinpath(*table.split("."), "_delta_log").glob("*.json"))


def rows(warehouse: Path, table: str) -> list[Row]:
    """The rows of a table by delta-rs; none where it does not exist."""
    if not exists(warehouse, table):
        return []
    found: list[Row] = DeltaTable(str(warehouse.joinpath(*table.split(".")))).to_pyarrow_table().to_pylist()
    return [{name: dict(v) if _is_map(v) else v for name, v in row.items()} for row in found]


def _is_map(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, tuple) for item in value)


def content(warehouse: Path, table: str) -> list[str]:
    """The rows without what tells when and from which batch they came, sorted, as text that can be compared."""
    return sorted(_comparable(row) for row in rows(warehouse, table))


def _comparable(row: Row) -> str:
    kept = {name: value for name, value in row.items() if not name.startswith("_") or name.startswith("__")}
    # The last digit of a float depends on the order in which its parts were added.
    rounded = {name: round(value, 9) if isinstance(value, float) else value for name, value in kept.items()}
    return json.dumps(rounded, default=str, sort_keys=True)


def refusals(warehouse: Path, table: str) -> list[tuple[str, str, int, str, tuple[str, ...]]]:
    """What lies in a quarantine: step, file, line, the row as it came and the rules, without batches and times."""
    found = []
    for row in rows(warehouse, f"{table}__quarantine"):
        came = row["_row"]
        with contextlib.suppress(json.JSONDecodeError):  # a broken line stands there as it came
            came = json.dumps({k: v for k, v in json.loads(came).items() if k not in ("_ingested_at", "_batch_id")})
        found.append((row["_step"], row["_source_file"], row["_source_row"], came, tuple(rules_of(row))))
    return sorted(found)


def rules_of(row: Row) -> list[str]:
    """The rules that a row in quarantine breaks."""
    return sorted(error["rule"] for error in row["_errors"])


def tables(warehouse: Path, *layers: str) -> list[str]:
    """The tables that exist, quarantines included."""
    logs = sorted(warehouse.glob("*/*/_delta_log"))
    names = [f"{log.parents[1].name}.{log.parent.name}" for log in logs]
    return [name for name in names if not layers or name.split(".")[0] in layers]


def versions(warehouse: Path) -> dict[str, int]:
    """The newest version of every table."""
    return {
        name: max(int(p.stem) for p in warehouse.joinpath(*name.split("."), "_delta_log").glob("*.json"))
        for name in tables(warehouse)
    }


def everything(warehouse: Path) -> dict[str, list[Any]]:
    """All that two warehouses must have in common: every row of every table, and every refusal."""
    names = [name for name in tables(warehouse, "bronze", "silver", "gold") if "__" not in name]
    names += ["ops.reconciliation"] if exists(warehouse, "ops.reconciliation") else []
    return {name: content(warehouse, name) for name in names} | {
        f"refusals of {name}": found for name in names if (found := refusals(warehouse, name))
    }


def leftovers(warehouse: Path) -> list[Path]:
    """What a run that ended well leaves nothing of."""
    folders = [warehouse / "ops" / name for name in ("_journal", "_staging")]
    return [path for folder in folders if folder.is_dir() for path in folder.iterdir()]


# --- accounts ---------------------------------------------------------------------------------------------------------


def accounts(warehouse: Path, table: str | None = None) -> list[Row]:
    """The rows of ops.row_ledger, oldest first."""
    found = sorted(rows(warehouse, "ops.row_ledger"), key=lambda row: (row["at"], row["batch_id"]))
    return [row for row in found if table in (None, row["table"])]


def account(warehouse: Path, table: str) -> Row:
    """The account of the only batch of a table."""
    (found,) = accounts(warehouse, table)
    return found


def differences(account: Row) -> dict[str, int | Decimal]:
    """What is left of each equation of an account; nothing but zeros in one that balances."""
    read = account["rows_read"] + account["rows_generated"]
    outcomes = sum(account[f"rows_{part}"] for part in ROW_PARTS) + sum(account["rows_filtered"].values())
    left: dict[str, int | Decimal] = {
        "rows read": read - outcomes,
        "rows accepted": account["rows_accepted"] - sum(account[f"rows_{part}"] for part in WRITTEN),
    }
    if account["amount_read"] is not None:
        parts = sum(account[f"amount_{part}"] for part in MONEY_PARTS) + sum(account["amount_filtered"].values())
        left["amount read"] = account["amount_read"] - parts
        left["amount accepted"] = account["amount_accepted"] - sum(account[f"amount_{part}"] for part in WRITTEN)
    return left
