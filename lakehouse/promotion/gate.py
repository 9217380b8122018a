"""The one door to Great Expectations: the verdict on what is about to be published, and the pages that show it.

The suite of a table is derived from its declaration, whose words are translated into the library's here alone. What is
judged are counts that DuckDB takes from the staged files in one pass: it knows nothing of what Spark made of the same
rules before.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from lakehouse.declare.rules import Expectation, Rule, unique
from lakehouse.declare.table import Table
from lakehouse.errors import UsageError
from lakehouse.promotion import data_docs

os.environ["GX_ANALYTICS_ENABLED"] = "false"

EXAMPLES = 5
FEW_ROWS = 10
STAGED = "staged"


@dataclass(frozen=True)
class Finding:
    """One expectation's result. `failing_rows` is None where the expectation is about the whole batch."""

    suite: str
    expectation: str
    says: str
    passed: bool
    failing_rows: int | None = None
    observed: str | None = None
    examples: tuple[str, ...] = ()
    is_warning: bool = False

    @property
    def in_short(self) -> str:
        """What must hold, and how far it does not, without examples."""
        if self.passed:
            return self.says
        return f"{self.says}; {self.observed or f'{self.failing_rows:,} rows do not'}"

    def __str__(self) -> str:
        if self.passed:
            return f"{self.expectation}: {self.says}"
        count = "" if self.failing_rows is None else f", fails on {self.failing_rows} rows"
        observed = "" if self.observed is None else f", observed {self.observed}"
        shown = f"; for example {'; '.join(self.examples)}" if self.examples else ""
        return f"{self.expectation} ({self.says}){count}{observed}{shown}"


def expectations_of(table: Table, *, unique_grain: bool) -> list[Rule | Expectation]:
    """What must hold for the rows of a table: row rules, table-level expectations, and on request a unique key.

    A table without any is a `UsageError`, but for bronze: texts as delivered may be anything, and its gate is the share
    of broken lines.
    """
    if not (table.row_rules or table.expectations) and table.layer != "bronze":
        raise UsageError(f"{table.name} declares no rule and no expectation: a table without a gate is an error")
    return [*table.row_rules, *table.expectations, *([unique(table.key)] if unique_grain else [])]


def check(
    root: Path,
    table: Table,
    files: Sequence[Path],
    counts: dict[str, int],
    *,
    batch_id: str,
    unique_grain: bool = False,
) -> list[Finding]:
    """Validate the accepted rows of a batch, as they are staged, and its counts (rows_accepted, rows_quarantined).

    Results are kept below `root` under the batch's id. Returns a finding per expectation.
    """
    batch = _check_counts(table, counts)
    statements = expectations_of(table, unique_grain=unique_grain)
    if counts["rows_accepted"] == 0 or not statements:
        return [batch]
    with rows_in(files) as rows:
        measured = measure(rows, statements)
        results = _validate(root, table.name, batch_id, statements, measured)
        findings = [
            _finding(table, statement, result, measured[statement.name], rows)
            for statement, result in zip(statements, results, strict=True)
        ]
    return [batch, *findings]


