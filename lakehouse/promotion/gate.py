"""The one door to Great Expectations: the verdict on what is about to be published, and the pages that show it.

The suite of a table is derived from its declaration, whose words are translated into the library's here alone. It
looks at the staged rows themselves, not at the split's word, in BOOLEAN_ONLY form: all expectations over single columns
are measured together, so the number of Spark jobs does not grow with the rules. Details are asked for only of what
failed.
"""

from __future__ import annotations

import importlib
import logging
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

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
    root: Path, table: Table, rows: DataFrame, counts: dict[str, int], *, batch_id: str, unique_grain: bool = False
) -> list[Finding]:
    """Validate the staged, accepted rows of a batch, and its counts (rows_accepted, rows_quarantined).

    Suites, validation definitions and checkpoints are kept by name below `root`, results under the batch's id. Returns
    a finding per expectation.
    """
    batch = _check_counts(table, counts)
    statements = expectations_of(table, unique_grain=unique_grain)
    if counts["rows_accepted"] == 0 or not statements:
        return [batch]
    derived = {s.checked: s.derives() for s in statements if isinstance(s, Rule) and s.derives}
    frame = rows.withColumns(derived) if derived else rows
    results = _run(root, table.name, batch_id, statements, frame)
    findings = [_finding(table.name, s, r, frame, table) for s, r in zip(statements, results, strict=True)]
    return [batch, *findings]


def warm_up() -> None:
    """Begin to import the library, which takes seconds, while Spark is started; no process ends before it is done.

    A thread that Python stops in the middle of a library's native code would abort the process.
    """
    threading.Thread(target=importlib.import_module, args=("great_expectations",)).start()


def build_pages(root: Path) -> Path:
    """Write the Data Docs of what was validated below `root` and has no page yet; returns the page to open."""
    from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier

    context = _context(root)
    site = root / "gx" / "uncommitted" / "data_docs" / "local_site"
    results = [
        key
        for key in context.validation_results_store.list_keys()
        if not site.joinpath("validations", *key.to_tuple()[:-1], f"{key.to_tuple()[-1]}.html").is_file()
    ]
    suites = sorted({key.expectation_suite_identifier.name for key in results})
    if results:
        with _quiet():
            context.build_data_docs(resource_identifiers=[*results, *map(ExpectationSuiteIdentifier, suites)])
    data_docs.serve_locally(site)
    return site / "index.html"


def _check_counts(table: Table, counts: dict[str, int]) -> Finding:
    """A feed is broken when too large a share of its rows is rejected; a few rows never are too many."""
    rejected = counts["rows_quarantined"]
    judged = counts["rows_accepted"] + rejected
    passed = rejected <= max(FEW_ROWS, int(table.max_quarantined * judged))
    says = f"at most {table.max_quarantined:.0%} of the rows of a batch, or {FEW_ROWS} rows, may be rejected"
    observed = f"{rejected} of {judged} rows rejected"
    return Finding(f"{table.name}.batch", "rows_quarantined", says, passed, None, observed)


def _finding(suite: str, statement: Rule | Expectation, result: Any, rows: DataFrame, table: Table) -> Finding:
    name = statement.name
    is_warning = isinstance(statement, Rule) and statement.action == "warn"
    if result.exception_info and _raised(result.exception_info):
        return Finding(suite, name, statement.says, False, None, f"an error: {_raised(result.exception_info)}")
    if result.success:
        return Finding(suite, name, statement.says, True, is_warning=is_warning)
    if isinstance(statement, Rule):
        failing = rows.where(statement.breaks())
        shown = failing.select(*dict.fromkeys([*table.key, *statement.columns])).limit(EXAMPLES).collect()
        examples = tuple(", ".join(f"{k}={v}" for k, v in row.asDict().items()) for row in shown)
        return Finding(suite, name, statement.says, False, failing.count(), None, examples, is_warning)
    observed, count, examples = _explain(statement, rows)
    return Finding(suite, name, statement.says, False, count, observed, examples)


def _explain(statement: Expectation, rows: DataFrame) -> tuple[str | None, int | None, tuple[str, ...]]:
    """Observed value, count and examples of a failed table-level expectation."""
    columns = statement.columns
    if statement.kind == "unique":
        twice = rows.groupBy(*columns).count().where("count > 1")
        shown = twice.limit(EXAMPLES).collect()
        examples = tuple(", ".join(f"{k}={v}" for k, v in row.asDict().items()) for row in shown)
        return None, sum(row["count"] for row in twice.agg(F.sum("count").alias("count")).collect()), examples
    measured = F.sum(columns[0]) if statement.kind == "sum" else F.count_distinct(columns[0])
    value = rows.agg(measured).first()
    return f"{statement.kind} {value[0] if value else None} of {columns[0]}", None, ()


