"""Spark's ALS and the one in numpy are one model."""

from __future__ import annotations

import numpy as np
from pyspark.sql import SparkSession

from ml.recommend.candidates.als import fit_als, fit_als_local, fold_in, interactions, weights
from ml.recommend.data.history import History
from ml.recommend.data.snapshot import Snapshot


def test_sparks_factors_fold_in_and_fit_as_well_as_numpys(spark: SparkSession, shop: History) -> None:
    snapshot = Snapshot.of(shop, 180)
    given = interactions(snapshot)
    fitted = fit_als(spark, given, rank=6, reg=0.1, alpha=1.0, iterations=2, seed=7)
    local = fit_als_local(given, rank=6, reg=0.1, alpha=1.0, iterations=2, seed=7)
    matrix = snapshot.matrix(weights(snapshot))
    refolded = fold_in(matrix, fitted.products_of(snapshot.products), 0.1, 1.0)
    assert np.allclose(refolded, fitted.customer_factors, atol=2e-3)
    losses = []
    for factors in (fitted, local):
        predicted = factors.customer_factors @ factors.products_of(snapshot.products).T
        liked = np.asarray(matrix.todense())
        losses.append(float(((1 + liked) * ((liked > 0) - predicted) ** 2).mean()))
    assert abs(losses[0] / losses[1] - 1) < 0.25  # two random starts of a loss with many valleys
