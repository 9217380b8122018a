"""The API on a shop that went all the way: delivered, promoted, scored by the baselines, answered."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pyspark.sql import SparkSession
from rich.console import Console

from gold import kpis
from lakehouse.run.console import run_shown
from ml.core import lifecycle, scoring, shop
from ml.core.tracking import Store
from ml.families import FAMILIES
from serving.api.access import Access
from serving.api.app import create
from serving.api.release import TABLES, Live
from tests.integration.conftest import Promoted
from tests.integration.warehouse import done, lake_at, rows

SHOP = "shop"


@pytest.fixture(scope="module")
def scored(promoted: Promoted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Promoted]:
    folder = tmp_path_factory.mktemp("api") / "warehouse"
    shutil.copytree(promoted.warehouse, folder)
    lake = lake_at(promoted.lake.spark, folder)
    store = Store(lake)
    todo = [
        step
        for family in ("recommend", "segment")
        for experiment, of_shop in lifecycle.pairs(lake, FAMILIES[family], SHOP)
        for step in scoring.steps(experiment, of_shop, lifecycle.serving(store, experiment, of_shop))
    ]
    done(run_shown(lake, todo, Console(file=StringIO())))
    yield Promoted(lake_at(promoted.lake.spark, folder), promoted.shop)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def live(scored: Promoted) -> Live:
    return Live(scored.lake)


@pytest.fixture(scope="module")
def client(live: Live) -> Iterator[TestClient]:
    with TestClient(create(live, Access(None, 1e6)), "http://localhost") as client:
        yield client


def get(client: TestClient, path: str, **asked: Any) -> dict[str, Any]:
    answer = client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_every_customer_is_shown_what_was_scored(client: TestClient, scored: Promoted) -> None:
    lists: dict[tuple[str, str], list[tuple[int, str, str]]] = {}
    for row in rows(scored.warehouse, "gold.recommendations"):
        lists.setdefault((row["customer_id"], row["task"]), []).append((row["rank"], row["product_id"], row["reason"]))
    assert len(lists) > 100
    for (customer, task), wanted in lists.items():
        answer = get(client, f"/v1/shops/{SHOP}/recommendations", customer=customer, task=task)
        told = [(item["rank"], item["product_id"], item["reason"]) for item in answer["items"]]
        assert told == sorted(wanted)
        assert (answer["model"], answer["version"]) == ("baseline: buy it again", 0)


def test_strangers_sessions_and_carts_are_answered(client: TestClient, scored: Promoted, live: Live) -> None:
    best = [row for row in rows(scored.warehouse, "gold.best_sellers") if row["country_code"] == "*"]
    wanted = [row["product_id"] for row in sorted(best, key=lambda row: int(row["rank"]))][:10]
    stranger = get(client, f"/v1/shops/{SHOP}/recommendations")
    assert [item["product_id"] for item in stranger["items"]] == wanted
    assert all(item["name"] for item in stranger["items"])
    near = rows(scored.warehouse, "gold.item_neighbors")
    product = near[0]["product_id"]
    wanted = [
        row["neighbor_id"] for row in sorted(near, key=lambda row: int(row["rank"])) if row["product_id"] == product
    ]
    session = get(client, f"/v1/shops/{SHOP}/recommendations", seen=product)
    assert [item["product_id"] for item in session["items"]][: len(wanted)] == wanted[:10]
    cart = get(client, f"/v1/shops/{SHOP}/cart-suggestions", product=product)
    assert cart["items"]
    unsold = live.now.products(SHOP).unsold
    for answer in (stranger, session, cart):
        assert not unsold & {item["product_id"] for item in answer["items"]}


def test_serving_and_scoring_agree_on_what_may_be_sold(spark: SparkSession, scored: Promoted, live: Live) -> None:
    read = (
        spark.read.format("delta").load(scored.lake.path(name)) for name in ("silver.products", "silver.stock_levels")
    )
    products, stock = (table.where(f"shop_id = '{SHOP}'") for table in read)
    listed = {row["product_id"] for row in products.select("product_id").distinct().collect()}
    found = shop.why_not_sold(products, stock).where("why_not IS NOT NULL").collect()
    assert live.now.products(SHOP).unsold == {row["product_id"] for row in found} & listed


def test_every_kpi_is_what_its_formula_says_to_spark(spark: SparkSession, client: TestClient, scored: Promoted) -> None:
    names = {kpi.table.name for kpi in kpis.KPIS}
    for name in names:
        spark.read.format("delta").load(scored.lake.path(name)).createOrReplaceTempView(name.replace(".", "__"))
    for kpi in kpis.KPIS:
        sql = kpis.by_period(kpi, "month", SHOP).replace(
            f"FROM {kpi.table.name}", f"FROM {kpi.table.name.replace('.', '__')}"
        )
        wanted = {(str(row["period_on"]), row["currency"]): row["value"] for row in spark.sql(sql).collect()}
        answer = get(client, f"/v1/shops/{SHOP}/kpis/{kpi.name}")
        told = {(row["period_on"], row["currency"]): row["value"] for row in answer["values"]}
        assert told == {key: str(value) if isinstance(value, Decimal) else value for key, value in wanted.items()}
        assert answer["kpi"]["formula"] == kpi.formula


def test_a_customer_is_in_the_segment_of_gold(client: TestClient, scored: Promoted) -> None:
    for row in rows(scored.warehouse, "gold.customer_segments")[:20]:
        answer = get(client, f"/v1/shops/{SHOP}/segment", customer=row["customer_id"])
        assert (answer["segment"]["segment"], answer["segment"]["tier"]) == (row["segment"], row["tier"])
        assert answer["as_of"] == str(row["as_of_on"])


def test_what_the_api_reads_is_declared_and_there(live: Live) -> None:
    unscored = {"gold.demand_forecast", "gold.inventory_plan"}
    assert set(live.now.reader.tables) == {table.name for table in TABLES} - unscored
