"""How a feed is declared: which files it has, how they are read, and the bronze table they land in."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pyspark.sql import DataFrame

from lakehouse.declare.table import Field, Table
from lakehouse.errors import UsageError
from lakehouse.intake.records import RESCUED


@dataclass(frozen=True)
class Feed:
    """A kind of file that a source delivers, and how it is read.

    `name` is unique within `source`. `pattern` is a glob below the input folder, whatever case names are in; a trailing
    `.gz` is accepted. `columns` maps each column, in snake_case, to the names that headers (or JSON keys) give it, the
    usual one first. `delimiter` and `encoding` are what is expected; a file that tells of another is read with that.
    `multiline` says whether a quoted value may contain line breaks. A file may lack the columns in `optional`. Where
    `has_header` is false, files begin with their first record, and have the columns in the order declared.
    `redelivery` says what a file of a name that was delivered before, with other content, does to the older one: it
    replaces it, or (`adds`) both count.
    """

    source: str
    name: str
    pattern: str
    columns: Mapping[str, tuple[str, ...]]
    format: Literal["csv", "jsonl"] = "csv"
    delimiter: str = ","
    encoding: str = "utf-8"
    multiline: bool = True
    optional: tuple[str, ...] = ()
    has_header: bool = True
    redelivery: Literal["replaces", "adds"] = "replaces"

    def __post_init__(self) -> None:
        wrong = []
        aliases = [alias for names in self.columns.values() for alias in names]
        if twice := sorted({alias for alias in aliases if aliases.count(alias) > 1}):
            wrong.append(f"one header name stands for two columns: {twice}")
        if unknown := sorted(set(self.optional) - set(self.columns)):
            wrong.append(f"optional columns that are not declared: {unknown}")
        if not self.has_header and (self.optional or self.format != "csv"):
            wrong.append("only csv files can lack a header, and then they lack no column")
        if len(self.delimiter) != 1 or not self.delimiter.isascii() or self.delimiter in '"\r\n':
            wrong.append(f"the delimiter must be one ASCII character, not {self.delimiter!r}")
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            wrong.append(f"Python knows no encoding {self.encoding!r}")
        if wrong:
            raise UsageError(f"feed {self.source}.{self.name}: {'; '.join(wrong)}")


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
        newest_file_counts=feed.redelivery == "replaces",
    )


def as_delivered(delivered: DataFrame) -> DataFrame:
    """The build of every bronze table: nothing is changed."""
    return delivered
