"""Names for segments, from where their centres stand among all customers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from ml.core.compare import Floats, Labels

# Place of a typical member among the shop's customers, as shares from 0 (lowest) to 1 (highest).
_AXES = ("recency_days", "frequency", "monetary", "tenure_days")


@dataclass(frozen=True)
class Kind:
    """A kind of customer that people know by name, with its place on the axes."""

    name: str
    place: tuple[float, float, float, float]


KINDS = (
    Kind("Champions", (0.10, 0.95, 0.95, 0.80)),
    Kind("Loyal", (0.30, 0.75, 0.75, 0.70)),
    Kind("Promising", (0.25, 0.50, 0.50, 0.35)),
    Kind("New", (0.15, 0.25, 0.30, 0.10)),
    Kind("Occasional", (0.50, 0.45, 0.45, 0.60)),
    Kind("At risk", (0.70, 0.65, 0.65, 0.70)),
    Kind("Big but rare", (0.50, 0.25, 0.80, 0.50)),
    Kind("Lapsed", (0.85, 0.20, 0.25, 0.75)),
)


def name_clusters(features: Floats, axes: dict[str, int], labels: Labels) -> list[str]:
    """A name for each cluster: the kinds whose places are nearest to the clusters' mean ranks, no kind twice.

    `features` is customers x features, `axes` the columns of the four that the kinds are placed by. The assignment with
    the least sum of squared distances is taken (Hungarian method).
    """
    ranks = np.column_stack([_ranks(features[:, axes[name]]) for name in _AXES])
    clusters = int(labels.max()) + 1
    centres = np.stack([ranks[labels == cluster].mean(axis=0) for cluster in range(clusters)])
    # Means of ranks lie nearer to the middle than any member does.
    spread = np.abs(centres - 0.5).max(axis=0)
    centres = 0.5 + (centres - 0.5) * np.divide(0.45, spread, out=np.ones_like(spread), where=spread > 0)
    places = np.array([kind.place for kind in KINDS])
    distance = ((centres[:, None, :] - places[None, :, :]) ** 2).sum(axis=2)
    rows, kinds = linear_sum_assignment(distance)
    names = {int(row): KINDS[kind].name for row, kind in zip(rows, kinds, strict=True)}
    return [names.get(cluster, f"Segment {cluster + 1}") for cluster in range(clusters)]


def as_named(names: Sequence[str], ours: Labels, theirs: Labels) -> list[str]:
    """Names for the clusters of `ours`, as those of `theirs` are called: what has most customers in common.

    Both label the same customers with as many clusters, `theirs` being named. So what was measured of clusters that
    were learnt on earlier days is told in the words of the tables.
    """
    shared = np.zeros((len(names), len(names)))
    np.add.at(shared, (ours, theirs), 1)
    _, chosen = linear_sum_assignment(-shared)
    return [names[cluster] for cluster in chosen]


def _ranks(values: Floats) -> Floats:
    """Share of the customers that are lower, ties in the middle."""
    ordered = np.sort(values)
    below = np.searchsorted(ordered, values, "left")
    until = np.searchsorted(ordered, values, "right")
    return (below + until) / (2 * len(values))
