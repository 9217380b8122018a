"""The second stage: gradient-boosted trees that put candidates in order (lambdarank), steadied by their probability."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ml.recommend.settings import Settings
from ml.recommend.snapshot import Floats, Ints

if TYPE_CHECKING:
    import lightgbm

TREES = {
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "max_bin": 63,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.6,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
}


@dataclass(frozen=True, eq=False)
class Ranker:
    """Lambdarank (Burges 2010) and a binary model, whose scores are mixed as z-scores within each customer."""

    lambdarank: lightgbm.Booster
    binary: lightgbm.Booster
    binary_weight: float

    @classmethod
    def fit(
        cls, names: tuple[str, ...], values: Floats, bought: NDArray[Any], groups: Ints, trees: int, settings: Settings
    ) -> Ranker:
        """Learn from rows x features, whether each was bought, and the rows of each customer and cut, in order."""
        import lightgbm

        common: dict[str, Any] = TREES | {
            "num_leaves": settings.leaves,
            "min_data_in_leaf": settings.min_rows,
            "seed": settings.seed,
        }
        rows = lightgbm.Dataset(values, bought, group=groups, feature_name=list(names), params=common)
        ranking = {"objective": "lambdarank", "learning_rate": 0.06, "lambdarank_truncation_level": 25}
        lambdarank = lightgbm.train(common | ranking, rows, trees)
        binary = lightgbm.train(common | {"objective": "binary", "learning_rate": 0.1}, rows, settings.binary_trees)
        return cls(lambdarank, binary, settings.binary_weight)

    @property
    def names(self) -> tuple[str, ...]:
        """The features that it was trained with, in order."""
        return tuple(self.lambdarank.feature_name())

    def score(self, values: Floats, customer: Ints) -> tuple[Floats, Floats]:
        """A score to rank each customer's candidates by, and the log odds of a purchase among candidates as sampled."""
        ranking = np.asarray(self.lambdarank.predict(values, num_threads=1))
        odds = np.asarray(self.binary.predict(values, num_threads=1, raw_score=True))
        mixed = _z(ranking, customer) + self.binary_weight * _z(odds, customer)
        return mixed.astype(np.float32), odds.astype(np.float32)

    def save(self, folder: Path, name: str) -> None:
        """Write both models as LightGBM's text."""
        self.lambdarank.save_model(folder / f"{name}.lambdarank.txt")
        self.binary.save_model(folder / f"{name}.binary.txt")

    @classmethod
    def load(cls, folder: Path, name: str, settings: Settings) -> Ranker:
        """Read what `save` wrote."""
        import lightgbm

        models = [lightgbm.Booster(model_file=folder / f"{name}.{kind}.txt") for kind in ("lambdarank", "binary")]
        return cls(models[0], models[1], settings.binary_weight)


def _z(values: NDArray[Any], customer: Ints) -> NDArray[Any]:
    """Values less their customer's mean, over its standard deviation."""
    _, group = np.unique(customer, return_inverse=True)
    size = np.maximum(np.bincount(group), 1)
    centred = values - (np.bincount(group, values) / size)[group]
    spread = np.sqrt(np.bincount(group, centred**2) / size)
    return centred / np.maximum(spread, 1e-9)[group]
