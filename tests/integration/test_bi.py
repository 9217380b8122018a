"""SQL for BI tools: what they list, what they get, what they may not do, by the protocol that they speak."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyspark
import pytest
from deltalake import DeltaTable
from pyhive import hive
from TCLIService import ttypes

from gold.kpis import KPIS, all_by_period
from gold.sales import kpi_daily
from jobs.steps import ALL
from lakehouse.accounts import ops_tables, releases
from lakehouse.accounts.journal import flush
from lakehouse.catalogue.pages import tables_of
from lakehouse.errors import UsageError
from lakehouse.store import arrow, delta
from lakehouse.store.lake import Lake
from serving.bi.access import USER, password_of, users_file
from serving.bi.server import Server
from serving.reader import Reader
from tests.integration.conftest import Promoted
from tests.integration.test_releases import STEPS, deliver
from tests.integration.test_releases import lake as lake
from tests.integration.warehouse import done, lake_at, rows, run, versions

ROOT = Path(__file__).parents[2]
TABLES = [*tables_of(ALL).values(), *ops_tables.TABLES]
PERSONAL = {table.name: {field.name for field in table.fields if field.personal} for table in TABLES}


class Client:
    """A connection, as a BI tool opens it."""

    def __init__(self, port: int, password: str | None) -> None:
        self.connection = hive.connect("127.0.0.1", port, username=USER, password=password, auth="CUSTOM")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        cursor = self.connection.cursor()
        cursor.execute(sql)
        return [tuple(row) for row in cursor.fetchall()]

    def refused(self, sql: str) -> str:
        with pytest.raises(hive.OperationalError) as told:
            self.rows(sql)
        return str(told.value.args[0].status.errorMessage)

    def listed(self, what: str, **pattern: str) -> list[dict[str, Any]]:
        """What JDBC's and ODBC's metadata calls answer (GetSchemas, GetTables, GetColumns)."""
        asked = getattr(ttypes, f"TGet{what}Req")(sessionHandle=self.connection.sessionHandle, **pattern)
        handle = getattr(self.connection.client, f"Get{what}")(asked).operationHandle
        schema = self.connection.client.GetResultSetMetadata(ttypes.TGetResultSetMetadataReq(handle)).schema
        fetch = ttypes.TFetchResultsReq(handle, ttypes.TFetchOrientation.FETCH_NEXT, 100_000)
        columns = self.connection.client.FetchResults(fetch).results.columns
        values = [next(v for v in vars(column).values() if v is not None).values for column in columns]
        names = [column.columnName for column in schema.columns]
        return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]

    def close(self) -> None:
        self.connection.close()


@pytest.fixture(scope="module")
def shop_copy(promoted: Promoted, tmp_path_factory: pytest.TempPathFactory) -> Promoted:
    folder = tmp_path_factory.mktemp("bi") / "warehouse"
    shutil.copytree(promoted.warehouse, folder)
    return Promoted(lake_at(promoted.lake.spark, folder), promoted.shop)


@pytest.fixture(scope="module")
def server(shop_copy: Promoted) -> Iterator[tuple[Server, str]]:
    made = Server(shop_copy.lake, TABLES, port=0)
    password = password_of(shop_copy.lake)
    assert password is not None
    yield made, password
    made.stop()


@pytest.fixture(scope="module")
def client(server: tuple[Server, str]) -> Iterator[Client]:
    made = Client(server[0].port, server[1])
    yield made
    made.close()


def test_only_who_knows_the_password_may_connect(server: tuple[Server, str], shop_copy: Promoted) -> None:
    for wrong in ("", "wrong", server[1] + "x"):
        with pytest.raises(Exception, match="Error validating the login"):
            Client(server[0].port, wrong)
    told = users_file(shop_copy.lake)
    assert server[1] not in told.read_text()
    assert told.stat().st_mode & 0o077 == 0
    assert password_of(shop_copy.lake) is None, "it is told once"


def test_tools_find_schemas_tables_and_columns_with_their_meanings(
    server: tuple[Server, str], client: Client, shop_copy: Promoted
) -> None:
    release = releases.newest(shop_copy.lake)
    assert release is not None
    schemas = {row["TABLE_SCHEM"] for row in client.listed("Schemas")}
    assert {"gold", "silver", "ops", "kpi"} <= schemas
    assert "bronze" not in schemas
    tables = {f"{row['TABLE_SCHEM']}.{row['TABLE_NAME']}": row for row in client.listed("Tables", schemaName="%")}
    declared = {t.name: t for t in TABLES if t.name in release.versions and t.layer in ("gold", "silver")}
    assert set(declared) == {name for name in tables if name.split(".")[0] in ("gold", "silver")}
    for name, table in declared.items():
        assert tables[name]["REMARKS"].startswith(table.meaning)
    columns = client.listed("Columns", schemaName="%", tableName="%", columnName="%")
    for name, table in declared.items():
        found = {c["COLUMN_NAME"]: c["REMARKS"] for c in columns if f"{c['TABLE_SCHEM']}.{c['TABLE_NAME']}" == name}
        meant = {column: meaning for column, (_, meaning) in table.all_columns.items() if column not in PERSONAL[name]}
        assert found == meant
    kpis = {view.name for view in server[0].views if view.name.startswith("kpi.")}
    by_sql = {f"{schema}.{name}" for schema, name, _ in client.rows("SHOW TABLES IN kpi")}
    assert by_sql == {name for name in tables if name.startswith("kpi.")} == kpis


def test_totals_are_those_that_delta_rs_reads(client: Client, shop_copy: Promoted) -> None:
    release = releases.newest(shop_copy.lake)
    assert release is not None
    shown = [t for t in TABLES if t.name in release.versions and t.layer in ("gold", "silver")]
    asked = " UNION ALL ".join(
        f"SELECT '{t.name}', count(*), {f'sum({t.amount})' if t.amount else 'null'} FROM {t.name}" for t in shown
    )
    found = {name: (count, total) for name, count, total in client.rows(asked)}
    for table in shown:
        path = shop_copy.lake.path(table)
        stored = DeltaTable(path, release.versions[table.name]).to_pyarrow_table().to_pylist()
        total = sum(row[table.amount] or 0 for row in stored) if table.amount else None
        assert found[table.name][0] == len(stored)
        assert (found[table.name][1] or 0) == (total or 0)
    (runs,) = client.rows("SELECT count(*) FROM ops.runs")
    assert runs == (len(rows(shop_copy.warehouse, "ops.runs")),)


def test_kpis_are_the_same_by_plain_views_metric_views_and_duckdb(client: Client, shop_copy: Promoted) -> None:
    plain = client.rows("SELECT kpi, shop_id, currency, CAST(period_on AS STRING), value FROM kpi.by_month")
    released = Reader(shop_copy.lake, TABLES)
    kpis = [kpi for kpi in KPIS if kpi.table.name in released.tables]
    by_duckdb = released.frame(all_by_period("month", kpis=kpis))
    expected = {(r["kpi"], r["shop_id"], r["currency"], str(r["period_on"])): r["value"] for r in by_duckdb.to_dicts()}
    assert {row[:4]: row[4] for row in plain} == {k: pytest.approx(v) for k, v in expected.items()}
    assert expected
    for source in {kpi.table.short_name: kpi for kpi in kpis}.values():
        names = [kpi.name for kpi in kpis if kpi.table is source.table]
        measures = ", ".join(f"MEASURE({name})" for name in names)
        groups = f"shop_id, {'currency, ' if source.has_currency else ''}date_trunc('month', {source.on})"
        for row in client.rows(
            f"SELECT {groups}, {measures} FROM kpi.{source.table.short_name}_metrics GROUP BY {groups}"
        ):
            currency = row[1] if source.has_currency else None
            month = str(row[2 if source.has_currency else 1])[:10]
            for name, value in zip(names, row[-len(names) :], strict=True):
                found = None if value is None else float(value)
                assert found == pytest.approx(expected[name, row[0], currency, month])
    defined = {row[0] for row in client.rows("SELECT kpi FROM kpi.definitions")}
    assert defined == {kpi.name for kpi in kpis}


def test_nobody_sees_personal_data_or_changes_anything(client: Client, shop_copy: Promoted) -> None:
    before = versions(shop_copy.warehouse)
    for secret in PERSONAL["silver.customers"]:
        assert "UNRESOLVED_COLUMN" in client.refused(f"SELECT {secret} FROM silver.customers")
    bronze, customers = shop_copy.lake.path("bronze.shop_customers"), shop_copy.lake.path("silver.customers")
    file = next(Path(customers).glob("*.parquet"))
    for sql in (
        f"SELECT * FROM delta.`{bronze}`",
        f"SELECT * FROM parquet.`{file}`",
        f"SELECT (SELECT count(*) FROM text.`{users_file(shop_copy.lake)}`)",
        f"WITH x AS (SELECT * FROM delta.`{customers}`) SELECT count(*) FROM x",
        f"SELECT * FROM gold.sales_daily WHERE EXISTS (SELECT * FROM delta.`{customers}`)",
        f"CREATE TEMPORARY VIEW copy USING parquet OPTIONS (path '{file}')",
        "CREATE TABLE gold.mine (a INT) USING parquet",
        "DROP VIEW gold.sales_daily",
        "SELECT reflect('java.lang.System', 'getProperty', 'user.home')",
        "SELECT try_reflect('java.lang.System', 'getProperty', 'user.home')",
        "SELECT TRANSFORM (1) USING 'cat' AS (x)",
        "ADD JAR /tmp/any.jar",
    ):
        assert "only queries over the views" in client.refused(sql), sql
    for sql in (  # of some of these Spark itself says first what is wrong
        f"SELECT * FROM table_changes_by_path('{customers}', 0)",
        f"DESCRIBE HISTORY delta.`{customers}`",
        f"DESCRIBE DETAIL delta.`{customers}`",
        f"CREATE TABLE gold.copy USING delta LOCATION '{bronze}'",
        "ALTER VIEW gold.sales_daily AS SELECT 1",
        "INSERT INTO gold.sales_daily SELECT * FROM gold.sales_daily",
        f"DELETE FROM delta.`{customers}`",
        f"VACUUM delta.`{customers}`",
        "CREATE FUNCTION f AS 'any.Class'",
        f"EXECUTE IMMEDIATE 'SELECT * FROM delta.`{bronze}`'",
        f"BEGIN SELECT * FROM delta.`{bronze}`; END",
    ):
        assert client.refused(sql)
    assert client.rows("SELECT '${env:PATH}'") == [("${env:PATH}",)]
    assert versions(shop_copy.warehouse) == before


def test_what_tools_ask_before_they_query_is_answered(client: Client) -> None:
    for sql in (
        "SHOW SCHEMAS",
        "SHOW VIEWS IN gold",
        "SHOW COLUMNS IN gold.sales_daily",
        "SHOW CREATE TABLE gold.sales_daily",
        "SHOW FUNCTIONS",
        "SHOW CATALOGS",
        "DESCRIBE gold.sales_daily",
        "DESCRIBE TABLE EXTENDED gold.sales_daily",
        "DESCRIBE SCHEMA gold",
        "EXPLAIN SELECT * FROM gold.sales_daily",
        "SELECT current_database(), current_catalog(), version()",
        "SELECT * FROM range(3)",
        "VALUES (1), (2)",
        "SELECT explode(array(1, 2))",
    ):
        assert client.rows(sql), sql
    client.rows("SET spark.sql.session.timeZone = UTC")
    client.rows("SHOW TBLPROPERTIES gold.sales_daily")
    client.rows("USE gold")


def test_a_connection_keeps_its_release_and_a_new_one_sees_the_newest(
    server: tuple[Server, str], client: Client, shop_copy: Promoted
) -> None:
    asked = "SELECT (SELECT count(*) FROM gold.kpi_daily), released_at FROM ops.release_shown"
    (before,) = client.rows(asked)
    assert not server[0].follow()
    again = arrow.rows(shop_copy.lake, kpi_daily.TABLE).slice(0, 1).cast(kpi_daily.TABLE.arrow_schema)
    delta.append_table(shop_copy.lake, kpi_daily.TABLE, again)
    assert client.rows(asked) == [before], "what is being written is not seen"
    assert releases.note(lake_at(shop_copy.lake.spark, shop_copy.warehouse))
    flush(shop_copy.lake)
    assert server[0].follow()
    assert client.rows(asked) == [before]
    other = Client(server[0].port, server[1])
    (after,) = other.rows(asked)
    other.close()
    assert after[0] == before[0] + 1
    assert after[1] > before[1]


def test_a_new_password_ends_the_old_one(server: tuple[Server, str], shop_copy: Promoted) -> None:
    new = password_of(shop_copy.lake, renew=True)
    assert Client(server[0].port, new).rows("SELECT 1") == [(1,)]
    with pytest.raises(Exception, match="Error validating the login"):
        Client(server[0].port, server[1])


def test_the_job_serves_a_warehouse_until_it_is_stopped(lake: Lake, tmp_path: Path) -> None:
    job = [sys.executable, str(ROOT / "jobs" / "bi.py"), "--warehouse", str(lake.warehouse), "--port", "0"]
    with subprocess.Popen(job, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            told = said_until(process.stdout, "Release ")
            (url,) = re.findall(r"jdbc:hive2://\S+", told)
            (password,) = re.findall(r"password (\S+) \(told once\)", told)
            beeline = [str(Path(pyspark.__file__).parent / "bin" / "beeline"), "-u", url, "-n", USER, "-p", password]
            asked = ["-e", "!tables", "-e", "SELECT sum(amount) AS paid FROM silver.payments"]
            options = ["--outputformat=csv2", "--showHeader=true"]
            answer = subprocess.run([*beeline, *options, *asked], capture_output=True, text=True, check=True).stdout
            assert ",silver,payments,VIEW," in answer
            assert "\npaid\n4.000\n" in answer
            done(run(lake, deliver(tmp_path / "in", 3), steps=STEPS))
            assert "open connections keep the one before" in said_until(process.stdout, "Release ")
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()
    assert password_of(lake) is None


def said_until(lines: Iterable[str], word: str) -> str:
    told = ""
    for line in lines:
        told += line
        if line.startswith(word):
            return told
    raise AssertionError(f"it ended without {word}: {told}")


def test_without_a_release_or_a_free_port_it_says_so(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with pytest.raises(UsageError, match="nothing was released yet"):
        Server(lake_at(lake.spark, tmp_path / "new"), TABLES)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="choose another"):
        Server(lake, TABLES, port=taken.getsockname()[1])
