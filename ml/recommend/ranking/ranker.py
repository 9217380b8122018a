"""The second stage: boosted trees and a network put candidates in order, steadied by their probability."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ml.recommend.data.places import Lists
from ml.recommend.data.snapshot import Floats, Ints
from ml.recommend.ranking.network import Network
from ml.recommend.ranking.training_set import TrainingSet
from ml.recommend.settings import Settings

if TYPE_CHECKING:
    import lightgbm

DEPTH = 200
"""So many candidates of a customer are put in order by all that there is, and can be shown."""
_BEHIND = 1000.0
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
    """Lambdarank (Burges 2010), a binary model and a network; their scores are mixed as z-scores of each customer."""

    lambdarank: lightgbm.Booster
    binary: lightgbm.Booster
    network: Network | None
    settings: Settings

    @classmethod
    def fit(cls, found: TrainingSet, trees: int, settings: Settings) -> Ranker:
        """Learn from examples."""
        import lightgbm

        common: dict[str, Any] = TREES | {
            "num_leaves": settings.leaves,
            "min_data_in_leaf": settings.min_rows,
            "seed": settings.seed,
        }
        names = list(found.names)
        rows = lightgbm.Dataset(found.values, found.bought, group=found.groups, feature_name=names, params=common)
        ranking = {"objective": "lambdarank", "learning_rate": 0.06, "lambdarank_truncation_level": 25}
        lambdarank = lightgbm.train(common | ranking, rows, trees)
        binary = lightgbm.train(common | {"objective": "binary", "learning_rate": 0.1}, rows, settings.binary_trees)
        network = None
        if settings.network:
            network = Network.fit(found.values, found.products, found.bought, found.groups, settings.seed)
        return cls(lambdarank, binary, network, settings)

    @property
    def names(self) -> tuple[str, ...]:
        """The features that it was trained with, in order."""
        return tuple(self.lambdarank.feature_name())

    def score(self, values: Floats, customer: Ints, products: pl.Series) -> tuple[Floats, Floats]:
        """A score to rank each customer's candidates by, and the log odds of a purchase among candidates as sampled.

        Lambdarank, the dearest of the three, is asked about the best `DEPTH` of each customer by the other two; the
        rest come after them.
        """
        lists = Lists.of(customer)
        odds = np.asarray(self.binary.predict(values, num_threads=1, raw_score=True))
        mixed = self.settings.binary_weight * lists.z(odds)
        if self.network is not None:
            mixed += self.settings.network_weight * lists.z(self.network.score(values, products))
        best = lists.ranks(mixed) < DEPTH
        ranking = np.asarray(self.lambdarank.predict(values[best], num_threads=1))
        mixed[best] += Lists.of(customer[best]).z(ranking)
        mixed[~best] -= _BEHIND
        return mixed.astype(np.float32), odds.astype(np.float32)

    def save(self, folder: Path, name: str) -> None:
        """Write the trees as LightGBM's text, the network as npz."""
        self.lambdarank.save_model(folder / f"{name}.lambdarank.txt")
        self.binary.save_model(folder / f"{name}.binary.txt")
        if self.network is not None:
            self.network.save(folder / f"{name}.network.npz")

    @classmethod
    def load(cls, folder: Path, name: str, settings: Settings) -> Ranker:
        """Read what `save` wrote."""
        import lightgbm

        models = [lightgbm.Booster(model_file=folder / f"{name}.{kind}.txt") for kind in ("lambdarank", "binary")]
        network = folder / f"{name}.network.npz"
        return cls(models[0], models[1], Network.load(network) if network.exists() else None, settings)
