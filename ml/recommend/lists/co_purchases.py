"""What goes with what: neighbors of each product, and what to put beside a cart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from lakehouse.errors import UsageError
from ml.recommend.data.history import History
from ml.recommend.data.snapshot import Ints, Snapshot, distinct
from ml.recommend.lists.reasons import UNSOLD

YEAR = 365
SHRINK = 5.0
"""A pair counts as if so many more orders with both were expected and not seen."""


def pair_worth(lift: NDArray[np.float64], both: NDArray[np.float64]) -> NDArray[np.float64]:
    """What speaks for a product beside another in a cart: log lift x root of the orders with both; 0 for less than two.

    Over the products of a cart it adds up.
    """
    return np.where(both >= 2, np.log(lift) * np.sqrt(both), 0.0)


class CoPurchases:
    """How often two products were in one order of the last year."""

    def __init__(self, history: History, active: int = 180) -> None:
        """Count over a history; products not sold within `active` days are neither neighbors nor suggested."""
        self._snapshot = Snapshot.of(history, active)
        recent = self._snapshot.age < YEAR
        width = self._snapshot.shape[1]
        rows, columns = np.divmod(
            distinct(self._snapshot.order[recent] * width + self._snapshot.product[recent]), max(width, 1)
        )
        shape = (len(self._snapshot.order_age), width)
        baskets = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
        self._both = (baskets.T @ baskets).tocsr()
        self._size = self._both.diagonal()
        self._orders = max(len(distinct(rows)), 1)

    def neighbors(self, k: int) -> pl.DataFrame:
        """product_id, neighbor_id, rank, similarity (shrunk cosine of orders, 0..1), evidence (orders with both).

        A product that may not be sold has neighbors, and is none: who looks at it is shown what there is instead.
        """
        pairs = self._both.tocoo()
        apart = pairs.row != pairs.col
        row, column, both = pairs.row[apart], pairs.col[apart], pairs.data[apart]
        similarity = both / (np.sqrt(self._size[row] * self._size[column]) + SHRINK)
        frame = pl.DataFrame(
            {"row": row, "column": column, "similarity": similarity, "evidence": both.astype(np.int64)}
        )
        best = (
            frame.filter(pl.col("evidence") >= 2, pl.Series(self._snapshot.may_be_sold[column]))
            .sort(["row", "similarity", "column"], descending=[False, True, False])
            .with_columns((pl.int_range(pl.len()).over("row") + 1).alias("rank"))
            .filter(pl.col("rank") <= k)
        )
        return best.select(
            self._snapshot.products.gather(best["row"]).alias("product_id"),
            self._snapshot.products.gather(best["column"]).alias("neighbor_id"),
            "rank",
            "similarity",
            "evidence",
        )

    @property
    def bought_with_others(self) -> pl.Series:
        """The products that were at least twice in one order with another, whether or not they may be sold now."""
        pairs = self._both.tocoo()
        often = (pairs.row != pairs.col) & (pairs.data >= 2)
        return self._snapshot.products.gather(distinct(pairs.row[often]))

    def suggest(self, cart: Sequence[str], k: int) -> pl.DataFrame:
        """What to put beside a cart: product_id, rank, lift, evidence, reason.

        Lift is how many times more often than by chance a product was in an order with one of the cart's, shrunk,
        the greatest over the cart; ranked by log lift x root of evidence. Where that leaves places empty, best sellers
        fill them; their lift is 1, and their reason says so. Unknown products say nothing.
        """
        if not self._snapshot.shape[1]:
            raise UsageError("cart: no product was sold, so nothing can be suggested; load sales first")
        columns: Ints = distinct(self._snapshot.columns_of(pl.Series(list(cart), dtype=pl.String)))
        columns = columns[columns >= 0]
        both = np.asarray(self._both[columns].todense(), np.float64)
        expected = self._size[columns][:, None] * self._size[None, :] / self._orders
        lift = (both + SHRINK) / (expected + SHRINK)
        worth = pair_worth(lift, both).sum(axis=0)
        worth[columns] = -np.inf
        worth[~self._snapshot.may_be_sold] = -np.inf
        evidence = both.sum(axis=0)
        popular = self._snapshot.buyers(0, 30)
        order = np.lexsort((-popular, -np.maximum(worth, 0), np.isneginf(worth)))
        order = order[: min(k, int(np.isfinite(worth).sum()))]
        together = worth[order] > 0
        reasons = []
        for column, known in zip(order, together, strict=True):
            other = columns[lift[:, column].argmax()] if known else 0
            filled = "popular these 30 days" if popular[column] else UNSOLD
            reasons.append(f"bought with {self._snapshot.names[other]}" if known else filled)
        best = lift[:, order].max(axis=0) if len(columns) else np.ones(len(order))
        return pl.DataFrame(
            {
                "product_id": self._snapshot.products.gather(order),
                "rank": np.arange(1, len(order) + 1),
                "lift": np.where(together, best, 1.0),
                "evidence": np.where(together, evidence[order], 0).astype(np.int64),
                "reason": pl.Series(reasons, dtype=pl.String),
            }
        )


def product_neighbors(history: History, k: int = 20) -> pl.DataFrame:
    """The k products most often in one order with each product, as `CoPurchases.neighbors` describes."""
    return CoPurchases(history).neighbors(k)


def cart_suggestions(history: History, k: int = 10) -> pl.DataFrame:
    """`CoPurchases.suggest` for each cart of one active product: cart_product_id and its columns."""
    counted = CoPurchases(history)
    products = counted.bought_with_others
    found = [
        counted.suggest([product], k).insert_column(0, pl.lit(product).alias("cart_product_id")) for product in products
    ]
    return pl.concat(found) if found else pl.DataFrame(schema={"cart_product_id": pl.String})
