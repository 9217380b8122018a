"""Who and what is alike: cosines between products, baskets and customers, and what the alike have bought.

A scorer gives a dense block of scores, customers x products, for rows of its snapshot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ml.recommend.data.snapshot import Floats, Ints, Snapshot, distinct

Scorer = Callable[[Ints], Floats]
Found = TypeVar("Found")
YEAR = 365
MOST_PRODUCTS = 8000
"""Products of which each is compared with each; those with the fewest buyers would tell little, and cost much."""


@dataclass(frozen=True, eq=False)
class Similarity:
    """How much one product tells of another: `values` among the products `among` (codes), nothing among others.

    `products` is how many there are in all.
    """

    among: Ints
    values: Floats
    products: int

    @cached_property
    def _place(self) -> Ints:
        """For each product its place in `among`, -1 for the others."""
        place = np.full(self.products, -1)
        place[self.among] = np.arange(len(self.among))
        return place

    def between(self, product: int, others: Ints) -> Floats:
        """The similarity of a product to others."""
        mine, theirs = self._place[product], self._place[others]
        return np.where((mine >= 0) & (theirs >= 0), self.values[mine, theirs], np.float32(0))


def last_kept(find: Callable[[Ints], Found]) -> Callable[[Ints], Found]:
    """What is found of a block of customers, and kept until another is asked for: two scorers ask for the same."""
    kept: dict[bytes, Found] = {}

    def found(rows: Ints) -> Found:
        key = rows.tobytes()
        if key not in kept:
            kept.clear()
            kept[key] = find(rows)
        return kept[key]

    return found


def most_bought(snapshot: Snapshot) -> Ints:
    """The codes of the `MOST_PRODUCTS` products with the most buyers, in order; all, if there are no more."""
    return np.sort(np.argsort(-snapshot.buyers_ever, kind="stable")[:MOST_PRODUCTS])


def normalised(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Rows scaled to length 1; empty rows stay empty."""
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sparse.diags((1 / np.maximum(lengths, 1e-9)).astype(np.float32)) @ matrix


def inverse_frequency(snapshot: Snapshot) -> sparse.csr_matrix:
    """Diagonal matrix of log(customers / buyers) per product: rare purchases say more."""
    rarity = np.log((snapshot.shape[0] + 1) / (snapshot.buyers_ever + 1))
    return sparse.diags(rarity.astype(np.float32) + np.float32(0.1))


def strongest(similarity: NDArray[np.float32], keep: int) -> sparse.csr_matrix:
    """Each row's `keep` greatest positive entries as a sparse matrix."""
    keep = min(keep, similarity.shape[1])
    if not keep:
        return sparse.csr_matrix(similarity.shape, dtype=np.float32)
    columns = np.argpartition(-similarity, keep - 1, axis=1)[:, :keep]
    values = np.take_along_axis(similarity, columns, axis=1)
    rows = np.repeat(np.arange(len(similarity)), keep)
    positive = values.ravel() > 0
    entries = (values.ravel()[positive], (rows[positive], columns.ravel()[positive]))
    return sparse.csr_matrix(entries, shape=similarity.shape)


def basket_cosine(snapshot: Snapshot, shrink: float = 10.0) -> Similarity:
    """Products x products: orders of the last year with both, over (shrink + the mean of the orders with each)."""
    recent = snapshot.age < YEAR
    pairs = distinct(snapshot.order[recent] * snapshot.shape[1] + snapshot.product[recent])
    rows, columns = np.divmod(pairs, snapshot.shape[1])
    baskets = sparse.csr_matrix(
        (np.ones(len(pairs), np.float32), (rows, columns)), shape=(len(snapshot.order_age), snapshot.shape[1])
    )
    return _cosine(baskets, most_bought(snapshot), shrink)


def product_cosine(snapshot: Snapshot, shrink: float = 10.0) -> Similarity:
    """Products x products: customers who bought both, over (shrink + the mean of the customers who bought each)."""
    return _cosine(snapshot.bought, most_bought(snapshot), shrink)


def _cosine(matrix: sparse.csr_matrix, among: Ints, shrink: float) -> Similarity:
    chosen = matrix[:, among]
    both = (chosen.T @ chosen).toarray(order="C").astype(np.float32, copy=False)
    size = np.sqrt(np.diag(both))
    both /= size[:, None] * size[None, :] + np.float32(shrink)
    np.fill_diagonal(both, 0)
    return Similarity(among, both, matrix.shape[1])


def last_orders(snapshot: Snapshot, count: int) -> sparse.csr_matrix:
    """Customers x products, 1 where one of the customer's last `count` orders has the product; rows sum to 1."""
    keys = distinct(snapshot.line_pair[snapshot.orders_back < count])
    inside = np.zeros(len(snapshot.pair_keys), np.float32)
    inside[keys] = 1
    matrix = snapshot.matrix(inside)
    matrix.eliminate_zeros()
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    return sparse.diags((1 / np.maximum(sums, 1)).astype(np.float32)) @ matrix


