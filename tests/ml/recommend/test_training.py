"""A training evaluates on days that it has not learnt from, and its champion on the same terms."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from lakehouse.errors import UsageError
from ml.core.evidence import decide
from ml.core.experiment import Trained
from ml.recommend.candidates.als import Als
from ml.recommend.candidates.pool import TASKS
from ml.recommend.data.history import History
from ml.recommend.hybrid import fit_rankers
from ml.recommend.model import RecommendModel
from ml.recommend.ranking.training_set import TrainingSet
from ml.recommend.training import train_on
from tests.ml.recommend.conftest import CUTOFF, SMALL, made_events, made_history


@pytest.fixture(scope="module")
def first(shop: History, als: Als) -> Trained:
    return train_on(shop, SMALL, als, None, TASKS)


def test_it_tells_how_it_did_on_the_days_held_out(first: Trained) -> None:
    assert first.evidence.window == f"{CUTOFF - timedelta(days=29)} to {CUTOFF}"
    assert first.evidence.against_baseline.value < 1.5
    assert {"ndcg_ALL", "ndcg_NEW", "coverage_ALL", "ndcg_over_best_simple_rule_ALL"} <= set(first.metrics)
    assert {trial.params["method"] for trial in first.trials} >= {"hybrid", "buy it again", "EASE", "ALS"}
    assert len(first.figures) == 3


def test_it_goes_on_with_factors_of_today_and_rankers_that_were_evaluated(first: Trained, shop: History) -> None:
    assert isinstance(first.model, RecommendModel)
    assert first.model.factors is not None
    assert set(first.model.factors.customers) == set(shop.events["customer_id"])
    assert first.model.recommend(shop, ["C001"], "ALL", {}, {}).height == 10


def test_a_champion_that_knows_the_days_held_out_by_its_factors_is_no_better_for_it(
    first: Trained, shop: History, als: Als
) -> None:
    again = train_on(shop, SMALL, als, first.model, TASKS)
    found = again.evidence.against_champion
    assert found is not None
    assert (found.low, found.value, found.high) == (1, 1, 1)
    assert decide(again.evidence).promoted == decide(first.evidence).promoted


def test_too_few_customers_who_came_back_are_one_clear_message(als: Als) -> None:
    few = made_history(made_events(customers=12))
    with pytest.raises(UsageError, match=r"at least 30 customers who bought again after .*; there are 12"):
        train_on(few, SMALL, als, None, TASKS)


def test_a_shop_where_nobody_buys_anything_new_is_evaluated_by_all_products(als: Als) -> None:
    loyal = _only(made_events(), pl.concat_str(pl.lit("P0"), pl.col("customer_id").str.slice(3)))
    found = train_on(loyal, SMALL, als, None, TASKS)
    assert found.metrics["ndcg_ALL"] == 1
    assert found.evidence.against_baseline.value == 1  # buying it again leaves nothing to do better
    assert not decide(found.evidence).promoted
    assert found.evidence.criteria == {}


def test_one_product_needs_no_order_and_that_is_one_clear_message(als: Als) -> None:
    with pytest.raises(UsageError, match="order at least 2 products; 1 was sold until"):
        train_on(_only(made_events(), pl.lit("P00")), SMALL, als, None, TASKS)


def test_candidates_that_were_all_bought_teach_no_order() -> None:
    bought = TrainingSet(
        ("own",), np.zeros((2, 1), np.float32), pl.Series(["P1", "P2"]), np.ones(2, np.int8), np.array([2])
    )
    with pytest.raises(UsageError, match="no order to learn; load more sales"):
        fit_rankers(dict.fromkeys(TASKS, bought), SMALL)


def _only(events: pl.DataFrame, product: pl.Expr) -> History:
    """A shop whose orders have one product each."""
    return made_history(events.with_columns(product.alias("product_id")).unique(["customer_id", "order_id"]))
