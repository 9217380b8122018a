"""Linear models from a history to purchases, in closed form: EASE, and kernel ridge on what came next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from ml.recommend.candidates.neighbors import Scorer, Similarity, inverse_frequency, last_kept, most_bought, normalised
from ml.recommend.data.snapshot import Floats, Ints, Snapshot, distinct


def ease_weights(snapshot: Snapshot, bought: sparse.csr_matrix, ridge: float = 500.0) -> Similarity:
    """The weights of EASE (Steck, "Embarrassingly shallow autoencoders", WWW 2019), diagonal 0.

    `bought` (customers x products of the snapshot) is what it learns from.
    """
    among = most_bought(snapshot)
    bought = bought[:, among]
    gram = np.asarray((bought.T @ bought).todense(), np.float32)
    gram[np.diag_indices(len(gram))] += ridge
    factor, lower = linalg.cho_factor(gram, overwrite_a=True, check_finite=False)
    inverse, _ = linalg.lapack.spotri(factor, lower=lower)
    inverse = np.triu(inverse) + np.triu(inverse, 1).T
    found = inverse / -np.diag(inverse)[None, :]
    np.fill_diagonal(found, 0)
    return Similarity(among, np.ascontiguousarray(found, np.float32), snapshot.shape[1])


def ridge_scorers(snapshot: Snapshot, window: int, ends: Sequence[int], ridge: float = 8.0) -> tuple[Scorer, Scorer]:
    """What customers with such a history bought in the window that followed it, and what of it was new to them.

    Rows are the customers active in each of the windows of `window` days that ended `ends` days ago, with the history
    before it (cosine of its rarity-weighted products); targets are their purchases in it. Kernel ridge regression on
    those, applied to the history of today; nothing where nobody was active.
    """
    rarity = inverse_frequency(snapshot)
    inputs, everything, unseen = [], [], []
    for end in ends:
        start = end + window
        known = _pairs(snapshot, snapshot.age >= start)
        then = _pairs(snapshot, (snapshot.age >= end) & (snapshot.age < start))
        rows = np.flatnonzero((np.diff(known.indptr) > 0) & (np.diff(then.indptr) > 0))
        inputs.append(normalised(known[rows] @ rarity))
        everything.append(then[rows])
        fresh = then[rows] - then[rows].multiply(known[rows])
        fresh.eliminate_zeros()
        unseen.append(fresh)
    rows = sparse.vstack(inputs).tocsr()
    targets = [sparse.vstack(blocks).tocsr() for blocks in (everything, unseen)]
    kernel = np.asarray((rows @ rows.T).todense(), np.float32)
    kernel[np.diag_indices(len(kernel))] += ridge
    solved = linalg.cho_factor(kernel, overwrite_a=True, check_finite=False) if len(kernel) else None
    today = normalised(snapshot.bought @ rarity)

    @last_kept
    def dual(block: Ints) -> Floats:
        if solved is None:
            return np.zeros((0, len(block)), np.float32)
        near = (rows @ today[block].T).toarray(order="F").astype(np.float32, copy=False)
        found: Floats = linalg.cho_solve(solved, near, overwrite_b=True, check_finite=False)
        return found

    def scorer(target: sparse.csr_matrix) -> Scorer:
        return lambda block: np.ascontiguousarray((target.T @ dual(block)).T)

    return scorer(targets[0]), scorer(targets[1])


def _pairs(snapshot: Snapshot, lines: NDArray[np.bool_]) -> sparse.csr_matrix:
    """1 for each customer and product among these lines."""
    keys = distinct(snapshot.pair_keys[snapshot.line_pair[lines]])
    rows, columns = np.divmod(keys, max(snapshot.shape[1], 1))
    return sparse.csr_matrix((np.ones(len(keys), np.float32), (rows, columns)), shape=snapshot.shape)
