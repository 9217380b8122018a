"""The parts alone, on examples small enough to work out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from ml.recommend.candidates import neighbors
from ml.recommend.candidates.linear import ease_weights, ridge_scorers
from ml.recommend.candidates.pool import pool
from ml.recommend.candidates.popularity import LAST_YEAR
from ml.recommend.data.history import History
from ml.recommend.data.places import Lists
from ml.recommend.data.snapshot import Snapshot
from ml.recommend.lists.co_purchases import CoPurchases, cart_suggestions, product_neighbors
from ml.recommend.lists.coverage import spread
from ml.recommend.lists.reasons import Reasons
from ml.recommend.ranking.pairs import pair_table

CUTOFF = date(2024, 3, 31)


def _history(*orders: tuple[str, str, date, str]) -> History:
    rows = [(who, what, order, day) for who, order, day, whats in orders for what in whats.split()]
    events = pl.DataFrame(rows, schema=["customer_id", "product_id", "order_id", "sold_on"], orient="row")
    events = events.with_columns(
        pl.lit(1.0).alias("quantity"), pl.lit(2.0).alias("amount"), pl.lit("GB").alias("country_code")
    )
    texts = (
        events.select("product_id")
        .unique()
        .sort("product_id")
        .with_columns(("text " + pl.col("product_id")).alias("text"))
    )
    return History(events, texts, CUTOFF)


HISTORY = _history(
    ("ann", "o1", date(2024, 1, 1), "mug"),
    ("ann", "o2", date(2024, 1, 31), "mug jar"),
    ("ann", "o3", date(2024, 3, 1), "mug"),
    ("ben", "o4", date(2024, 3, 30), "jar cup"),
    ("cat", "o5", date(2024, 3, 30), "jar cup"),
)


def test_a_pairs_own_past() -> None:
    snapshot = Snapshot.of(HISTORY, 180)
    table = pair_table(snapshot, 30)
    mug = list(snapshot.pair_keys).index(0 * 3 + snapshot.products.to_list().index("mug"))
    expected = {"orders": 3, "days_since": 30, "interval": 30, "overdue": 1, "orders_since": 0, "share_of_orders": 1}
    assert {name: table[name][0][mug] for name in expected} == expected
    jar = list(snapshot.pair_keys).index(snapshot.products.to_list().index("jar"))
    assert table["orders_since"][0][jar] == 1
    assert np.isnan(table["interval"][0][jar])


def test_reasons_in_words() -> None:
    snapshot = Snapshot.of(HISTORY, 180)
    reasons = Reasons(snapshot, np.zeros((3, 1), np.float32), {})
    cup, jar, mug = range(3)
    found = reasons.of(np.array([0, 0, 0, 1]), np.array([mug, jar, cup, cup]))
    assert found[0] == "you buy this every 4 weeks"
    assert found[1] == "you bought this once, last 9 weeks ago" or found[1] == "you bought this once, last 2 months ago"
    assert found[2] == "bought with text jar"
    assert found[3] == "you bought this once, last a day ago"


def test_products_that_are_no_longer_sold_leave_the_catalogue() -> None:
    old = _history(("ann", "o1", date(2023, 1, 1), "old"), ("ann", "o2", date(2024, 3, 1), "mug"))
    snapshot = Snapshot.of(old, 180)
    assert snapshot.products.to_list() == ["mug"]
    assert snapshot.distinct.tolist() == [2]


def test_ease_is_its_closed_form() -> None:
    snapshot = Snapshot.of(HISTORY, 180)
    bought = np.asarray(snapshot.bought.todense(), np.float64)
    inverse = np.linalg.inv(bought.T @ bought + 2 * np.eye(3))
    expected = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(expected, 0)
    assert np.allclose(ease_weights(snapshot, snapshot.bought, 2.0).values, expected, atol=1e-5)


def test_of_a_large_catalogue_only_the_most_bought_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = Snapshot.of(HISTORY, 180)
    rows, (cup, jar, mug) = np.arange(3), range(3)
    whole = neighbors.product_cosine(snapshot)
    assert whole.between(jar, np.array([cup, mug])).tolist() == whole.values[jar, [cup, mug]].tolist()
    monkeypatch.setattr(neighbors, "MOST_PRODUCTS", 2)
    frequent = neighbors.product_cosine(snapshot)
    assert frequent.among.tolist() == [cup, jar]
    assert frequent.values[0, 1] == whole.values[cup, jar]
    assert frequent.between(jar, np.array([mug, cup])).tolist() == [0.0, whole.values[jar, cup]]
    assert not frequent.between(mug, np.array([cup])).any()
    scores = neighbors.similar_products(snapshot.bought, frequent)(rows)
    assert np.allclose(scores[:, [cup, jar]], snapshot.bought[:, [cup, jar]] @ frequent.values)
    assert not scores[:, mug].any()


def test_what_is_bought_newly_after_a_product() -> None:
    history = _history(
        ("ann", "o1", date(2024, 1, 1), "mug"),
        ("ann", "o2", date(2024, 2, 1), "mug jar"),
        ("ben", "o3", date(2024, 1, 5), "mug"),
        ("ben", "o4", date(2024, 2, 5), "jar"),
        ("cat", "o5", date(2024, 3, 30), "mug"),
        ("dan", "o6", date(2024, 3, 30), "jar"),
    )
    snapshot = Snapshot.of(history, 180)
    jar, mug = range(2)
    scores = neighbors.next_new(snapshot, orders=1, shrink=1e-6)(np.arange(4))
    cat, dan = 2, 3
    assert scores[cat, jar] == pytest.approx(1)  # after both orders with a mug that one followed, a jar was new
    assert scores[cat, mug] == 0  # a mug came again, and is not new
    assert not scores[dan].any()


def test_what_the_alike_of_late_bought_first() -> None:
    history = _history(
        ("ann", "o1", date(2024, 1, 1), "mug cup"),
        ("ann", "o2", date(2024, 3, 28), "jar"),
        ("ben", "o3", date(2024, 1, 5), "mug cup"),
        ("ben", "o4", date(2024, 2, 28), "hat"),
        ("cat", "o5", date(2024, 2, 1), "mug"),
        ("dan", "o6", date(2024, 2, 1), "fan"),
    )
    snapshot = Snapshot.of(history, 180)
    scores = neighbors.alike_first(snapshot, neighbors=2, days=10)(np.arange(4))
    bought_by = {name: set(snapshot.products.filter(pl.Series(scores[row] > 0))) for row, name in enumerate("abcd")}
    assert bought_by == {"a": set(), "b": {"jar"}, "c": {"jar"}, "d": set()}
    assert not neighbors.alike_first(snapshot, days=0)(np.arange(4)).any()


def test_last_years_window_says_nothing_to_a_shop_without_one() -> None:
    snapshot = Snapshot.of(HISTORY, 180)
    for scorer in ridge_scorers(snapshot, 30, [LAST_YEAR - 30]):
        assert not scorer(np.arange(3)).any()


def test_who_scores_nothing_proposes_nothing() -> None:
    snapshot = Snapshot.of(HISTORY, 180)
    silent = {"next_new": lambda rows: np.zeros((len(rows), 3), np.float32)}
    assert not len(pool(snapshot, silent, np.arange(3), ("NEW",))["NEW"].product)
    speaking = {"next_new": lambda rows: np.tile(np.array([0, 0, 1], np.float32), (len(rows), 1))}
    assert len(pool(snapshot, speaking, np.arange(3), ("NEW",))["NEW"].product)


def test_equal_scores_share_their_place() -> None:
    lists = Lists.of(np.array([1, 1, 1, 2]))
    assert lists.ranks(np.array([0.5, 0.9, 0.5, 0.1], np.float32)).tolist() == [1.5, 0, 1.5, 0]
    assert lists.z(np.array([1.0, 2.0, 3.0, 9.0])).tolist() == [-(1.5**0.5), 0, 1.5**0.5, 0]


def test_neighbors_and_carts() -> None:
    near = product_neighbors(HISTORY, 5)
    assert near.filter(pl.col("product_id") == "jar")["neighbor_id"].to_list() == ["cup"]
    assert near["evidence"].to_list() == [2, 2]
    counted = CoPurchases(HISTORY)
    beside = counted.suggest(["jar", "unheard of"], 2)
    assert beside["product_id"].to_list() == ["cup", "mug"]
    assert beside["reason"].to_list() == ["bought with text jar", "in the shop's range"]
    assert counted.suggest(["unheard of"], 2)["reason"].unique().to_list() == ["popular these 30 days"]
    called = pl.col("product_id").replace_strict({"jar": "Jar of glass", "mug": ""}, default=None)
    named = replace(HISTORY, products=HISTORY.products.with_columns(name=called))
    assert CoPurchases(named).suggest(["jar"], 1)["reason"].to_list() == ["bought with Jar of glass"]
    assert Snapshot.of(named, 180).names == ["cup", "Jar of glass", "mug"]
    assert set(cart_suggestions(HISTORY, 1)["cart_product_id"]) == {"jar", "cup"}


@pytest.mark.parametrize("cost", [0.0, 0.01, 0.05])
def test_coverage_never_costs_more_than_promised(cost: float) -> None:
    generator = np.random.default_rng(3)
    customers, products, k = 40, 60, 5
    customer = np.repeat(np.arange(customers), products)
    chance = (generator.random((customers, products)) * np.linspace(1, 0.2, products)).astype(np.float32)
    product = np.argsort(-chance, axis=1).ravel()
    chance = -np.sort(-chance, axis=1).ravel()
    discount = 1 / np.log2(np.arange(k) + 2)
    before = sum((chance.reshape(customers, products)[:, :k] * discount).sum(axis=1))
    chosen, place = spread(customer, product, chance, k, cost, products)
    after = float((chance[chosen] * discount[place]).sum())
    assert after >= before * (1 - cost) - 1e-4
    assert np.bincount(customer[chosen]).tolist() == [k] * customers
    first = np.unique(product.reshape(customers, products)[:, :k])
    shown = np.unique(product[chosen])
    assert set(first) <= set(shown)
    assert (len(shown) > len(first)) == (cost > 0)
