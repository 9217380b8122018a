"""What is shown is what gold says, and never what may not be sold or was given back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient

from gold.recommend import best_sellers, cart_suggestions, item_neighbors, recommendations
from lakehouse.declare.table import Table
from ml.recommend.data.history import History
from ml.recommend.lists.co_purchases import CoPurchases
from serving.api.products import FADING, fused
from serving.api.release import Loaded
from tests.ml.recommend.conftest import CUTOFF
from tests.serving.api.conftest import DELISTED, GIVEN_BACK, NEVER_COUNTED, PATH, SHOP, SOLD_OUT

UNSOLD = [DELISTED, SOLD_OUT, NEVER_COUNTED]
Tables = Mapping[Table, pl.DataFrame]


def ask(client: TestClient, what: str, **asked: Any) -> dict[str, Any]:
    answer = client.get(f"{PATH}/{what}", params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def shown(answer: Mapping[str, Any]) -> list[str]:
    assert [item["rank"] for item in answer["items"]] == list(range(1, len(answer["items"]) + 1))
    return [item["product_id"] for item in answer["items"]]


def sold(rows: pl.DataFrame, column: str = "product_id") -> list[str]:
    return rows.sort("rank").filter(~pl.col(column).is_in(UNSOLD))[column].to_list()


@pytest.mark.parametrize("task", ["ALL", "NEW"])
def test_a_customer_gets_the_list_that_was_scored(client: TestClient, tables: Tables, task: str) -> None:
    lists = tables[recommendations.TABLE].filter(pl.col("task") == task)
    assert lists.filter(pl.col("product_id").is_in(UNSOLD)).height, "lists name what may no longer be sold"
    for (customer,), rows in lists.group_by("customer_id"):
        answer = ask(client, "recommendations", customer=customer, task=task)
        assert shown(answer) == sold(rows)
        assert answer["basis"] == "customer"
        first = rows.filter(pl.col("product_id") == shown(answer)[0]).row(0, named=True)
        assert [answer["items"][0][name] for name in ("reason", "chance")] == [first["reason"], first["chance"]]


def test_an_answer_names_its_model_its_day_and_its_release(client: TestClient, loaded: Loaded) -> None:
    answer = ask(client, "recommendations", customer="C001")
    assert (answer["model"], answer["version"], answer["model_run"]) == ("recommend-s", 3, "a run")
    assert (answer["shop_id"], answer["as_of"]) == (SHOP, CUTOFF.isoformat())
    assert answer["release"]["run_id"] == loaded.release.run_id
    assert answer["items"][0]["name"].startswith(("red", "blue", "green", "white", "steel", "paper"))


@pytest.mark.parametrize(("country", "code"), [("DE", "DE"), ("GB", "GB"), ("XX", "*"), (None, "*")])
def test_a_stranger_gets_the_best_sellers_of_a_country(
    client: TestClient, tables: Tables, country: str | None, code: str
) -> None:
    rows = tables[best_sellers.TABLE].filter(pl.col("country_code") == code)
    asked = {"country": country} if country else {}
    for customer in ({}, {"customer": "nobody"}):
        answer = ask(client, "recommendations", limit=20, **asked, **customer)
        assert shown(answer) == sold(rows)[:20]
        assert answer["basis"] == "best sellers"


def test_what_was_seen_last_counts_most(client: TestClient, tables: Tables) -> None:
    near = tables[item_neighbors.TABLE]
    for seen in (["P01", "P11"], ["P11", "P01"], ["P01"]):
        total: dict[str, float] = {}
        for place, product in enumerate(reversed(seen), start=1):
            for row in near.filter(pl.col("product_id") == product).iter_rows(named=True):
                total[row["neighbor_id"]] = total.get(row["neighbor_id"], 0) + row["similarity"] * place**-FADING
        best = sorted(set(total) - {*seen, *UNSOLD}, key=lambda product: (-total[product], product))
        answer = ask(client, "recommendations", seen=seen, limit=5)
        assert shown(answer) == best[:5]
        assert answer["basis"] == "session"


def test_a_cart_is_a_part_of_the_session(client: TestClient) -> None:
    beside = ask(client, "recommendations", seen=["P01"], cart=["P11"])
    assert shown(beside) == shown(ask(client, "recommendations", seen=["P01", "P11"]))
    assert not {"P01", "P11"} & set(shown(beside))


def test_a_session_of_what_nobody_knows_gets_best_sellers(client: TestClient) -> None:
    answer = ask(client, "recommendations", seen=["unheard of"])
    assert answer["basis"] == "best sellers"
    assert shown(answer) == shown(ask(client, "recommendations"))


def test_after_the_neighbors_come_those_whose_factors_are_nearest(
    client: TestClient, loaded: Loaded, tables: Tables
) -> None:
    products = loaded.products(SHOP)
    codes = {product: code for code, product in enumerate(products.coded)}
    filled = 0
    for product in codes:
        answer = ask(client, "similar-products", product=product, limit=50)
        near = sold(tables[item_neighbors.TABLE].filter(pl.col("product_id") == product), "neighbor_id")
        assert shown(answer)[: len(near)] == near
        alike = answer["items"][len(near) :]
        assert {item["source"] for item in alike} <= {"gold.als_item_factors"}
        filled += len(alike)
        cosines = products.factors @ products.factors[codes[product]]
        rest = {*codes} - {product, *UNSOLD, *near}
        best = sorted((float(cosines[codes[other]]) for other in rest if cosines[codes[other]] > 0), reverse=True)
        assert [item["similarity"] for item in alike] == pytest.approx(best[: 50 - len(near)], abs=1e-6)
    assert filled


def test_a_customers_list_and_a_session_are_fused(client: TestClient, history: History) -> None:
    own = ask(client, "recommendations", customer="C001")["items"]
    answer = ask(client, "recommendations", customer="C001", seen=["P41"])
    had = set(history.events.filter(pl.col("customer_id") == "C001")["product_id"]) - {row["product_id"] for row in own}
    near = ask(client, "recommendations", seen=["P41"], limit=50)["items"]
    near = [row for row in near if row["product_id"] not in had and row["source"] != "gold.best_sellers"][:10]
    best = [row["product_id"] for row in fused(near, [row for row in own if row["product_id"] != "P41"])][:10]
    assert answer["basis"] == "customer and session"
    assert shown(answer)[: len(best)] == best
    assert {row["source"] for row in answer["items"]} >= {"gold.item_neighbors", "gold.recommendations"}
    assert not set(shown(answer)) & {"P41", *had, *UNSOLD}


@pytest.mark.parametrize("limit", [1, 3])
def test_a_shorter_answer_is_the_beginning_of_a_longer_one(client: TestClient, limit: int) -> None:
    for asked in ({"customer": "C001"}, {"customer": "C001", "seen": ["P41"]}, {"seen": ["P41"]}, {}):
        whole = shown(ask(client, "recommendations", **asked))
        assert shown(ask(client, "recommendations", limit=limit, **asked)) == whole[:limit]


def test_fusion_is_by_places() -> None:
    lists = [[{"product_id": product} for product in row] for row in ("abc", "cd")]
    assert [row["product_id"] for row in fused(*lists)] == ["c", "a", "b", "d"]
    assert [row["product_id"] for row in fused([], lists[1])] == ["c", "d"]


def test_what_was_given_back_is_not_shown_again(client: TestClient) -> None:
    customer, product = GIVEN_BACK
    assert product in shown(ask(client, "recommendations", seen=["P01"], limit=50))
    for task in ("ALL", "NEW"):
        asked = {"customer": customer, "task": task, "limit": 50}
        assert product not in shown(ask(client, "recommendations", seen=["P01"], **asked))
        assert product not in shown(ask(client, "recommendations", **asked))


def test_new_is_what_the_customer_never_bought(client: TestClient, history: History) -> None:
    had = set(history.events.filter(pl.col("customer_id") == "C001")["product_id"])
    seen = {"seen": ["P11"], "customer": "C001", "limit": 50}
    assert had & set(shown(ask(client, "recommendations", **seen)))
    assert not had & set(shown(ask(client, "recommendations", task="NEW", **seen)))


def test_one_product_in_a_cart_gets_what_was_scored(client: TestClient, tables: Tables) -> None:
    carts = tables[cart_suggestions.TABLE]
    for (product,), rows in carts.group_by("cart_product_id"):
        answer = ask(client, "cart-suggestions", product=[product], limit=10)
        assert shown(answer) == sold(rows)[:10]
        assert [item["lift"] for item in answer["items"]] == rows.sort("rank").filter(
            ~pl.col("product_id").is_in(UNSOLD)
        )["lift"].to_list()[:10]


@pytest.mark.parametrize("cart", [["P01", "P11"], ["P05", "P06", "P41"], ["P02", "unheard of"]])
def test_a_cart_of_several_is_answered_as_by_the_model(
    client: TestClient, history: History, cart: Sequence[str]
) -> None:
    wanted = CoPurchases(history).suggest(cart, 60).filter(~pl.col("product_id").is_in(UNSOLD))
    answer = ask(client, "cart-suggestions", product=cart, limit=50)
    assert shown(answer)[:5] == wanted["product_id"].to_list()[:5]
    lifts = dict(wanted.select("product_id", "lift").iter_rows())
    for item in answer["items"][:5]:
        assert item["lift"] == pytest.approx(lifts[item["product_id"]])
    assert not set(cart) & set(shown(answer))


def test_what_may_not_be_sold_is_asked_as_scoring_asks(loaded: Loaded) -> None:
    assert loaded.products(SHOP).unsold == set(UNSOLD)
    assert np.isin(UNSOLD, loaded.products(SHOP).coded.to_numpy()).all(), "the model knows them, and they are left out"


@pytest.mark.parametrize("product", UNSOLD)
def test_beside_what_is_sold_out_stands_what_there_is_instead(client: TestClient, product: str) -> None:
    found = shown(ask(client, "similar-products", product=product, limit=50))
    assert found
    assert not set(found) & set(UNSOLD)
