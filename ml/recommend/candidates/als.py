"""Implicit-feedback matrix factorisation by alternating least squares, in blocks of rows that Spark's tasks solve.

Hu, Koren, Volinsky, "Collaborative filtering for implicit feedback datasets" (ICDM 2008), with the regularisation
scaled by the number of interactions (Zhou et al., ALS-WR), as in Spark MLlib: for each customer u with weights r
    x_u = (Y'Y + alpha Y' diag(r) Y + reg n_u I)^-1 Y' (1 + alpha r)   on the n_u products with r > 0.
With Y'Y = Q L Q', D = L + reg n_u and Z = diag(alpha r)^1/2 Y Q D^-1/2 this is ridge regression,
    x_u = Q D^-1/2 (I + Z'Z)^-1 Z' c = Q D^-1/2 Z' (I + ZZ')^-1 c,   c = (1 + alpha r) / (alpha r)^1/2,
and the smaller of both systems is solved, by Cholesky. A row's factors depend on nothing but its own interactions, to
the last bit, so they are the same in whatever blocks they are solved, with Spark or without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pyspark.sql import SparkSession
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits

from ml.recommend.data.snapshot import Ints, Snapshot

Floats = NDArray[np.float32]
DECAY = 90.0
"""Days after which a purchase weighs 1/e."""
MANY_PAIRS = 200_000
"""Interactions from which Spark's tasks cost less than they save."""
_AT_ONCE = 1 << 18
"""Numbers of a batch of rows, which fit into a core's cache."""
_SCORES = 1 << 22
"""Scores of a batch of customers."""
_ROW_COSTS = 20
"""What a row costs beside its interactions, in interactions."""
_TASKS_PER_CORE = 3


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
Part = TypeVar("Part")
Fixed = TypeVar("Fixed")
Found = TypeVar("Found")


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
    interactions: pl.DataFrame,
    rank: int,
    reg: float,
    alpha: float,
    iterations: int,
    seed: int,
    spark: SparkSession | None = None,
) -> Factors:
    """Factors of products and customers, in the order of their names; `reg` and `alpha` are above 0.

    From `MANY_PAIRS` interactions on, Spark's tasks solve the rows, where there is Spark.
    """
    customers, products, matrix = _matrix(interactions)
    fit = partial(fit_matrix, matrix, rank, reg, alpha, iterations, seed)
    of_customers, of_products = fit(spark if matrix.nnz >= MANY_PAIRS else None)
    return Factors(customers, products, of_customers, of_products, reg, alpha)


def fit_matrix(
    matrix: sparse.csr_matrix,
    rank: int,
    reg: float,
    alpha: float,
    iterations: int,
    seed: int,
    spark: SparkSession | None = None,
) -> tuple[Floats, Floats]:
    """The factors of a matrix's rows and of its columns; with Spark its tasks solve them, to the same bits."""
    start = np.abs(np.random.default_rng(seed).standard_normal((matrix.shape[0], rank))).astype(np.float32)
    of_rows = start / np.linalg.norm(start, axis=1, keepdims=True)
    solve_columns = _solver(matrix.T.tocsr(), reg, alpha, spark)
    solve_rows = _solver(matrix, reg, alpha, spark)
    of_columns = np.zeros((matrix.shape[1], rank), np.float32)
    for _ in range(iterations):
        of_columns = solve_columns(of_rows)
        of_rows = solve_rows(of_columns)
    return of_rows, of_columns


def fold_in(matrix: sparse.csr_matrix, factors: Floats, reg: float, alpha: float) -> Floats:
    """The best factors of the matrix's rows, given those of its columns; zeros for a row without interactions."""
    return _solver(matrix, reg, alpha, None)(factors)