def similar_products(profile: sparse.csr_matrix, similarity: Similarity) -> Scorer:
    """Scores by the mean similarity to the products of a profile."""
    told = profile[:, similarity.among]

    def score(rows: Ints) -> Floats:
        among = np.asarray(told[rows] @ similarity.values, np.float32)
        if among.shape[1] == similarity.products:
            return among
        scores = np.zeros((len(rows), similarity.products), np.float32)
        scores[:, similarity.among] = among
        return scores

    return score


def alike_customers(snapshot: Snapshot, neighbors: int = 200, decay: float = 120.0) -> Scorer:
    """What customers with the same products bought: |A and B| / (|A|^.25 |B|^.75), over their decayed purchases.

    The asymmetric cosine of Aiolli (RecSys 2013); each neighbor's purchases sum to 1.
    """
    bought = snapshot.bought
    size = np.maximum(np.asarray(bought.sum(axis=1)).ravel(), 1)
    recent = snapshot.matrix(snapshot.decayed(decay))
    taken = sparse.diags((1 / np.maximum(np.asarray(recent.sum(axis=1)).ravel(), 1e-3)).astype(np.float32)) @ recent

    def score(rows: Ints) -> Floats:
        similarity = np.asarray((bought[rows] @ bought.T).todense(), np.float32)
        similarity /= (size[rows, None] ** 0.25) * (size[None, :] ** 0.75)
        similarity[np.arange(len(rows)), rows] = 0
        return np.asarray((strongest(similarity, neighbors) @ taken).todense(), np.float32)

    return score


def _recent_profile(snapshot: Snapshot) -> sparse.csr_matrix:
    """Customers by their purchases, weighted by rarity and age, of length 1."""
    return normalised(snapshot.matrix(np.log1p(snapshot.decayed(240))) @ inverse_frequency(snapshot))


def alike_lately(snapshot: Snapshot, neighbors: int = 400) -> tuple[Scorer, Scorer]:
    """What customers with the same purchases, by rarity and age, bought lately; and what of it was new to them."""
    profile = _recent_profile(snapshot)
    lately = snapshot.matrix(snapshot.decayed(15))
    fresh = snapshot.matrix(np.exp(-snapshot.first_age / 30))

    @last_kept
    def alike(rows: Ints) -> sparse.csr_matrix:
        similarity = np.asarray((profile[rows] @ profile.T).todense(), np.float32)
        similarity[np.arange(len(rows)), rows] = 0
        return strongest(similarity, neighbors)

    def scorer(taken: sparse.csr_matrix) -> Scorer:
        return lambda rows: np.asarray((alike(rows) @ taken).todense(), np.float32)

    return scorer(lately), scorer(fresh)


def alike_first(snapshot: Snapshot, neighbors: int = 150, days: int = 10) -> Scorer:
    """What the most alike of those who ordered in the last `days` days bought then for the first time."""
    active = distinct(snapshot.order_customer[snapshot.order_age < days])
    profile = _recent_profile(snapshot)
    fresh = snapshot.matrix(snapshot.first_age < days)[active]

    def score(rows: Ints) -> Floats:
        similarity = np.asarray((profile[rows] @ profile[active].T).todense(), np.float32)
        similarity[rows[:, None] == active[None, :]] = 0
        return np.asarray((strongest(similarity, neighbors) @ fresh).todense(), np.float32)

    return score


def next_new(snapshot: Snapshot, orders: int = 3, shrink: float = 10.0) -> Scorer:
    """What customers bought for the first time in the order after one with a product of the last `orders` orders."""
    among = most_bought(snapshot)
    by_customer = np.lexsort((np.arange(len(snapshot.order_customer)), snapshot.order_customer))
    follows = np.diff(snapshot.order_customer[by_customer]) == 0
    before, after = by_customer[:-1][follows], by_customer[1:][follows]
    shape = (len(snapshot.order_age), snapshot.shape[1])
    lines = (snapshot.order, snapshot.product)
    ordered = sparse.csr_matrix((np.ones(len(snapshot.order), np.float32), lines), shape=shape)[before][:, among]
    is_first = (snapshot.age == snapshot.first_age[snapshot.line_pair]).astype(np.float32)
    fresh = sparse.csr_matrix((is_first, lines), shape=shape)[after][:, among]
    told = (ordered.T @ fresh).toarray(order="C").astype(np.float32, copy=False)
    told /= np.asarray(ordered.sum(axis=0)).ravel()[:, None] + np.float32(shrink)
    return similar_products(last_orders(snapshot, orders), Similarity(among, told, snapshot.shape[1]))


def next_in_catalogue(snapshot: Snapshot, reach: int = 3, decay: float = 120.0) -> Scorer:
    """Purchases of the products whose ids stand beside a product's: shops number families of products in a row."""
    width = snapshot.shape[1]
    nearness = {step: 1 / abs(step) if step else 0.0 for step in range(-reach, reach + 1) if abs(step) < width}
    beside = sparse.diags(
        [np.full(width - abs(step), near, np.float32) for step, near in nearness.items()],
        list(nearness),
        (width, width),
    )
    taken = snapshot.matrix(snapshot.decayed(decay)) @ beside.tocsr()
    return lambda rows: np.asarray(taken[rows].todense(), np.float32)