@contextmanager
def rows_in(files: Sequence[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in which files of one schema are the view `rows`."""
    with duckdb.connect(config={"temp_directory": str(files[0].parent / "_spilt")}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE MACRO regexp_like(value, regex) AS regexp_matches(value, regex)")  # as Spark says it
        connection.read_parquet([str(file) for file in files]).create_view("rows")
        yield connection


def measure(rows: duckdb.DuckDBPyConnection, statements: Sequence[Rule | Expectation]) -> dict[str, float]:
    """What is judged, by statement: of a rule the rows that break it, of a unique key the rows that share theirs."""
    found = {}
    in_one_pass = {s.name: measured for s in statements if (measured := _measure(s))}
    listed = ", ".join(f"coalesce({sql}, 0)" for sql in in_one_pass.values())
    if listed:
        (row,) = rows.execute(f"SELECT {listed} FROM rows").fetchall()
        found = dict(zip(in_one_pass, row, strict=True))
    for statement in statements:
        if statement.name not in found:
            found[statement.name] = sum(row[-1] for row in rows.execute(_alike(statement)).fetchall())
    return {name: float(value) for name, value in found.items()}


def _measure(statement: Rule | Expectation) -> str | None:
    """SQL over all rows; None for what needs groups of them."""
    if isinstance(statement, Rule):
        return f"count(*) FILTER (WHERE NOT ({statement.truth}))"
    column = statement.columns[0]
    return {"sum": f"sum({column})", "distinct": f"count(DISTINCT {column})"}.get(statement.kind)


def _alike(statement: Rule | Expectation) -> str:
    """The values of the columns that several rows share, and how many do."""
    columns = ", ".join(statement.columns)
    return f"SELECT {columns}, count(*) FROM rows GROUP BY {columns} HAVING count(*) > 1"


def warm_up() -> None:
    """Begin to import the library, which takes seconds, while Spark is started; no process ends before it is done.

    A thread that Python stops in the middle of a library's native code would abort the process.
    """
    threading.Thread(target=importlib.import_module, args=("great_expectations",)).start()


def build_pages(root: Path) -> Path:
    """Write the Data Docs of what was validated below `root` and has no page yet; returns the page to open."""
    from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier

    context = _context(root)
    kept, site = _kept(root), _site(root)
    places = {key: Path(*key.to_tuple()) for key in context.validation_results_store.list_keys()}
    results = [
        key
        for key, place in places.items()
        if not (site / "validations" / place.parent / f"{place.name}.html").is_file()
        and _is_whole(kept / place.parent / f"{place.name}.json")
    ]
    suites = [ExpectationSuiteIdentifier(suite.name) for suite in context.suites.all()]
    if results:
        with _quiet():
            context.build_data_docs(resource_identifiers=[*results, *suites])
    data_docs.serve_locally(site)
    return site / "index.html"


def _is_whole(result: Path) -> bool:
    """Whether a result can be read: one that a killed run was writing cannot, and is of a batch that was discarded."""
    try:
        json.loads(result.read_bytes())
    except ValueError:
        return False
    return True


def _check_counts(table: Table, counts: dict[str, int]) -> Finding:
    """A feed is broken when too large a share of its rows is rejected; a few rows never are too many."""
    rejected = counts["rows_quarantined"]
    judged = counts["rows_accepted"] + rejected
    passed = rejected <= max(FEW_ROWS, int(table.max_quarantined * judged))
    says = f"at most {table.max_quarantined:.0%} of the rows of a batch, or {FEW_ROWS} rows, may be rejected"
    observed = f"{rejected} of {judged} rows rejected"
    return Finding(f"{table.name}.batch", "rows_quarantined", says, passed, None, observed)


def _finding(
    table: Table, statement: Rule | Expectation, result: Any, measured: float, rows: duckdb.DuckDBPyConnection
) -> Finding:
    name, says = statement.name, statement.says
    if result.exception_info and _raised(result.exception_info):
        return Finding(table.name, name, says, False, None, f"an error: {_raised(result.exception_info)}")
    if isinstance(statement, Rule):
        is_warning = statement.action == "warn"
        if result.success:
            return Finding(table.name, name, says, True, is_warning=is_warning)
        columns = ", ".join(dict.fromkeys([*table.key, *statement.columns]))
        shown = rows.sql(f"SELECT {columns} FROM rows WHERE NOT ({statement.truth}) LIMIT {EXAMPLES}")
        return Finding(table.name, name, says, False, int(measured), None, _examples(shown), is_warning)
    if result.success:
        return Finding(table.name, name, says, True)
    if statement.kind == "unique":
        shown = rows.sql(f"{_alike(statement)} LIMIT {EXAMPLES}").project(", ".join(statement.columns))
        return Finding(table.name, name, says, False, int(measured), None, _examples(shown))
    return Finding(table.name, name, says, False, None, f"{statement.kind} {measured:g} of {statement.columns[0]}")


def _examples(rows: duckdb.DuckDBPyRelation) -> tuple[str, ...]:
    return tuple(", ".join(f"{k}={v}" for k, v in zip(rows.columns, row, strict=True)) for row in rows.fetchall())


def _allowed(statement: Rule | Expectation) -> tuple[float | None, float | None]:
    """Between which bounds what was measured must lie."""
    if isinstance(statement, Rule) or statement.kind == "unique":
        return 0, 0
    return statement.low, statement.high


def _raised(info: Any) -> str | None:
    infos = [info] if "raised_exception" in info else list(info.values())
    return next((str(i["exception_message"]).splitlines()[0] for i in infos if i.get("raised_exception")), None)


def _validate(
    root: Path, name: str, batch_id: str, statements: Sequence[Rule | Expectation], measured: Mapping[str, float]
) -> list[Any]:
    """Results in the order of the statements; they are kept for the pages."""
    import great_expectations as gx
    import pandas as pd
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )
    from great_expectations.expectations.core.expect_column_values_to_be_between import ExpectColumnValuesToBeBetween

    context = _context(root)
    with _quiet():
        data = context.get_datasource(STAGED).get_asset(STAGED).get_batch_definition(STAGED)
        suite = gx.ExpectationSuite(name=name)
        suite.expectations = [
            ExpectColumnValuesToBeBetween(
                column=s.name, min_value=low, max_value=high, meta={"order": i, "says": s.says}, notes=s.says
            )
            for i, s in enumerate(statements)
            for low, high in [_allowed(s)]
        ]
        identifier = ExpectationSuiteIdentifier(name)
        if not context.expectations_store.has_key(identifier):
            context.suites.add(suite)
        batch = data.get_batch({"dataframe": pd.DataFrame([measured])})
        result = batch.validate(suite, result_format="BASIC")
        run = RunIdentifier(run_name=batch_id)
        result.meta |= {"run_id": run, "validation_time": run.run_time}
        context.validation_results_store.store_validation_results(
            suite_validation_result=result,
            suite_validation_result_identifier=ValidationResultIdentifier(identifier, run, STAGED),
            expectation_suite_identifier=identifier,
        )
    return sorted(result.results, key=lambda r: r.expectation_config.meta["order"])


def _kept(root: Path) -> Path:
    return root / "gx" / "uncommitted" / "validations"


def _site(root: Path) -> Path:
    return root / "gx" / "uncommitted" / "data_docs" / "local_site"


def _context(root: Path) -> Any:
    from great_expectations.data_context.data_context.context_factory import set_context

    context = _project(root)
    set_context(context)  # the library works on one project at a time; a process may have several warehouses
    return context


@cache
def _project(root: Path) -> Any:
    """A project in memory but for its results and pages: a killed run leaves no half of a suite."""
    with _quiet():
        import great_expectations as gx
        from great_expectations.data_context.types.base import DataContextConfig, ProgressBarsConfig

        def in_memory(store: str) -> dict[str, Any]:
            return {"class_name": store, "store_backend": {"class_name": "InMemoryStoreBackend"}}

        def in_files(folder: Path) -> dict[str, Any]:
            folder.mkdir(parents=True, exist_ok=True)
            return {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}

        stores = {
            "expectations_store": in_memory("ExpectationsStore"),
            "validation_definition_store": in_memory("ValidationDefinitionStore"),
            "checkpoint_store": in_memory("CheckpointStore"),
            "results_store": {"class_name": "ValidationResultsStore", "store_backend": in_files(_kept(root))},
        }
        pages = {
            "class_name": "SiteBuilder",
            "store_backend": in_files(_site(root)),
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        }
        config = DataContextConfig(
            stores=stores,
            expectations_store_name="expectations_store",
            validation_results_store_name="results_store",
            checkpoint_store_name="checkpoint_store",
            data_docs_sites={"local_site": pages},
            progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
            analytics_enabled=False,
        )
        context = gx.get_context(mode="ephemeral", project_config=config)
        source = context.data_sources.add_pandas(STAGED)
        source.add_dataframe_asset(STAGED).add_batch_definition_whole_dataframe(STAGED)
        return context


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's warnings and progress off the user's screen; its errors come back as findings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
        yield