def top(
    customers: Floats, products: Floats, seen: sparse.csr_matrix, k: int, spark: SparkSession | None = None
) -> tuple[Ints, Floats]:
    """Each customer's k best products that are not `seen` (customers x products), best first, and their scores.

    Customers x k; a score of -inf says that there were no more. With Spark its tasks take blocks of customers.
    """
    size = max(1, _SCORES // max(len(products), 1))
    blocks = [slice(first, first + size) for first in range(0, len(customers), size)]
    parts = [(customers[block], sparse.csr_matrix(seen[block])) for block in blocks]
    found = _spread(partial(_top, k=min(k, len(products))), parts, spark)(products)
    return np.concatenate([best for best, _ in found]), np.concatenate([scores for _, scores in found])


def _top(part: tuple[Floats, sparse.csr_matrix], products: Floats, k: int) -> tuple[Ints, Floats]:
    customers, seen = part
    with threadpool_limits(1):
        worse = -customers @ products.T
    worse[seen.nonzero()] = np.inf
    best = np.sort(np.argpartition(worse, k - 1, axis=1)[:, :k], axis=1)
    theirs = np.take_along_axis(worse, best, axis=1)
    order = np.argsort(theirs, axis=1, kind="stable")
    return np.take_along_axis(best, order, axis=1), -np.take_along_axis(theirs, order, axis=1)


def _solver(
    matrix: sparse.csr_matrix, reg: float, alpha: float, spark: SparkSession | None
) -> Callable[[Floats], Floats]:
    """A function from the factors of the matrix's columns to the best ones of its rows."""
    matrix = sparse.csr_matrix(matrix, dtype=np.float32, copy=True)
    matrix.eliminate_zeros()
    blocks = [matrix[block] for block in _cut(np.diff(matrix.indptr) + _ROW_COSTS, spark)]
    solve = _spread(partial(_solved, reg=reg, alpha=alpha), blocks, spark)

    def solver(factors: Floats) -> Floats:
        with threadpool_limits(1):  # two threads add up in another order than one
            values, basis = np.linalg.eigh(factors.T.astype(float) @ factors)
            turned = np.asarray(factors @ basis, np.float32)
            found = np.concatenate(solve((turned, np.maximum(values, 0))))
            return np.asarray(found @ basis.T, np.float32)

    return solver


def _solved(block: sparse.csr_matrix, fixed: tuple[Floats, NDArray[np.float64]], reg: float, alpha: float) -> Floats:
    """The factors of a block's rows in the basis Q; `fixed` are those of the columns in it, and L."""
    turned, values = fixed
    rank = turned.shape[1]
    lengths = np.diff(block.indptr)
    found = np.zeros((block.shape[0], rank), np.float32)
    with threadpool_limits(1):
        for width, rows in _alike(lengths):
            size = max(1, _AT_ONCE // (width * rank))
            for start in range(0, len(rows), size):
                batch = rows[start : start + size]
                place = np.arange(width)
                there = place < lengths[batch, None]
                entry = np.where(there, block.indptr[batch, None] + place, 0)
                weight = np.where(there, np.float32(alpha) * block.data[entry], np.float32(0))
                scale = (1 / np.sqrt(values + reg * lengths[batch, None])).astype(np.float32)
                found[batch] = scale * _ridge(np.take(turned, block.indices[entry], axis=0), weight, scale)
    return found


def _ridge(theirs: Floats, weight: Floats, scale: Floats) -> Floats:
    """(I + Z'Z)^-1 Z' c of each row: rows x entries x rank, rows x entries (0 where there is none), rows x rank."""
    root = np.sqrt(weight)
    target = np.divide(1 + weight, root, out=np.zeros_like(root), where=root > 0)
    theirs *= root[:, :, None]
    theirs *= scale[:, None, :]
    mirrored = theirs.transpose(0, 2, 1)
    if theirs.shape[1] <= theirs.shape[2]:
        return np.asarray((mirrored @ _cholesky(theirs @ mirrored, target)[:, :, None])[:, :, 0])
    return _cholesky(mirrored @ theirs, (mirrored @ target[:, :, None])[:, :, 0])


def _cholesky(left: Floats, right: Floats) -> Floats:
    """Solve (I + left) x = right for each of many; both are overwritten."""
    left.reshape(len(left), -1)[:, :: left.shape[1] + 1] += 1
    for one, goal in zip(left.transpose(0, 2, 1), right, strict=True):  # numpy's own solve of many is half as fast
        linalg.lapack.sposv(one, goal, lower=1, overwrite_a=1, overwrite_b=1)
    if not np.isfinite(right).all():
        raise FloatingPointError("ALS: the interactions' weights, reg or alpha are not finite and above 0")
    return right


def _alike(lengths: NDArray[np.int32]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Rows of about the same length, padded to the same width: by 3 entries at most, or by an eighth of a long one."""
    rows = np.flatnonzero(lengths)
    step = np.maximum(4, 1 << np.maximum(np.log2(lengths[rows]).astype(int) - 3, 0))
    widths = -(-lengths[rows] // step) * step
    for width in np.unique(widths):
        yield int(width), rows[widths == width]


def _cut(costs: NDArray[Any], spark: SparkSession | None) -> list[slice]:
    """Rows in consecutive blocks of about equal cost, some for each core of Spark's; all in one without Spark."""
    tasks = _tasks(spark) if spark else 1
    passed = np.cumsum(costs)
    ends = np.searchsorted(passed, passed[-1] * np.arange(1, tasks) / tasks) if len(passed) else []
    edges = np.unique([0, *ends, len(costs)])
    return [slice(first, last) for first, last in pairwise(edges)]


def _tasks(spark: SparkSession) -> int:
    return spark.sparkContext.defaultParallelism * _TASKS_PER_CORE


def _spread(
    solve: Callable[[Part, Fixed], Found], parts: Sequence[Part], spark: SparkSession | None
) -> Callable[[Fixed], list[Found]]:
    """A function that solves all parts given what is fixed, which Spark sends to each of its workers once."""
    if spark is None:
        return lambda fixed: [solve(part, fixed) for part in parts]
    context = spark.sparkContext
    held = context.parallelize(parts, min(len(parts), _tasks(spark)))

    def spread(fixed: Fixed) -> list[Found]:
        sent = context.broadcast(fixed)
        try:
            return held.map(lambda part: solve(part, sent.value)).collect()
        finally:
            sent.destroy()

    return spread


def _matrix(interactions: pl.DataFrame) -> tuple[pl.Series, pl.Series, sparse.csr_matrix]:
    customers, products = interactions["customer_id"].unique().sort(), interactions["product_id"].unique().sort()
    rows = interactions["customer_id"].replace_strict(customers, pl.Series(range(len(customers)), dtype=pl.Int32))
    columns = interactions["product_id"].replace_strict(products, pl.Series(range(len(products)), dtype=pl.Int32))
    weight = interactions["weight"].to_numpy().astype(np.float32)
    pairs = (rows.to_numpy(), columns.to_numpy())
    return customers, products, sparse.csr_matrix((weight, pairs), shape=(len(customers), len(products)))
