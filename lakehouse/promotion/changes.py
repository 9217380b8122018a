"""What a batch changes in a table that holds rows already, found without Spark: only that is written.

The files of the table are looked through one by one, for keys first: most hold none of a batch's. Those whose bounds in
the log say so are not opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import polars as pl
import pyarrow as pa
from pyarrow import dataset
from pyspark.sql import DataFrame

from lakehouse.declare.table import Table
from lakehouse.promotion.staged import GROUP, Staged
from lakehouse.store import arrow, delta, parquet_files
from lakehouse.store.lake import Lake

MOST_ROWS = 500_000
"""Batches of more rows are compared by Spark: these are in memory at once."""
_ROW, _PLACE, _HELD = "_row", "_place", "_held"


@dataclass(frozen=True)
class Changes:
    """Of the rows in `files`, those that the table does not hold and those that it holds otherwise, and the files of
    the table that hold what changes; None where these are too large to be held.
    """

    files: list[Path]
    rows: int
    new: pa.Table
    changed: pa.Table
    vanished: pa.Table
    touched: list[delta.Rewritten] | None

    @property
    def touches_rows(self) -> bool:
        """Whether rows that the table holds are changed or lost."""
        return bool(len(self.changed) or len(self.vanished))

    def flagged(self, lake: Lake, table: Table) -> DataFrame:
        """All changes as a merge takes them."""
        return delta.flagged(lake, table, pa.concat_tables([self.new, self.changed]), self.vanished)

    def new_files(self, folder: Path) -> list[Path]:
        """The rows that the table does not hold, as files: those that were given, if there is nothing else in them."""
        if len(self.new) == self.rows:
            return self.files
        folder.mkdir()
        parquet_files.write(self.new, folder / "rows.parquet")
        return [folder / "rows.parquet"] if len(self.new) else []


def find(lake: Lake, staged: Staged, files: list[Path]) -> Changes | None:
    """Compare the rows in files, as they are to be published, with those of the table; None where they are too many.

    Keys that the table holds in the scope of the batch, and the batch no longer has, vanish.
    """
    table = staged.step.table
    schema = table.arrow_schema
    rows = dataset.dataset([str(file) for file in files], schema, format="parquet") if files else None
    if rows is not None and rows.count_rows() > MOST_ROWS:
        return None
    batch = schema.empty_table() if rows is None else rows.to_table()
    keys, lineage = list(table.key), delta.lineage_of(table)
    compared = [name for name in table.all_columns if name not in lineage]
    values = [name for name in compared if name not in keys]
    is_other = pl.any_horizontal(pl.lit(False), *(pl.col(n).ne_missing(pl.col(f"{n}{_HELD}")) for n in values))
    ours = _frame(batch.select(compared)).with_row_index(_ROW)
    known, differ = [ours[_ROW].clear()], [ours[_ROW].clear()]
    touched, size = [], 0
    vanished = [schema.empty_table().select(keys)]
    scope = _scope(staged)
    where = None if scope is None else within(ours.select(keys)) | within(scope)
    for file in arrow.files(lake, table, where):
        held = _frame(file.read(list(dict.fromkeys([*keys, *(scope.columns if scope is not None else ())]))))
        held = held.with_row_index(_PLACE)
        in_scope = held if scope is None else held.join(scope, scope.columns, "semi", nulls_equal=True)
        lost = in_scope.join(ours, keys, "anti", nulls_equal=True)[_PLACE]
        replaced = lost.clear()
        if not held.join(ours, keys, "semi", nulls_equal=True).is_empty():
            theirs = _frame(file.read(compared)).with_row_index(_PLACE)
            both = ours.join(theirs, keys, suffix=_HELD, nulls_equal=True)
            known.append(both[_ROW])
            differ.append(both.filter(is_other)[_ROW])
            replaced = both.filter(is_other)[_PLACE]
        if len(lost) or len(replaced):
            size += file.size
            vanished.append(_take(file.read(keys), lost))
            if size <= arrow.MOST_BYTES:
                touched.append(delta.Rewritten.of(table, file, replaced.to_arrow(), lost.to_arrow()))
    new = ours.filter(~pl.col(_ROW).is_in(pl.concat(known).implode()))[_ROW]
    return Changes(
        files,
        len(batch),
        _take(batch, new),
        _take(batch, pl.concat(differ)),
        pa.concat_tables(vanished),
        touched if size <= arrow.MOST_BYTES else None,
    )


def _scope(staged: Staged) -> pl.DataFrame | None:
    """What a row must join to belong to what was computed again; None where everything was."""
    if staged.groups is not None:
        return pl.read_parquet(staged.folder / "groups" / "*.parquet").drop(GROUP)
    return pl.DataFrame([dict(staged.step.owns)]) if staged.step.owns else None


def within(rows: pl.DataFrame) -> dataset.Expression:
    """Holds for every row that is like one of `rows` in these columns, and for others between them."""
    condition = dataset.scalar(not rows.is_empty())
    for column in rows:
        value = dataset.field(column.name)
        lies = value.is_null()
        if column.null_count() < len(column):
            lies |= (value >= column.min()) & (value <= column.max())
        condition &= lies
    return condition


def _frame(rows: pa.Table) -> pl.DataFrame:
    return cast(pl.DataFrame, pl.from_arrow(rows))


def _take(rows: pa.Table, places: pl.Series) -> pa.Table:
    return rows.take(places.to_arrow())
