"""A warehouse that an older version made goes on: the next run makes of it what the present version makes."""

from __future__ import annotations

import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from pyspark.sql import SparkSession

from lakehouse.session import SMALL_DATA
from synthetic.shop import Shop
from tests.integration.warehouse import balances, deliver, done, everything, files_of, lake_at, run

TABLE = "gold.sales_daily"
ROOT = Path(__file__).resolve().parents[2]
OLDER = "f798b24"
"""The last version that took new rows into silver as they came, with money of two decimals and without releases."""


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """The code of the older version."""
    packed = subprocess.run(["git", "archive", "--format=zip", OLDER], cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        pytest.skip(f"this clone does not reach back to {OLDER}")
    with ZipFile(BytesIO(packed.stdout)) as archive:
        archive.extractall(tmp_path / "older")
    with (tmp_path / "older" / "conf" / "spark-defaults.conf").open("a") as defaults:
        defaults.writelines(f"{name} {value}\n" for name, value in SMALL_DATA.items())
    return tmp_path / "older"


def test_a_warehouse_of_an_older_version_becomes_what_this_one_makes(
    spark: SparkSession, shop: Shop, older: Path, tmp_path: Path
) -> None:
    days = [f"2024-01-0{day}" for day in range(1, 8)]
    files = [file for file in files_of(shop.output, "orders", "order_lines") if file.name.split("_")[-1][:10] in days]
    first = [file for file in files if file.name.split("_")[-1][:10] <= days[3]]
    products = files_of(shop.output, "products")
    inputs = deliver(tmp_path / "in", shop.output, [*products, *first])
    job = ["jobs/run.py", "--source", "shop", "--table", TABLE, "--input", str(inputs), "--warehouse"]
    command = [sys.executable, *job, str(tmp_path / "w")]
    ended = subprocess.run(
        command, cwd=older, env={**os.environ, "PYTHONPATH": str(older)}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    deliver(inputs, shop.output, files)
    lake = lake_at(spark, tmp_path / "w")
    done(run(lake, inputs, table=TABLE))
    fresh = lake_at(spark, tmp_path / "fresh")
    done(run(fresh, inputs, table=TABLE))
    found, expected = everything(lake.warehouse), everything(fresh.warehouse)
    assert [name for name in expected if found.get(name) != expected[name]] == []
    assert balances(lake)
    done(run(lake, inputs, table=TABLE, full=True))
    assert [name for name in expected if everything(lake.warehouse)[name] != expected[name]] == []
