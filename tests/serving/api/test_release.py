"""A newer release takes the place of the older one while requests come in; none fails, none sees half of it."""

from __future__ import annotations

import json
import shutil
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
import uvicorn
from fastapi.testclient import TestClient

from benchmarks.api_data import publish, stamped
from gold.recommend import item_neighbors, recommendations
from lakehouse.errors import UsageError
from lakehouse.settings import load
from lakehouse.store.lake import Lake
from ml.core.experiment import Served
from serving.api.access import Access
from serving.api.answers import model_of
from serving.api.app import create
from serving.api.release import Live, Loaded
from serving.reader import without_spark
from tests.serving.api.conftest import PATH, SHOP, Frames


@contextmanager
def served(live: Live) -> Iterator[str]:
    """A real server on a free port of this machine; its address."""
    server = uvicorn.Server(uvicorn.Config(create(live, Access(None, 1e6), 0.05), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def turned(tables: Frames) -> Frames:
    """The same shop, scored by a newer model: all lists and neighborhoods are the other way round."""
    found = {}
    for table, key in ((recommendations.TABLE, ["task", "customer_id"]), (item_neighbors.TABLE, ["product_id"])):
        backwards = (pl.col("rank").max().over(key) + 1 - pl.col("rank")).alias("rank")
        found[table] = stamped(tables[table].with_columns(backwards), SHOP, "recommend-s v4")
    return found


def test_a_newer_release_takes_over_without_a_gap(lake: Lake, tables: Frames) -> None:
    live = Live(lake)
    first, ended = live.now, threading.Event()
    path = f"{PATH}/recommendations?customer=C001"

    def ask_on(address: str) -> list[tuple[int, str, tuple[str, ...]]]:
        answers = []
        while not ended.is_set():
            with urllib.request.urlopen(address + path, timeout=10) as answer:
                told = json.load(answer)
            items = tuple(item["product_id"] for item in told["items"])
            answers.append((told["version"], told["release"]["at"], items))
        return answers

    with served(live) as address, ThreadPoolExecutor(4) as threads:
        asking = [threads.submit(ask_on, address) for _ in range(4)]
        time.sleep(0.2)
        publish(lake, turned(tables))
        deadline = time.monotonic() + 30
        while live.now is first and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)
        ended.set()
        found = [asked.result() for asked in asking]
    assert live.now is not first
    for answers in found:
        versions = [version for version, _, _ in answers]
        assert set(versions) == {3, 4}
        assert versions == sorted(versions), "who has seen the newer release never sees the older one again"
    (_, old_at, old), (_, new_at, new) = sorted({answer for answers in found for answer in answers})
    assert old_at < new_at
    assert old == tuple(reversed(new))


def test_a_release_that_cannot_be_loaded_leaves_the_older_one(lake: Lake, tables: Frames) -> None:
    live = Live(lake)
    assert not live.refresh()
    publish(lake, turned(tables))
    folder = Path(lake.path(recommendations.TABLE))
    newest = max(folder.glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    kept = newest.read_bytes()
    newest.write_bytes(kept[:100])
    with TestClient(create(live, Access(None, 1e6), 3600), "http://localhost") as client:
        assert not live.refresh()
        assert client.get(f"{PATH}/recommendations?customer=C001").json()["version"] == 3
        assert client.get("/v1/health").json()["status"] == "stale"
        told = client.get("/v1/freshness").json()
        assert not told["is_newest"]
        assert told["problem"]
        newest.write_bytes(kept)
        assert live.refresh()
        assert client.get(f"{PATH}/recommendations?customer=C001").json()["version"] == 4
        assert client.get("/v1/health").json()["status"] == "ok"


def test_a_table_that_is_not_there_is_named_with_what_makes_it(tmp_path: Path, tables: Frames) -> None:
    lake = Lake(without_spark, tmp_path / "warehouse", load("local"))
    with pytest.raises(UsageError, match="nothing was released yet"):
        Live(lake)
    publish(lake, {item_neighbors.TABLE: tables[item_neighbors.TABLE]})
    with TestClient(create(Live(lake), Access(None, 1e6)), "http://localhost") as client:
        assert client.get("/v1/shops").json()["shops"] == [SHOP]
        made_by = {"forecast": "forecast", "stock-plan": "forecast", "segment?customer=x": "segment"}
        made_by |= {"recommendations": "recommend", "cart-suggestions?product=x": "recommend"}
        for path, family in made_by.items():
            told = client.get(f"{PATH}/{path}")
            assert told.status_code == 404
            assert told.json()["type"] == "urn:shoplake:table-missing"
            assert f"shoplake score {family}" in told.json()["detail"]
        assert client.get(f"{PATH}/recommendations?seen=P01").json()["basis"] == "session"
    shutil.rmtree(lake.warehouse)


def test_no_personal_column_is_read(loaded: Loaded) -> None:
    for name, table in loaded.reader.tables.items():
        assert not [field.name for field in table.fields if field.personal], name


@pytest.mark.parametrize(
    ("label", "told"), [("recommend-s v12", ("recommend-s", 12)), ("baseline: buy it again", None)]
)
def test_a_model_is_told_from_its_version(label: str, told: tuple[str, int] | None) -> None:
    assert model_of(label) == (told or (label, Served(None, 0, label).version))
