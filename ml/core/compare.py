"""What all families of models share in comparing two models on the same cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Ratio:
    """A ratio of two means over the same cases, with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def paired_ratio(ours: Floats, theirs: Floats, *, draws: int = 1000, seed: int = 0) -> Ratio:
    """Mean of `ours` by mean of `theirs`, both measured case by case (one number per customer, series...).

    The interval is a percentile bootstrap over the cases, each drawn with both its numbers (B. Efron, R. Tibshirani,
    "An Introduction to the Bootstrap", 1993, chapter 13). Two without any error are equally good: 1.
    """
    if len(ours) != len(theirs) or not len(ours):
        raise ValueError(f"pairs are needed, and at least one: {len(ours)} against {len(theirs)}")
    rng = np.random.default_rng(seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = np.empty(draws)
        for draw in range(draws):
            cases = rng.integers(0, len(ours), len(ours))
            drawn[draw] = _ratio(ours[cases], theirs[cases])
        value = _ratio(ours, theirs)
    low, high = np.nanpercentile(drawn, [2.5, 97.5]) if np.isfinite(drawn).any() else (np.nan, np.nan)
    return Ratio(value, float(low), float(high))


def _ratio(ours: Floats, theirs: Floats) -> float:
    mine, other = ours.mean(), theirs.mean()
    return 1.0 if mine == other else float(mine / other)
