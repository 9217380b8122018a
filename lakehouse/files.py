"""Delivered files: how a feed is declared, found, known by content, and read with every physical line accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pyspark.sql import DataFrame

from lakehouse.errors import UsageError
from lakehouse.table import Field, Table

RESCUED = "_rescued_data"


@dataclass(frozen=True)
class Feed:
    """A kind of file that a source delivers, and how it is read.

    `name` is unique within `source`. `pattern` is a glob below the input folder; a trailing `.gz` is accepted.
    `columns` maps each column, in snake_case, to the names that headers (or JSON keys) give it, the usual one first.
    `multiline` says whether a quoted value may contain line breaks. A file may lack the columns in `optional`.
    """

    source: str
    name: str
    pattern: str
    columns: Mapping[str, tuple[str, ...]]
    format: Literal["csv", "jsonl"] = "csv"
    delimiter: str = ","
    encoding: str = "utf-8"
    multiline: bool = False
    optional: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        aliases = [alias for names in self.columns.values() for alias in names]
        twice = sorted({alias for alias in aliases if aliases.count(alias) > 1})
        if twice:
            raise UsageError(f"feed {self.source}.{self.name}: one header name stands for two columns: {twice}")
        unknown = sorted(set(self.optional) - set(self.columns))
        if unknown:
            raise UsageError(f"feed {self.source}.{self.name}: optional columns that are not declared: {unknown}")


def feed_table(name: str, meaning: str, feed: Feed, meanings: Mapping[str, str]) -> Table:
    """The bronze table of a feed: its columns as delivered text, and what the feed did not have before as JSON text."""
    if set(meanings) != set(feed.columns):
        raise UsageError(f"{name}: meanings and columns differ: {sorted(set(meanings) ^ set(feed.columns))}")
    rescued = Field(RESCUED, "string", "columns that the feed did not have before, as JSON text; null where none")
    return Table(
        name=name,
        meaning=meaning,
        grain=("_source_file", "_source_row"),
        fields=(*(Field(column, "string", meanings[column]) for column in feed.columns), rescued),
        row_law="One row per record of each delivered file; a file of the same content is taken once.",
        write="append",
    )


def as_delivered(delivered: DataFrame) -> DataFrame:
    """The build of every bronze table: nothing is changed."""
    return delivered
