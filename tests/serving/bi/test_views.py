"""What is shown of a release: declared columns that are stored, at the release's versions, and nothing personal."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from gold.kpis import KPIS
from gold.sales import sales_by_order, sales_daily
from lakehouse.accounts import ops_tables
from lakehouse.accounts.releases import Release
from lakehouse.declare.table import Table
from lakehouse.settings import load
from lakehouse.store.lake import Lake
from serving.bi.access import password_of, users_file
from serving.bi.views import QUOTES_ROWS, View, views
from silver import customers

SHOWN = (sales_by_order.TABLE, customers.TABLE, ops_tables.GATE_RESULTS)
LATER = sales_daily.TABLE
"""Made after the release."""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    def no_spark() -> NoReturn:
        raise AssertionError("what is shown is told without Spark")

    made = Lake(no_spark, tmp_path, load("local"))
    for table in (*SHOWN, LATER):
        rows = pa.table({name: pa.array(["x"]) for name in table.all_columns} | {"_helper": pa.array(["x"])})
        for _ in range(2):
            write_deltalake(made.path(table), rows, mode="append")
    return made


@pytest.fixture
def shown(lake: Lake) -> dict[str, View]:
    versions = {table.name: 1 for table in SHOWN if table.layer != "ops"}
    release = Release("run-1", datetime(2024, 1, 31, 12, tzinfo=UTC), versions)
    return {view.name: view for view in views(lake, [*SHOWN, LATER], release)}


@pytest.mark.parametrize("table", SHOWN, ids=lambda table: table.name)
def test_declared_columns_are_shown_but_what_may_be_personal(table: Table, shown: dict[str, View]) -> None:
    hidden = {field.name for field in table.fields if field.personal} | set(QUOTES_ROWS.get(table.name, ()))
    meant = {name: meaning for name, (_, meaning) in table.all_columns.items() if name not in hidden}
    assert shown[table.name].columns == meant
    assert hidden or table is sales_by_order.TABLE
    assert not any(f"`{name}`" in shown[table.name].query for name in hidden)


def test_tables_are_read_at_the_version_of_the_release_and_accounts_as_of_now(shown: dict[str, View]) -> None:
    assert LATER.name not in shown
    assert shown[customers.TABLE.name].query.endswith(" VERSION AS OF 1")
    assert "VERSION" not in shown["ops.gate_results"].query
    assert "2024-01-31T12:00:00+00:00" in shown["ops.release_shown"].query


def test_kpis_are_shown_whose_tables_are(shown: dict[str, View]) -> None:
    told = {kpi.name for kpi in KPIS if kpi.table is sales_by_order.TABLE}
    others = {kpi.name for kpi in KPIS} - told
    assert all(f"'{name}'" in shown["kpi.by_month"].query for name in told)
    assert not any(f"'{name}'" in shown["kpi.by_month"].query for name in others)
    assert told < set(shown["kpi.sales_by_order_metrics"].columns)
    assert [name for name in shown if name.endswith("_metrics")] == ["kpi.sales_by_order_metrics"]


def test_a_meaning_may_hold_a_quote() -> None:
    view = View("gold.x", "it's", {"a": "the shop's"}, "SELECT 1")
    assert view.ddl == "CREATE VIEW gold.x (`a` COMMENT 'the shop\\'s') COMMENT 'it\\'s' AS SELECT 1"


def test_a_password_is_told_once_and_kept_as_a_hash(lake: Lake) -> None:
    first = password_of(lake)
    assert first
    assert password_of(lake) is None
    kept = users_file(lake).read_text()
    assert first not in kept
    assert users_file(lake).stat().st_mode & 0o077 == 0
    assert password_of(lake, renew=True) not in (None, first)
    assert users_file(lake).read_text() != kept