def translated(statement: Rule | Expectation) -> tuple[str, dict[str, Any]]:
    """A rule or an expectation by its name in Great Expectations, with the arguments that it has there."""
    if isinstance(statement, Expectation):
        column, bounds = statement.columns[0], {"min_value": statement.low, "max_value": statement.high}
        match statement.kind:
            case "sum":
                return "expect_column_sum_to_be_between", {"column": column} | bounds
            case "distinct":
                return "expect_column_unique_value_count_to_be_between", {"column": column} | bounds
            case "unique" if len(statement.columns) == 1:
                return "expect_column_values_to_be_unique", {"column": column}
            case "unique":
                return "expect_compound_columns_to_be_unique", {"column_list": list(statement.columns)}
    column, given = statement.checked, statement.arguments
    match statement.kind:
        case "not_null":
            return "expect_column_values_to_not_be_null", {"column": column}
        case "between":
            strict = {"strict_min": given["strict"], "strict_max": given["strict"]}
            bounds = {"min_value": given["low"], "max_value": given["high"]}
            return "expect_column_values_to_be_between", {"column": column} | bounds | strict
        case "one_of":
            return "expect_column_values_to_be_in_set", {"column": column, "value_set": given["values"]}
        case "matches":
            return "expect_column_values_to_match_regex", {"column": column, "regex": given["regex"]}
        case "matches_not":
            return "expect_column_values_to_not_match_regex", {"column": column, "regex": given["regex"]}


def _raised(info: Any) -> str | None:
    infos = [info] if "raised_exception" in info else list(info.values())
    return next((str(i["exception_message"]).splitlines()[0] for i in infos if i.get("raised_exception")), None)


def _run(root: Path, name: str, batch_id: str, statements: Sequence[Rule | Expectation], frame: DataFrame) -> list[Any]:
    """Results in the order of the statements."""
    import great_expectations as gx
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.core.validation_definition import ValidationDefinition
    from great_expectations.expectations.registry import get_expectation_impl

    context = _context(root)
    with _quiet():
        data = context.get_datasource(STAGED).get_asset(STAGED).get_batch_definition(STAGED)
        suite = context.suites.add_or_update(gx.ExpectationSuite(name=name))
        suite.expectations = [
            get_expectation_impl(name)(**arguments, meta={"order": i, "says": s.says}, notes=s.says)
            for i, s in enumerate(statements)
            for name, arguments in [translated(s)]
        ]
        suite.save()
        definition = context.validation_definitions.add_or_update(
            ValidationDefinition(name=name, data=data, suite=suite)
        )
        checkpoint = context.checkpoints.add_or_update(
            gx.Checkpoint(
                name=name, validation_definitions=[definition], result_format={"result_format": "BOOLEAN_ONLY"}
            )
        )
        outcome = checkpoint.run(batch_parameters={"dataframe": frame}, run_id=RunIdentifier(run_name=batch_id))
    (validation,) = outcome.run_results.values()
    return sorted(validation.results, key=lambda r: r.expectation_config.meta["order"])


def _context(root: Path) -> Any:
    from great_expectations.data_context.data_context.context_factory import set_context

    context = _project(root)
    set_context(context)  # the library works on one project at a time; a process may have several warehouses
    return context


@cache
def _project(root: Path) -> Any:
    with _quiet():
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        root.mkdir(parents=True, exist_ok=True)
        context = gx.get_context(mode="file", project_root_dir=str(root))
        context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
        sources = context.data_sources.all()
        if STAGED not in sources or STAGED not in {asset.name for asset in sources[STAGED].assets}:
            # One asset for all tables: each new one writes the whole configuration again. What refers to those of older
            # warehouses, one for each table, is made anew.
            for stale in ("validation_definitions", "checkpoints"):
                for path in (root / "gx" / stale).rglob("*.json"):
                    path.unlink()
            source = context.data_sources.add_or_update_spark(STAGED, persist=False)
            source.add_dataframe_asset(STAGED).add_batch_definition_whole_dataframe(STAGED)
            # Its template of comments would be parsed anew at every look at a setting.
            (root / "gx" / "uncommitted" / "config_variables.yml").write_text("{}\n")
        return context


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's warnings and progress off the user's screen; its errors come back as findings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
        yield
