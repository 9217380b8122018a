"""What serving reads: tables of one release, by SQL, without personal data."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest
from pyarrow import parquet

from lakehouse.errors import UsageError
from lakehouse.store.lake import Lake
from serving.reader import Reader
from silver import customers, payments
from tests.integration.conftest import Promoted
from tests.integration.test_releases import STEPS, deliver
from tests.integration.test_releases import lake as lake
from tests.integration.warehouse import done, flipped, lake_at, run

TABLES = (payments.TABLE, customers.TABLE)
PAID = "SELECT count(*) AS payments, sum(amount) AS paid FROM silver.payments WHERE amount > ?"


def test_a_reader_sees_one_release_whatever_is_written(lake: Lake, tmp_path: Path) -> None:
    reader = Reader(lake, TABLES)
    (before,) = reader.rows(PAID, [2])
    assert (before["payments"], str(before["paid"])) == (1, "2.500")
    done(run(lake, deliver(tmp_path / "in", 3), steps=STEPS))
    assert reader.rows(PAID, [2]) == [before]
    assert not reader.is_newest
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: Reader(lake, TABLES).rows(PAID, [2]), range(2)))
    assert [str(answer["paid"]) for (answer,) in answers] == ["6.000", "6.000"]
    (runs,) = reader.rows("SELECT count(*) AS runs FROM ops.releases")
    assert runs["runs"] == 2, "the accounts, too, are those of the first question"


def test_a_flipped_bit_is_an_error_and_never_another_number(lake: Lake) -> None:
    file = min((lake.warehouse / "silver" / "payments").glob("*.parquet"))
    group = parquet.ParquetFile(file).metadata.row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    (amount,) = (column for column in columns if column.path_in_schema == "amount")
    file.write_bytes(flipped(file.read_bytes(), amount))
    with pytest.raises(duckdb.Error, match="could not verify page integrity"):
        Reader(lake, TABLES).rows(PAID, [0])


def test_only_what_was_released_can_be_read(lake: Lake, tmp_path: Path) -> None:
    assert set(Reader(lake, TABLES).tables) == {"silver.payments"}
    with pytest.raises(duckdb.CatalogException, match="customers"):
        Reader(lake, TABLES).frame("SELECT * FROM silver.customers")
    (tmp_path / "new").mkdir()
    with pytest.raises(UsageError, match="nothing was released yet"):
        Reader(lake_at(lake.spark, tmp_path / "new"), TABLES)


def test_columns_with_personal_data_are_not_there(promoted: Promoted) -> None:
    reader = Reader(promoted.lake, TABLES)
    personal = {field.name for field in customers.TABLE.fields if field.personal}
    shown = set(reader.frame("SELECT * FROM silver.customers LIMIT 1").columns)
    assert personal
    assert shown == set(customers.TABLE.all_columns) - personal
