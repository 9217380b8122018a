"""ALS solves what the paper says, in whatever blocks; Spark MLlib's is the same model."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from pyspark.sql import SparkSession
from scipy import sparse

from ml.recommend.candidates import als
from ml.recommend.candidates.als import Floats, fit_matrix, fold_in, interactions, top, weights
from ml.recommend.data.history import History
from ml.recommend.data.snapshot import Snapshot

REG, ALPHA, RANK = 0.2, 4.0, 8


@pytest.fixture(scope="module")
def pairs() -> sparse.csr_matrix:
    """Rows with none to all of 90 columns, weights from a thousandth of a millionth on."""
    chance = np.random.default_rng(5)
    there = chance.random((200, 90)) < chance.random((200, 1)) ** 2
    there[0], there[1] = False, True
    return sparse.csr_matrix(there * np.exp(chance.uniform(-20, 2, there.shape)), dtype=np.float32)


@pytest.fixture(scope="module")
def of_columns() -> Floats:
    return np.random.default_rng(6).standard_normal((90, RANK)).astype(np.float32)


def test_a_row_solves_the_normal_equations(pairs: sparse.csr_matrix, of_columns: Floats) -> None:
    found = fold_in(pairs, of_columns, REG, ALPHA)
    factors = of_columns.astype(float)
    for row in range(pairs.shape[0]):
        theirs = pairs[row].toarray()[0].astype(float)
        left = factors.T @ ((1 + ALPHA * theirs)[:, None] * factors) + REG * (theirs > 0).sum() * np.eye(RANK)
        right = factors.T @ np.where(theirs > 0, 1 + ALPHA * theirs, 0)
        solution = np.linalg.solve(left, right)
        assert np.allclose(found[row], solution, atol=1e-5), f"row {row} of {np.count_nonzero(theirs)} interactions"


def test_a_weight_of_nothing_is_no_interaction(pairs: sparse.csr_matrix, of_columns: Floats) -> None:
    told = sparse.csr_matrix(
        (np.append(pairs.data, 0), np.append(pairs.indices, 0), np.append(pairs.indptr[:-1], pairs.nnz + 1)),
        shape=pairs.shape,
    )
    assert np.array_equal(fold_in(told, of_columns, REG, ALPHA), fold_in(pairs, of_columns, REG, ALPHA))


def test_a_row_does_not_depend_on_its_block(pairs: sparse.csr_matrix, of_columns: Floats) -> None:
    solve = partial(fold_in, factors=of_columns, reg=REG, alpha=ALPHA)
    whole = solve(pairs)
    for first, last in ((0, 1), (1, 2), (17, 60), (60, 200)):
        assert np.array_equal(solve(pairs[first:last]), whole[first:last])


def test_sparks_tasks_find_the_same_bits(spark: SparkSession, pairs: sparse.csr_matrix) -> None:
    here = fit_matrix(pairs, RANK, REG, ALPHA, 3, 7)
    there = fit_matrix(pairs, RANK, REG, ALPHA, 3, 7, spark)
    for one, other in zip(here, there, strict=True):
        assert np.array_equal(one, other)
    (best, scores), (best_there, scores_there) = top(*here, pairs, 5), top(*here, pairs, 5, spark)
    assert np.array_equal(best, best_there)
    assert np.array_equal(scores, scores_there)


def test_the_best_are_those_of_all_that_was_not_seen(pairs: sparse.csr_matrix) -> None:
    customers, products = fit_matrix(pairs, RANK, REG, ALPHA, 3, 7)
    best, scores = top(customers, products, pairs, 10)
    everything = np.where(pairs.toarray() > 0, -np.inf, customers @ products.T)
    for row, (columns, values) in enumerate(zip(best, scores, strict=True)):
        assert np.allclose(np.sort(everything[row])[::-1][:10], values, atol=1e-6)
        shown = columns[np.isfinite(values)]
        assert np.allclose(everything[row, shown], values[np.isfinite(values)], atol=1e-6)


def test_weights_that_are_not_finite_are_an_error(pairs: sparse.csr_matrix, of_columns: Floats) -> None:
    broken = pairs.copy()
    broken.data[3] = np.nan
    with pytest.raises(FloatingPointError, match="not finite"):
        fold_in(broken, of_columns, REG, ALPHA)


def test_mllibs_factors_are_of_the_same_model(spark: SparkSession, shop: History) -> None:
    from pyspark.ml.recommendation import ALS

    snapshot = Snapshot.of(shop, 180)
    matrix = snapshot.matrix(weights(snapshot))
    entries = matrix.tocoo()
    rows = [
        (int(row), int(column), float(value)) for row, column, value in zip(*entries.coords, entries.data, strict=True)
    ]
    learner = ALS(rank=6, regParam=0.1, alpha=1.0, maxIter=10, seed=7, implicitPrefs=True)
    model = learner.fit(spark.createDataFrame(rows, "user int, item int, rating float").coalesce(1))
    users, items = (side.orderBy("id").toPandas() for side in (model.userFactors, model.itemFactors))
    theirs = np.zeros((matrix.shape[1], 6), np.float32)
    theirs[items["id"]] = np.array(items["features"].tolist())
    refolded = fold_in(matrix, theirs, 0.1, 1.0)
    assert np.allclose(refolded[users["id"]], np.array(users["features"].tolist()), atol=2e-3)
    ours = als.fit_als(interactions(snapshot), rank=6, reg=0.1, alpha=1.0, iterations=10, seed=7)
    liked = matrix.toarray()
    losses = [
        float(((1 + liked) * ((liked > 0) - customers @ products.T) ** 2).mean())
        for customers, products in ((refolded, theirs), (ours.customer_factors, ours.products_of(snapshot.products)))
    ]
    assert abs(losses[1] / losses[0] - 1) < 0.05
