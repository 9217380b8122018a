"""From a history to lists: everybody has one, nothing is from the future, and the same again gives the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lakehouse.errors import UsageError
from ml.recommend.candidates.als import Als
from ml.recommend.data.history import History, truth
from ml.recommend.hybrid import Hybrid, train
from ml.recommend.ranking.training_set import training_cutoffs, training_set
from ml.recommend.settings import Settings
from tests.ml.recommend.conftest import CUTOFF, SMALL, made_events, made_history


def test_every_customer_has_k_rows_in_order_for_each_task(hybrid: Hybrid, shop: History) -> None:
    for task in ("ALL", "NEW"):
        found = hybrid.recommend(shop, None, task, 10)
        assert found["customer_id"].n_unique() == shop.events["customer_id"].n_unique()
        assert found.group_by("customer_id").agg(pl.col("rank").sort())["rank"].to_list() == [list(range(1, 11))] * 80
        assert found.select("customer_id", "product_id").is_duplicated().sum() == 0
        assert (found["reason"].str.len_chars() > 0).all()
        assert found["chance"].is_between(0, 1).all()


def test_new_has_nothing_that_was_bought(hybrid: Hybrid, shop: History) -> None:
    found = hybrid.recommend(shop, None, "NEW", 10)
    assert found.join(shop.events, on=["customer_id", "product_id"], how="semi").height == 0


def test_the_lists_are_better_than_chance(als: Als) -> None:
    events = made_events(days=270, until=CUTOFF + timedelta(days=30))
    history = made_history(events)
    after = truth(events, CUTOFF, 30)
    found = train(history, als, SMALL).recommend(history, None, "ALL", 5)
    hits = found.join(after, on=["customer_id", "product_id"], how="semi").height / found.height
    assert hits > 3 * after.height / (80 * 60)


def test_an_unknown_customer_gets_the_best_of_the_home_country_and_is_told(hybrid: Hybrid, shop: History) -> None:
    homes, names = {"X1": "DE", "X2": "DE", "X3": "??"}, {"DE": "Germany"}
    found = hybrid.recommend(shop, ["X1", "X2", "X3", "C001"], "ALL", 4, homes=homes, countries=names)
    reasons = dict(found.group_by("customer_id").agg(pl.col("reason").first()).iter_rows())
    assert reasons["X1"] == reasons["X2"] == "popular in Germany these 30 days"
    assert reasons["X3"] == "popular these 30 days"
    lately = shop.events.filter(pl.col("sold_on") > CUTOFF - timedelta(days=30), pl.col("country_code") == "DE")
    best = lately.group_by("product_id").agg(pl.col("customer_id").n_unique().alias("n")).sort("n", descending=True)
    assert found.filter(pl.col("customer_id") == "X1")["product_id"][0] in best.head(3)["product_id"].to_list()
    assert found.group_by("customer_id").len()["len"].to_list() == [4] * 4


def test_a_customer_gets_the_same_alone_and_among_others(hybrid: Hybrid, shop: History) -> None:
    everyone = hybrid.recommend(shop, None, "ALL", 5).filter(pl.col("customer_id") == "C007")
    alone = hybrid.recommend(shop, ["C007"], "ALL", 5)
    assert alone["product_id"].to_list() == everyone["product_id"].to_list()


def test_same_data_and_seed_same_lists_and_a_saved_model_scores_the_same(
    hybrid: Hybrid, shop: History, als: Als, tmp_path: Path
) -> None:
    first = hybrid.recommend(shop, None, "NEW", 5, spread=True)
    shuffled = History(shop.events.sample(fraction=1, shuffle=True, seed=3), shop.products, CUTOFF)
    again = train(shuffled, als, SMALL).recommend(shuffled, None, "NEW", 5, spread=True)
    hybrid.save(tmp_path / "model")
    loaded = Hybrid.load(tmp_path / "model").recommend(shop, None, "NEW", 5, spread=True)
    assert first.equals(again)
    assert first.equals(loaded)
    assert not list((tmp_path / "model").glob("*.pkl"))


def test_a_network_ranks_beside_the_trees_and_is_saved_with_them(
    hybrid: Hybrid, shop: History, als: Als, tmp_path: Path
) -> None:
    beside = train(shop, als, replace(SMALL, network=True))
    beside.save(tmp_path / "model")
    asked = [each.recommend(shop, None, "ALL", 5) for each in (hybrid, beside, Hybrid.load(tmp_path / "model"))]
    assert not asked[0].equals(asked[1])
    assert asked[1].equals(asked[2])
    # How probable a purchase is, is still said by the trees alone.
    both = asked[0].join(asked[1], on=["customer_id", "product_id"])
    assert both.height
    assert both["chance"].equals(both["chance_right"].alias("chance"))


def test_nothing_after_a_cutoff_changes_its_candidates_and_features(shop: History, als: Als) -> None:
    cutoff = CUTOFF - timedelta(days=60)
    late = pl.col("sold_on") > cutoff
    after = shop.events.filter(late)
    planted = after.with_columns(
        pl.col("quantity") * 100, pl.col("amount") / 7, pl.lit("FR").alias("country_code")
    ).with_columns(pl.col("product_id").shuffle(5))
    other = History(pl.concat([shop.events.filter(~late), planted]), shop.products, CUTOFF)
    keep_all = replace(SMALL, negatives=10**6)
    ours, theirs = (training_set(each, cutoff, als, None, keep_all) for each in (shop, other))
    columns = np.isfinite(ours["ALL"].values).all(axis=0)
    assert columns.sum() > 80
    # Whose window has a purchase decides who is an example, so only customers and products of both are compared.
    rows = {tuple(row) for row in ours["ALL"].values[:, columns].tolist()}
    shared = [tuple(row) in rows for row in theirs["ALL"].values[:, columns].tolist()]
    assert all(shared)


def test_training_cutoffs_end_before_the_cutoff_and_reach_last_season() -> None:
    history = made_history(made_events(customers=3, days=500))
    cutoffs = training_cutoffs(history, Settings())
    assert cutoffs[0] == CUTOFF - timedelta(days=30)
    assert len(cutoffs) == 6 + 2
    assert max(cutoffs) + timedelta(days=30) <= CUTOFF
    assert CUTOFF - timedelta(days=364) in cutoffs


def test_too_little_history_is_one_clear_message(shop: History, als: Als) -> None:
    with pytest.raises(UsageError, match="sales are known for 29 days, learning needs 90; load older sales"):
        train(made_history(made_events(days=30)), als, SMALL)
    with pytest.raises(UsageError, match="no sales are known"):
        train(History(shop.events.clear(), shop.products, CUTOFF), als, SMALL)


def test_one_customer_alone_learns_and_gets_a_list(als: Als) -> None:
    history = made_history(made_events(customers=1))
    found = train(history, als, SMALL).recommend(history, None, "ALL", 3)
    assert found["rank"].to_list() == [1, 2, 3]


def test_a_model_of_another_schema_and_a_broken_store_are_told(hybrid: Hybrid, shop: History, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="another schema"):
        replace(hybrid, factors=None).recommend(shop, None, "ALL", 3)
    with pytest.raises(UsageError, match="holds no model of this version"):
        Hybrid.load(tmp_path)


def test_towers_give_a_product_without_a_sale_its_place(shop: History) -> None:
    from ml.recommend.candidates.pool import generators, pool
    from ml.recommend.candidates.tower import Tower
    from ml.recommend.data.snapshot import Snapshot

    snapshot = Snapshot.of(shop, 180)
    tower = Tower.fit(snapshot, 30, 7)
    assert tower is not None
    scores = tower.scorer(snapshot)(np.arange(80))
    never = snapshot.columns_of(pl.Series(["P99"]))[0]
    lovers = snapshot.rows_of(shop.events.filter(pl.col("product_id").str.starts_with("P0"))["customer_id"].unique())
    loyal = np.isin(np.arange(80), np.arange(0, 80, 6))
    assert len(lovers)
    assert scores[loyal, never].mean() > scores[~loyal, never].mean()
    found = pool(snapshot, generators(snapshot, SMALL, None, tower), np.arange(80))["NEW"]
    assert never in found.product


def test_a_history_refuses_what_is_after_its_cutoff(shop: History) -> None:
    with pytest.raises(UsageError, match="events are after its cut"):
        History(shop.events, shop.products, date(2024, 8, 1))
    with pytest.raises(UsageError, match="events lack amount"):
        History(shop.events.drop("amount"), shop.products, CUTOFF)
