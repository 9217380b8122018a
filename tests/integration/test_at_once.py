"""Two runs at once: a table has one writer at a time, and whoever waits says for what."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs.steps import ALL
from lakehouse.accounts import releases
from lakehouse.errors import LockTimeout
from lakehouse.store.lake import Lake
from lakehouse.store.locks import locked
from synthetic.shop import Shop
from tests.integration.contesting_writer import ROWS
from tests.integration.warehouse import deliver, deliver_lines, done, files_of, lake_at, order_line, rows, run

ROOT = Path(__file__).resolve().parents[2]
TOTALS = ("gold.sales_daily", "gold.sales_by_product")
WRITERS, BATCHES = ("a", "b", "c", "d"), 4
DELIVERED = [step for step in ALL if step.table.name == "bronze.shop_order_lines"]


def test_four_processes_contest_a_table_and_no_acknowledged_row_is_lost(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.integration.contesting_writer", str(tmp_path)]
    writers = [
        subprocess.Popen([*command, name, str(BATCHES)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for name in WRITERS
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        (tmp_path / "go").touch()
        told = [writer.communicate(timeout=300)[0].split() for writer in writers]
    finally:
        for writer in writers:
            writer.kill()
    assert [len(acknowledged) for acknowledged in told] == [BATCHES] * len(WRITERS)
    found = Counter((row["writer"], row["batch"], row["row"]) for row in rows(tmp_path, "bronze.contested"))
    assert set(found.values()) == {1}
    assert {f"{writer}-{batch}" for writer, batch, _ in found} == {name for names in told for name in names}
    assert len(found) == len(WRITERS) * BATCHES * ROWS
    log = sorted((tmp_path / "bronze" / "contested" / "_delta_log").glob("*.json"))
    assert [int(path.stem) for path in log] == list(range(len(WRITERS) * BATCHES))
    batches = [info for path in log if (info := _user_metadata(path))]
    assert sorted(batches) == sorted(name for names in told for name in names)
    order = [name.split("-")[0] for name in batches]
    assert order != sorted(order), "the writers did not contest the table"


@pytest.mark.long
def test_a_reader_beside_four_writers_sees_whole_releases_only(spark: SparkSession, shop: Shop, tmp_path: Path) -> None:
    days = files_of(shop.output, "orders", "order_lines")
    products = files_of(shop.output, "products")
    writers = []
    for number, table in enumerate(TOTALS * 2):
        inputs = deliver(tmp_path / f"in {number}", shop.output, [*products, *days[number :: len(WRITERS)]])
        job = [sys.executable, "-m", "jobs.run", "--source", "shop", "--table", table, "--input", str(inputs)]
        writers.append(subprocess.Popen([*job, "--warehouse", str(tmp_path / "lake")], cwd=ROOT))
    lake, seen = lake_at(spark, tmp_path / "lake"), {}
    try:
        while any(writer.poll() is None for writer in writers):
            if release := releases.newest(lake):
                seen[release.run_id] = _sums(lake, release)
    finally:
        for writer in writers:
            writer.kill()
    assert [writer.returncode for writer in writers] == [0] * len(WRITERS)
    for table in TOTALS:
        done(run(lake, deliver(tmp_path / "all", shop.output, [*products, *days]), table=table))
    release = releases.newest(lake)
    assert release is not None
    seen[release.run_id] = _sums(lake, release)
    assert [sums for sums in seen.values() if len(set(sums)) != 1] == []
    assert seen[release.run_id][0] > 0


def _sums(lake: Lake, release: releases.Release) -> list[Decimal]:
    """The money of the lines in the tables of a release that hold it."""
    amounts = {"silver.order_lines": "amount"} | dict.fromkeys(TOTALS, "line_amount")
    found = []
    for name in amounts.keys() & release.versions.keys():
        table = DeltaTable(lake.path(name), release.versions[name])
        found.append(sum(table.to_pyarrow_table(columns=[amounts[name]])[0].to_pylist(), Decimal(0)))
    return found


def _user_metadata(path: Path) -> str | None:
    actions = [json.loads(line) for line in path.read_text().splitlines()]
    told = next(action["commitInfo"] for action in actions if "commitInfo" in action).get("userMetadata")
    return json.loads(told)["batch_id"] if told else None


def test_a_run_waits_for_a_table_that_another_writes_and_says_so(spark: SparkSession, tmp_path: Path) -> None:
    inputs = deliver_lines(tmp_path / "in", order_line(1))
    said: list[str] = []
    holder, waiter = lake_at(spark, tmp_path / "lake"), lake_at(spark, tmp_path / "lake", say=said.append)
    released = threading.Event()
    with locked(holder, "bronze.shop_order_lines"):
        pass  # the folder is there
    lock = locked(holder, "bronze.shop_order_lines")
    lock.__enter__()

    def release() -> None:
        lock.__exit__(None, None, None)
        released.set()

    timer = threading.Timer(2, release)
    timer.start()
    done(run(waiter, inputs, steps=DELIVERED))
    assert released.is_set()
    (waited,) = [text for text in said if text.startswith("waiting for ")]
    assert waited.startswith("waiting for bronze.shop_order_lines: process ")
    assert holder.run_id in waited
    assert len(rows(tmp_path / "lake", "bronze.shop_order_lines")) == 1


def test_who_waits_too_long_is_told_who_holds_the_table(spark: SparkSession, tmp_path: Path) -> None:
    inputs = deliver_lines(tmp_path / "in", order_line(1))
    holder = lake_at(spark, tmp_path / "lake")
    waiter = lake_at(spark, tmp_path / "lake", wait_seconds=1)
    with locked(holder, "bronze.shop_order_lines"):
        with pytest.raises(LockTimeout, match=rf"run {holder.run_id}; waited 1 s\. Run again when it has finished"):
            locked(waiter, "bronze.shop_order_lines").__enter__()
        report = run(waiter, inputs, steps=DELIVERED)
    assert report.exit_code == 1
    assert "bronze.shop_order_lines is being written by process" in report.errors[0][1]
    assert rows(tmp_path / "lake", "bronze.shop_order_lines") == []
    assert len(done(run(waiter, inputs, steps=DELIVERED)).published) == 1
