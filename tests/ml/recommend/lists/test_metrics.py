"""Metrics against values worked out by hand."""

from __future__ import annotations

import math

import polars as pl
import pytest

from ml.recommend.data.history import History
from ml.recommend.data.snapshot import Snapshot
from ml.recommend.evaluation import precision_recall
from ml.recommend.lists.metrics import coverage, novelty, per_customer, pooled_recall


def _ranked(lists: dict[str, list[str]]) -> pl.DataFrame:
    rows = [(who, what, place) for who, whats in lists.items() for place, what in enumerate(whats, 1)]
    return pl.DataFrame(rows, schema=["customer_id", "product_id", "rank"], orient="row")


TRUTH = pl.DataFrame(
    {"customer_id": ["a", "a", "a", "b", "c"], "product_id": ["1", "2", "3", "1", "9"]},
)


def test_precision_recall_ndcg_and_hits_by_hand() -> None:
    found = per_customer(_ranked({"a": ["2", "x", "3", "1"], "b": ["x", "1"]}), TRUTH, k=3)
    assert found["customer_id"].to_list() == ["a", "b", "c"]
    assert found["precision"].to_list() == pytest.approx([2 / 3, 1 / 3, 0])
    assert found["recall"].to_list() == pytest.approx([2 / 3, 1, 0])
    ideal = 1 + 1 / math.log2(3) + 0.5
    assert found["ndcg"].to_list() == pytest.approx([(1 + 0.5) / ideal, 1 / math.log2(3), 0])
    assert found["hit"].to_list() == [1, 1, 0]


def test_coverage_novelty_and_recall_of_a_pool() -> None:
    ranked = _ranked({"a": ["1", "2"], "b": ["1", "3"]})
    assert coverage(ranked, 6) == 0.5
    assert novelty(ranked, {"1": 4, "2": 2, "3": 1}, 4) == pytest.approx((0 + 1 + 0 + 2) / 4)
    assert pooled_recall(ranked, TRUTH) == pytest.approx(3 / 5)


def test_precision_and_recall_by_places_and_history_by_hand(shop: History) -> None:
    snapshot = Snapshot.of(shop, 100)
    who = snapshot.customers[:1]
    ranked = _ranked({who[0]: ["1", "x", "2"]})
    truth = pl.DataFrame({"customer_id": [who[0]] * 4, "product_id": ["1", "2", "3", "4"]})
    found = precision_recall(ranked, truth, snapshot, 3)
    own = "<20" if snapshot.distinct[0] < 20 else "20-60"
    for name in ("all", own):
        rows = found.filter(history=name)
        assert rows["precision"].to_list() == pytest.approx([1, 1 / 2, 2 / 3])
        assert rows["recall"].to_list() == pytest.approx([1 / 4, 1 / 4, 2 / 4])
    assert found["history"].unique().sort().to_list() == sorted({"all", own})
