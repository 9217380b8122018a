"""Implicit-feedback matrix factorisation by alternating least squares: Spark MLlib's, and the same in numpy.

Hu, Koren, Volinsky, "Collaborative filtering for implicit feedback datasets" (ICDM 2008), with MLlib's scaling of the
regularisation by the number of interactions (Zhou et al., ALS-WR): for each customer u with weights r over products
    x_u = (Y'Y + alpha Y' diag(r) Y + reg n_u I)^-1 Y' (1 + alpha r)   on the products with r > 0.
MLlib ends with the customers' half step, so `fold_in` of its product factors gives its customer factors back, and gives
customers who came later theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pyspark.sql import SparkSession
from scipy import sparse

from ml.recommend.data.snapshot import Snapshot

Floats = NDArray[np.float32]
DECAY = 90.0
"""Days after which a purchase weighs 1/e."""


@dataclass(frozen=True, eq=False)
class Factors:
    """Factors of customers and products: `customer_factors` len(customers) x rank, `product_factors` likewise."""

    customers: pl.Series
    products: pl.Series
    customer_factors: Floats
    product_factors: Floats
    reg: float
    alpha: float

    def products_of(self, products: pl.Series) -> Floats:
        """The factors of these products, zeros for those that the model has not seen."""
        found = products.replace_strict(self.products, pl.Series(range(len(self.products))), default=-1).to_numpy()
        factors = np.vstack([self.product_factors, np.zeros((1, self.product_factors.shape[1]), np.float32)])
        return np.ascontiguousarray(factors[found])

    def save(self, path: Path) -> None:
        """Write one npz file."""
        np.savez(
            path,
            customers=self.customers.to_numpy().astype(str),
            products=self.products.to_numpy().astype(str),
            customer_factors=self.customer_factors,
            product_factors=self.product_factors,
            reg=self.reg,
            alpha=self.alpha,
        )

    @classmethod
    def load(cls, path: Path) -> Factors:
        """Read what `save` wrote."""
        with np.load(path) as stored:
            customers, products = (
                pl.Series(stored[name].tolist(), dtype=pl.String) for name in ("customers", "products")
            )
            factors = stored["customer_factors"], stored["product_factors"]
            return cls(customers, products, *factors, reg=float(stored["reg"]), alpha=float(stored["alpha"]))


Als = Callable[[pl.DataFrame], Factors]
"""Fits factors to interactions: customer_id, product_id, weight."""


def interactions(snapshot: Snapshot) -> pl.DataFrame:
    """What ALS learns from: customer_id, product_id, weight = orders with it, each decayed with its age.

    The logarithm that is usual for counts was worse here: decayed counts seldom pass 3.
    """
    rows, columns = np.divmod(snapshot.pair_keys, max(snapshot.shape[1], 1))
    return pl.DataFrame(
        {
            "customer_id": snapshot.customers.gather(rows),
            "product_id": snapshot.products.gather(columns),
            "weight": weights(snapshot),
        }
    )


def weights(snapshot: Snapshot) -> Floats:
    """The weight of each pair of the snapshot, as in `interactions`."""
    return snapshot.decayed(DECAY)


def fit_als(
    spark: SparkSession, interactions: pl.DataFrame, rank: int, reg: float, alpha: float, iterations: int, seed: int
) -> Factors:
    """Factors by Spark MLlib's ALS, `implicitPrefs`; products and customers in the order of their names."""
    from pyspark.ml.recommendation import ALS

    customers, products, rows, columns = _coded(interactions)
    frame = pl.DataFrame({"user": rows, "item": columns, "rating": interactions["weight"]}).sort("user", "item")
    als = ALS(rank=rank, regParam=reg, alpha=alpha, maxIter=iterations, seed=seed, implicitPrefs=True)
    als.setNumBlocks(2)
    als.setCheckpointInterval(-1)
    # One partition: MLlib draws its start per partition, so the same data give the same factors on any machine.
    model = als.fit(spark.createDataFrame(frame.to_pandas()).coalesce(1))
    users, items = (side.orderBy("id").toPandas()["features"] for side in (model.userFactors, model.itemFactors))
    stack = [np.array(side.tolist(), np.float32) for side in (users, items)]
    return Factors(customers, products, stack[0], stack[1], reg, alpha)


def fit_als_local(
    interactions: pl.DataFrame, rank: int, reg: float, alpha: float, iterations: int, seed: int
) -> Factors:
    """The same model without Spark, for small shops and for tests."""
    customers, products, rows, columns = _coded(interactions)
    shape = (len(customers), len(products))
    matrix = sparse.csr_matrix((interactions["weight"].to_numpy().astype(np.float32), (rows, columns)), shape=shape)
    mirrored = matrix.T.tocsr()
    start = np.abs(np.random.default_rng(seed).standard_normal((shape[0], rank))).astype(np.float32)
    of_customers = start / np.linalg.norm(start, axis=1, keepdims=True)
    of_products = np.zeros((shape[1], rank), np.float32)
    for _ in range(iterations):
        of_products = fold_in(mirrored, of_customers, reg, alpha)
        of_customers = fold_in(matrix, of_products, reg, alpha)
    return Factors(customers, products, of_customers, of_products, reg, alpha)


def fold_in(matrix: sparse.csr_matrix, factors: Floats, reg: float, alpha: float) -> Floats:
    """The best factors of the matrix's rows, given those of its columns."""
    rank = factors.shape[1]
    gram = factors.T @ factors
    found = np.zeros((matrix.shape[0], rank), np.float32)
    for row in np.flatnonzero(np.diff(matrix.indptr)):
        span = slice(matrix.indptr[row], matrix.indptr[row + 1])
        theirs, weight = factors[matrix.indices[span]], alpha * matrix.data[span]
        left = gram + (theirs * weight[:, None]).T @ theirs
        left[np.diag_indices(rank)] += reg * len(weight)
        found[row] = np.linalg.solve(left, (1 + weight) @ theirs)
    return found


def _coded(interactions: pl.DataFrame) -> tuple[pl.Series, pl.Series, NDArray[np.int32], NDArray[np.int32]]:
    customers, products = interactions["customer_id"].unique().sort(), interactions["product_id"].unique().sort()
    rows = interactions["customer_id"].replace_strict(customers, pl.Series(range(len(customers)), dtype=pl.Int32))
    columns = interactions["product_id"].replace_strict(products, pl.Series(range(len(products)), dtype=pl.Int32))
    return customers, products, rows.to_numpy(), columns.to_numpy()
