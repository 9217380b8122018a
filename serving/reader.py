"""A release of a warehouse, read by SQL: what the board, the API and the notebooks see. No Spark in it.

Every table is read at the version that the release names, so tables add up with each other whatever is being written
meanwhile. The accounts in ops are those of the moment of the first question. Columns with personal data are not there.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NoReturn, cast

import duckdb
import polars as pl
import pyarrow as pa
from pyarrow import dataset

from lakehouse.accounts import ops_tables, releases
from lakehouse.declare.table import Table
from lakehouse.store import arrow, log
from lakehouse.store.lake import Lake

_NAMED = re.compile(r"\$(\w+)")


def without_spark() -> NoReturn:
    """The `start` of a `Lake` that is only served from."""
    raise AssertionError("serving starts no Spark")


class Reader:
    """The tables of the newest release at the time of its making, as relations named `gold.<table>`, `silver.<table>`
    and `ops.<table>`.

    `tables` are those that may be asked for; those that the release names are there. Threads may ask at the same time.
    Raises `UsageError` where nothing was released yet.
    """

    def __init__(self, lake: Lake, tables: Sequence[Table]) -> None:
        self.lake, self.release = lake, releases.readable(lake)
        self.tables: Mapping[str, Table] = {t.name: t for t in tables if t.name in self.release.versions}
        self._own = threading.local()

    @property
    def names(self) -> frozenset[str]:
        """All that can be asked for: the tables, and those of ops that there are."""
        return frozenset(self._relations)

    def frame(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> pl.DataFrame:
        """What a query answers. Values go into it as parameters, never as text: `?` in their order, or `$name`."""
        given: Any = list(parameters)
        if isinstance(parameters, Mapping):
            named = set(_NAMED.findall(sql))
            given = {name: value for name, value in parameters.items() if name in named}
        answer = self._connection.sql(sql, params=given)
        return cast(pl.DataFrame, pl.from_arrow(answer.to_arrow_table()))

    def rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[dict[str, Any]]:
        """What a query answers, row by row."""
        return self.frame(sql, parameters).to_dicts()

    @property
    def is_newest(self) -> bool:
        """Whether nothing was released since."""
        newest = releases.newest(self.lake)
        return newest is not None and newest.versions == self.release.versions

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        """The connection of this thread: a relation is known to the one that it was registered with."""
        if not hasattr(self._own, "connection"):
            connection = duckdb.connect()
            connection.execute("SET TimeZone = 'UTC'")
            for schema in sorted({name.partition(".")[0] for name in self._relations}):
                connection.execute(f"CREATE SCHEMA {schema}")
            for name, rows in self._relations.items():
                alias = name.replace(".", "__")
                connection.register(alias, rows)
                connection.execute(f"CREATE VIEW {name} AS SELECT *{self._younger(name, rows)} FROM {alias}")
            self._own.connection = connection
        return cast(duckdb.DuckDBPyConnection, self._own.connection)

    def _younger(self, name: str, rows: dataset.Dataset | pa.Table) -> str:
        """SQL of the columns that a table is declared with now and did not have when it was written: null."""
        declared = self.tables[name].fields if name in self.tables else ()
        fields = [field for field in declared if field.name not in rows.schema.names and not field.personal]
        types = ["VARCHAR" if "<" in field.type else field.type for field in fields]
        return "".join(f", CAST(NULL AS {kind}) AS {f.name}" for f, kind in zip(fields, types, strict=True))

    @cached_property
    def _relations(self) -> dict[str, dataset.Dataset | pa.Table]:
        accounts = (table for table in ops_tables.TABLES if log.exists(self.lake, table.name))
        found = {
            name: arrow.as_of(self.lake, table, self.release.versions[name]) for name, table in self.tables.items()
        }
        return found | {table.name: arrow.rows(self.lake, table) for table in accounts}
