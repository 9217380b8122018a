"""Which products are worth ranking for a customer: the best of every generator, of all products or of the unseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ml.recommend.candidates import als, content, linear, neighbors
from ml.recommend.candidates.neighbors import Scorer
from ml.recommend.candidates.popularity import LAST_YEAR, bought_first, by_country, seasonal
from ml.recommend.candidates.tower import Tower
from ml.recommend.data.snapshot import Floats, Ints, Snapshot
from ml.recommend.settings import Settings

Task = Literal["ALL", "NEW"]
TASKS: tuple[Task, ...] = ("ALL", "NEW")
BLOCK = 256
QUOTAS: Mapping[str, tuple[int, int]] = {
    # generator: how many of its best among all products (for ALL), among those new to the customer (for NEW)
    "own": (200, 0),
    "als": (60, 60),
    "ease": (60, 60),
    "alike": (80, 60),
    "lately": (80, 80),
    "lately_new": (40, 80),
    "ridge": (100, 50),
    "ridge_new": (60, 100),
    "basket": (40, 30),
    "basket_4": (40, 30),
    "cosine": (0, 30),
    "beside": (20, 30),
    "text_mean": (0, 10),
    "text_near": (0, 10),
    "text_near_3": (10, 20),
    "tower": (20, 30),
    "popular_7": (50, 50),
    "popular_30": (50, 50),
    "first_7": (30, 60),
    "seasonal": (40, 60),
    "country": (30, 30),
    "ridge_season_new": (0, 60),
    "alike_first": (0, 60),
    "next_new": (0, 60),
    "ease_120": (0, 50),
}


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs to rank, sorted by customer and product: codes in their snapshot, and each generator's score."""

    customer: Ints
    product: Ints
    names: tuple[str, ...]
    scores: Floats

    def take(self, chosen: Ints) -> Candidates:
        """These candidates alone."""
        return Candidates(self.customer[chosen], self.product[chosen], self.names, self.scores[chosen])


def generators(
    snapshot: Snapshot, settings: Settings, factors: als.Factors | None, tower: Tower | None
) -> dict[str, Scorer]:
    """All that can score any product for any customer of a snapshot, by name."""
    own = snapshot.matrix(snapshot.decayed(120))
    baskets = neighbors.basket_cosine(snapshot)
    window = settings.window
    ridge, ridge_new = linear.ridge_scorers(snapshot, window, [number * window for number in range(4)])
    _, ridge_season_new = linear.ridge_scorers(snapshot, window, [LAST_YEAR - window])
    lately_bought = snapshot.matrix(snapshot.last_age < 120)
    lately, lately_new = neighbors.alike_lately(snapshot)
    vectors = content.text_vectors(snapshot.texts, seed=settings.seed)
    found: dict[str, Scorer] = {
        "own": lambda rows: np.asarray(own[rows].todense(), np.float32),
        "ease": neighbors.similar_products(snapshot.bought, linear.ease_weights(snapshot, snapshot.bought)),
        "alike": neighbors.alike_customers(snapshot),
        "lately": lately,
        "lately_new": lately_new,
        "ridge": ridge,
        "ridge_new": ridge_new,
        "basket": neighbors.similar_products(neighbors.last_orders(snapshot, 1), baskets),
        "basket_4": neighbors.similar_products(neighbors.last_orders(snapshot, 4), baskets),
        "cosine": neighbors.similar_products(snapshot.bought, neighbors.product_cosine(snapshot)),
        "beside": neighbors.next_in_catalogue(snapshot),
        "text_mean": content.profile_scorer(snapshot, vectors),
        "text_near": content.nearest_scorer(snapshot, vectors),
        "text_near_3": content.nearest_scorer(snapshot, vectors, 3),
        "popular_7": _same_for_all(snapshot.buyers(0, 7)),
        "popular_30": _same_for_all(snapshot.buyers(0, 30)),
        "first_7": _same_for_all(bought_first(snapshot, 7)),
        "seasonal": _same_for_all(seasonal(snapshot, window)),
        "country": by_country(snapshot, 30),
        "ridge_season_new": ridge_season_new,
        "alike_first": neighbors.alike_first(snapshot),
        "next_new": neighbors.next_new(snapshot),
        "ease_120": neighbors.similar_products(lately_bought, linear.ease_weights(snapshot, lately_bought)),
    }
    if factors is not None:
        products = factors.products_of(snapshot.products)
        customers = als.fold_in(snapshot.matrix(als.weights(snapshot)), products, factors.reg, factors.alpha)
        found["als"] = lambda rows: customers[rows] @ products.T
    if tower is not None:
        found["tower"] = tower.scorer(snapshot)
    return found


def pool(
    snapshot: Snapshot, scorers: Mapping[str, Scorer], rows: Ints, tasks: Sequence[Task] = TASKS
) -> dict[Task, Candidates]:
    """The candidates of these customers for each task: the union of what the generators' quotas admit.

    What must not be shown (`Snapshot.unwanted`) takes no place of a quota.
    """
    blocks: dict[Task, list[Candidates]] = {task: [] for task in tasks}
    for start in range(0, len(rows), BLOCK):
        block = np.sort(rows[start : start + BLOCK])
        scores = {name: scorer(block) for name, scorer in scorers.items()}
        seen, unwanted = sparse.csr_matrix(snapshot.bought[block]), snapshot.unwanted(block)
        for task in tasks:
            left_out = unwanted.copy()
            if task == "NEW":
                left_out[seen.nonzero()] = True
            blocks[task].append(_admitted(block, scores, left_out, task))
    return {task: _joined(parts, tuple(scorers)) for task, parts in blocks.items()}


def _admitted(block: Ints, scores: Mapping[str, Floats], left_out: NDArray[np.bool_], task: Task) -> Candidates:
    admitted = np.zeros(left_out.shape, bool)
    for name, values in scores.items():
        quota = min(QUOTAS[name][task == "NEW"], values.shape[1])
        if not quota:
            continue
        worth = np.where(left_out, np.float32(-np.inf), values)
        speaks = np.flatnonzero(((worth != 0) & (worth > -np.inf)).any(axis=1))  # the others would propose at random
        best = np.argpartition(-worth[speaks], quota - 1, axis=1)[:, :quota]
        admitted[speaks[:, None], best] = True
    admitted[left_out] = False
    chosen = admitted.nonzero()
    gathered = side_by_side([values[chosen] for values in scores.values()], len(chosen[0]))
    return Candidates(block[chosen[0]], chosen[1], tuple(scores), gathered)


def side_by_side(columns: Sequence[Floats], length: int) -> Floats:
    """A matrix of these columns, which lie in memory one after the other: they are made, and asked, by columns."""
    found = np.empty((len(columns), length), np.float32)
    for place, column in enumerate(columns):
        found[place] = column
    return found.T


def _joined(parts: list[Candidates], names: tuple[str, ...]) -> Candidates:
    if not parts:
        nothing = np.zeros(0, np.int64)
        return Candidates(nothing, nothing, names, np.zeros((0, len(names)), np.float32))
    customer, product = (np.concatenate([getattr(part, name) for part in parts]) for name in ("customer", "product"))
    return Candidates(customer, product, names, np.vstack([part.scores for part in parts]))


def _same_for_all(values: Floats) -> Scorer:
    return lambda rows: np.broadcast_to(values, (len(rows), len(values)))
