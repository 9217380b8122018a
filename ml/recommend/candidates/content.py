"""What products say of themselves: their texts as vectors."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ml.recommend.candidates.neighbors import Scorer, last_orders
from ml.recommend.data.snapshot import Floats, Ints, Snapshot


def text_vectors(texts: list[str], dimensions: int = 48, seed: int = 7) -> Floats:
    """Products x dimensions of length 1: TF-IDF of words and pairs of words, reduced by SVD; zeros without a text."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, dtype=np.float32).fit_transform(texts)
    except ValueError:  # no word is in two texts, so no text says anything about another
        return np.zeros((len(texts), 1), np.float32)
    dimensions = min(dimensions, min(words.shape) - 1)
    if dimensions < 1:
        return np.zeros((len(texts), 1), np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):  # a share of variance that nobody asks for
        vectors = TruncatedSVD(dimensions, random_state=seed).fit_transform(words).astype(np.float32)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6), np.float32)


def profile_scorer(snapshot: Snapshot, vectors: Floats) -> Scorer:
    """Similarity of a product's text to the mean of those bought, the recent ones weighing more."""
    profile = snapshot.matrix(snapshot.decayed(240)) @ vectors
    profile /= np.maximum(np.linalg.norm(profile, axis=1, keepdims=True), 1e-6)
    return lambda rows: np.asarray(profile[rows] @ vectors.T, np.float32)


def nearest_scorer(snapshot: Snapshot, vectors: Floats, orders: int | None = None) -> Scorer:
    """Greatest similarity of a product's text to another one bought, ever or in the last so many orders."""
    matrix = snapshot.bought if orders is None else last_orders(snapshot, orders)
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, 0)

    def score(rows: Ints) -> Floats:
        block = sparse.csr_matrix(matrix[rows])
        found = np.zeros((len(rows), len(vectors)), np.float32)
        for row in np.flatnonzero(np.diff(block.indptr)):
            theirs = block.indices[block.indptr[row] : block.indptr[row + 1]]
            found[row] = similarity[theirs].max(axis=0)
        return found

    return score
