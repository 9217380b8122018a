"""The network on made-up lists in which it is known what was bought, and why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ml.recommend.data.snapshot import Floats, Ints
from ml.recommend.ranking.network import Network

LISTS, LENGTH = 300, 12
PRODUCTS = [f"P{number}" for number in range(40)]
LOVED = "P7"


def lists(seed: int) -> tuple[Floats, pl.Series, Ints, Ints]:
    """In each list the candidate with the greatest first feature was bought, and the loved product wherever it is.

    The second feature is unknown in a half of the rows, the third is the same in all.
    """
    rng = np.random.default_rng(seed)
    count = LISTS * LENGTH
    values = np.column_stack([rng.lognormal(2, 1, count), rng.normal(size=count), np.ones(count)])
    values[rng.random(count) < 0.5, 1] = np.nan
    products = np.concatenate([rng.choice(PRODUCTS, LENGTH, replace=False) for _ in range(LISTS)])
    bought = products == LOVED
    bought[values[:, 0].reshape(LISTS, LENGTH).argmax(axis=1) + LENGTH * np.arange(LISTS)] = True
    return values.astype(np.float32), pl.Series(products), bought.astype(np.int64), np.full(LISTS, LENGTH)


@pytest.fixture(scope="module")
def network() -> Network:
    return Network.fit(*lists(1), seed=7)


def test_it_puts_what_is_bought_first_and_remembers_products(network: Network) -> None:
    values, products, _, _ = lists(2)
    scores = network.score(values, products).reshape(LISTS, LENGTH)
    greatest = values[:, 0].reshape(LISTS, LENGTH).argmax(axis=1)
    without = ~(products == LOVED).to_numpy().reshape(LISTS, LENGTH).any(axis=1)
    assert (scores.argmax(axis=1) == greatest)[without].mean() > 0.8
    usual = np.full((2, 3), 1.0, np.float32)
    loved, other = network.score(usual, pl.Series([LOVED, "P3"]))
    assert loved > other + 0.5


def test_a_product_that_it_has_not_seen_is_as_others(network: Network) -> None:
    usual = np.full((3, 3), 1.0, np.float32)
    loved, unseen, another = network.score(usual, pl.Series([LOVED, "unheard of", "nor this"]))
    assert unseen == another
    assert unseen < loved


def test_what_is_unknown_is_as_usual_and_nothing_is_infinite(network: Network) -> None:
    rows = np.array([[np.nan] * 3, [np.inf, -np.inf, np.nan], [1e30, -1e30, 0]], np.float32)
    assert np.isfinite(network.score(rows, pl.Series(["P1"] * 3))).all()


def test_the_same_again_is_the_same_and_a_saved_one_too(network: Network, tmp_path: Path) -> None:
    values, products, _, _ = lists(3)
    again = Network.fit(*lists(1), seed=7)
    network.save(tmp_path / "network.npz")
    loaded = Network.load(tmp_path / "network.npz")
    scores = network.score(values, products)
    assert np.array_equal(scores, again.score(values, products))
    assert np.array_equal(scores, loaded.score(values, products))
