"""What a Delta table holds now, read from its log and its files without Spark.

For reports over every table of a warehouse: through Spark, reading 60 small tables took 138 s of processor time in a
new session and 27 s in a warm one; here it takes 0.2 s. It knows the plain form of a table, which is the one that
`lakehouse.delta` writes; any other (deletion vectors, renamed columns, partitions, sidecar checkpoints) is left to
Spark.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse import delta
from lakehouse.lake import Lake
from lakehouse.table import Table

UTC_MOMENT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Snapshot:
    """The Parquet files that make up a table at its newest version, and how many rows they hold."""

    files: tuple[Path, ...]
    rows: int


def snapshot(folder: Path) -> Snapshot | None:
    """The newest version of the table in a folder; None where it needs Spark to be read."""
    actions = _actions(folder / "_delta_log")
    if actions is None:
        return None
    live: dict[str, Mapping[str, Any]] = {}
    for kind, action in actions:
        if kind == "add":
            live[action["path"]] = action
        elif kind == "remove":
            live.pop(action["path"], None)
        if not _is_plain(kind, action):
            return None
    files = {folder / unquote(path): action for path, action in live.items()}
    return Snapshot(tuple(files), sum(_rows(file, action) for file, action in files.items()))


def count(lake: Lake, table: Table) -> int:
    """How many rows a table holds."""
    found = snapshot(Path(lake.path(table)))
    return found.rows if found else delta.read(lake, table).count()


def parts(lake: Lake, table: Table, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Some columns of all rows, file by file; times are in UTC and carry it. A column that a file lacks is null."""
    found = snapshot(Path(lake.path(table)))
    if found is None:
        yield _in_utc(delta.read(lake, table).select(*columns).toArrow())
        return
    for file in found.files:
        with pq.ParquetFile(file, coerce_int96_timestamp_unit="us") as parquet:
            held = [name for name in columns if name in parquet.schema_arrow.names]
            part = _in_utc(parquet.read(columns=held))
        for name in set(columns) - set(held):
            part = part.append_column(name, pa.nulls(part.num_rows))
        yield part.select(columns)


def rows(lake: Lake, table: Table) -> pa.Table:
    """All rows of a small table, such as those of ops; none where it does not exist yet."""
    columns = list(table.all_columns)
    found = list(parts(lake, table, columns)) if delta.exists(lake, table.name) else []
    # Files differ in what they say of nulls inside maps and lists, so their schemas are unified.
    return pa.concat_tables(found or [pa.table({name: [] for name in columns})], promote_options="default")


def _actions(log: Path) -> list[tuple[str, dict[str, Any]]] | None:
    """The log since its newest checkpoint, in order; None where a commit is missing."""
    commits = {int(path.stem): path for path in log.glob("*.json") if path.stem.isdigit()}
    checkpoints = {int(path.name.split(".")[0]): path for path in log.glob("*.checkpoint.parquet")}
    start = max(checkpoints, default=-1)
    later = sorted(version for version in commits if version > start)
    if later != list(range(start + 1, start + 1 + len(later))) or (start < 0 and not later):
        return None
    actions = _checkpointed(checkpoints[start]) if start >= 0 else []
    for version in later:
        for line in commits[version].read_text().splitlines():
            actions += json.loads(line).items()
    return actions


def _checkpointed(path: Path) -> list[tuple[str, dict[str, Any]]]:
    kinds = ("protocol", "metaData", "add", "sidecar")
    with pq.ParquetFile(path) as parquet:
        held = [kind for kind in kinds if kind in parquet.schema_arrow.names]
        rows = parquet.read(columns=held).to_pylist()
    return [(kind, row[kind]) for row in rows for kind in held if row[kind] is not None]


def _is_plain(kind: str, action: Mapping[str, Any]) -> bool:
    if kind == "protocol":
        return bool(action["minReaderVersion"] == 1)
    if kind == "metaData":
        return not action["partitionColumns"]
    if kind == "add":
        return not action.get("deletionVector") and not action["path"].startswith("/") and ":/" not in action["path"]
    return kind != "sidecar"


def _rows(file: Path, action: Mapping[str, Any]) -> int:
    told = json.loads(action.get("stats") or "{}").get("numRecords")
    return int(pq.read_metadata(file).num_rows if told is None else told)


def _in_utc(part: pa.Table) -> pa.Table:
    """Spark's times, in either of the forms in which it writes them, as moments in UTC."""
    schema = [f.with_type(UTC_MOMENT) if pa.types.is_timestamp(f.type) else f for f in part.schema]
    return part.cast(pa.schema(schema))
