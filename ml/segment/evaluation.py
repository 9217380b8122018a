"""What segments are worth: how separate, how even, how stable, and what they say about the months held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.model_selection import KFold

from ml.core.compare import Floats, Labels
from ml.segment.model import cluster

FOLDS = 5
RESAMPLES = 10
_SILHOUETTE_SAMPLE = 4000


@dataclass(frozen=True)
class Quality:
    """Of one way to cluster: silhouette (-1 to 1), share of the smallest cluster, adjusted Rand index, held-out R²."""

    clusters: int
    silhouette: float
    smallest_share: float
    stability: float
    r2: float
    r2_error: float

    def metrics(self) -> dict[str, float]:
        """The numbers by name."""
        return {
            "silhouette": self.silhouette,
            "smallest_share": self.smallest_share,
            "adjusted_rand": self.stability,
            "r2_held_out": self.r2,
        }


def quality(places: Floats, clusters: int, log_revenue: Floats, seed: int) -> tuple[Quality, Labels]:
    """Cluster customers at `places` (customers x axes) and measure it; also the labels.

    Stability is the mean adjusted Rand index between these labels and those of K-means on resampled customers
    (L. Hubert, P. Arabie, "Comparing partitions", 1985; U. von Luxburg, "Clustering stability", 2010).
    """
    labels = cluster(places, clusters, seed).labels_.astype(np.int64)
    rng = np.random.default_rng(seed)
    agreements = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, len(places), len(places))
        again = cluster(places[drawn], clusters, int(rng.integers(2**31)))
        agreements.append(adjusted_rand_score(labels, again.predict(places)))
    errors = squared_errors(labels, log_revenue, seed)
    return (
        Quality(
            clusters,
            separation(places, labels, seed),
            float(np.bincount(labels).min() / len(labels)),
            float(np.mean(agreements)),
            explained(errors, log_revenue),
            float(errors.std() / np.sqrt(len(errors)) / log_revenue.var()) if log_revenue.var() else 0.0,
        ),
        labels,
    )


def separation(places: Floats, labels: Labels, seed: int) -> float:
    """Mean silhouette (P. Rousseeuw, 1987), over at most 4,000 customers; 0 with a single cluster."""
    if len(np.unique(labels)) < 2:
        return 0.0
    sample = min(_SILHOUETTE_SAMPLE, len(places))
    return float(silhouette_score(places, labels, sample_size=sample, random_state=seed))


def squared_errors(labels: Labels, log_revenue: Floats, seed: int) -> Floats:
    """Squared error of each customer's log revenue against the mean of the group in the other four fifths."""
    errors = np.empty(len(labels))
    folds = KFold(min(FOLDS, len(labels)), shuffle=True, random_state=seed)
    for train, test in folds.split(labels):
        groups = int(labels.max()) + 1
        counts = np.bincount(labels[train], minlength=groups)
        sums = np.bincount(labels[train], log_revenue[train], minlength=groups)
        means = np.where(counts > 0, sums / np.maximum(counts, 1), log_revenue[train].mean())
        errors[test] = (log_revenue[test] - means[labels[test]]) ** 2
    return errors


def explained(errors: Floats, log_revenue: Floats) -> float:
    """R²: the share of the variance that is explained, by cross-validated errors."""
    variance = float(log_revenue.var())
    return 1 - float(errors.mean()) / variance if variance else 0.0


def choose(candidates: list[Quality], *, least_share: float, least_stability: float) -> Quality:
    """The fewest clusters among those that are stable, not too small, and explain as much as the best does.

    "As much" is within one standard error of the best R² (L. Breiman et al., "Classification and Regression Trees",
    1984). Where none is stable and large enough, the most stable one is taken.
    """
    fit = [c for c in candidates if c.smallest_share >= least_share and c.stability >= least_stability]
    if not fit:
        return max(candidates, key=lambda c: c.stability)
    best = max(fit, key=lambda c: c.r2)
    return min((c for c in fit if c.r2 >= best.r2 - best.r2_error), key=lambda c: c.clusters)
