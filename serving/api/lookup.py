"""Rows of a table in memory, found by their key within microseconds."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

import polars as pl


class Lookup:
    """Rows by `key`, in blocks by all of its columns but the last, which is text and searched by bisection.

    So the first columns should have few values, such as a shop. The rows of a key come in the order of `order`.
    """

    def __init__(self, rows: pl.DataFrame, key: Sequence[str], order: Sequence[str] = ()) -> None:
        *outer, last = key
        blocks = rows.sort(*key, *order).partition_by(outer, as_dict=True, include_key=False)
        self._blocks = {values: (block[last], block) for values, block in blocks.items()}
        nothing = rows.clear().drop(outer)
        self._nothing = nothing[last], nothing

    def find(self, *key: str) -> pl.DataFrame:
        """The rows of a key, without the columns before its last; none where there are none."""
        *outer, last = key
        names, block = self._blocks.get(tuple(outer), self._nothing)
        start = bisect_left(names, last)
        return block.slice(start, bisect_right(names, last, start) - start)

    def rows(self, *key: str) -> list[dict[str, Any]]:
        """The same, row by row."""
        found = self.find(*key)
        names = found.columns
        return [dict(zip(names, row, strict=True)) for row in found.rows()]  # a tenth of the time of to_dicts

    def all(self, *outer: str) -> pl.DataFrame:
        """All rows whose key begins like this, sorted by the rest of the key."""
        return self._blocks.get(outer, self._nothing)[1]

    @property
    def shops(self) -> set[str]:
        """The values of the key's first column."""
        return {str(values[0]) for values in self._blocks}
