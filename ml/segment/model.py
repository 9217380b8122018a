"""The segment model: K-means over what a customer is expected to bring, beside recency, frequency and value.

Plain K-means on the scaled logs of RFM cuts where customers are many, not where they differ in what they do next. So
the first axis is the expected log revenue of the coming months, learned by a small boosted model from two earlier days
whose months after are known; R, F and M stand beside it with a quarter of its weight. On Online Retail II this has the
higher silhouette and explains more of the months held out than RFM quintiles do (see the README's results).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from gold.customers.customer_segments import TIERS
from lakehouse.errors import UsageError
from ml.core.compare import Floats, Labels
from ml.segment.features import QUINTILES, RFM, SCALED, scaled
from ml.segment.naming import name_clusters

RFM_WEIGHT = 0.25
UNSCORED = "No lasting order"
_HIGH, _MEDIUM = 0.8, 0.5
_BOOSTING = {
    "objective": "l2",
    "learning_rate": 0.05,
    "num_leaves": 8,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
_TREES = 120


@dataclass(frozen=True)
class Space:
    """The space in which customers are near or far: expected value, then R, F and M.

    `mean` and `scale` are of the features, `value_mean` and `value_scale` of the expected value, over the customers
    that it was learned from.
    """

    booster: lgb.Booster
    mean: Floats
    scale: Floats
    value_mean: float
    value_scale: float

    @classmethod
    def learn(cls, features: Floats, log_revenue: Floats, seed: int) -> Space:
        """Learn what is expected from customers (rows) whose log revenue of the months after is known."""
        mean, scale = features.mean(axis=0), features.std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        settings = _BOOSTING | {"seed": seed, "min_data_in_leaf": max(5, min(60, len(features) // 20))}
        booster = lgb.train(settings, lgb.Dataset((features - mean) / scale, log_revenue), _TREES)
        value = np.asarray(booster.predict((features - mean) / scale))
        return cls(booster, mean, scale, float(value.mean()), float(value.std()) or 1.0)

    def value(self, features: Floats) -> Floats:
        """Expected log(1 + revenue) of each customer."""
        return np.asarray(self.booster.predict((features - self.mean) / self.scale), dtype=np.float64)

    def place(self, features: Floats) -> Floats:
        """Customers x 4 places in the space."""
        rfm = ((features - self.mean) / self.scale)[:, [list(SCALED).index(name) for name in RFM]]
        value = (self.value(features) - self.value_mean) / self.value_scale
        return np.column_stack([value, RFM_WEIGHT * rfm])


def cluster(places: Floats, clusters: int, seed: int) -> KMeans:
    """K-means with ten starts (S. Lloyd, "Least squares quantization in PCM", 1982), on one thread.

    Threads would wait for each other on matrices of four columns, and add up in an order of their own.
    """
    with threadpool_limits(1):
        return KMeans(clusters, n_init=10, random_state=seed).fit(places)


@dataclass(frozen=True)
class SegmentModel:
    """Customers to segments. `cuts` are the expected values from which the tier is Medium and High."""

    space: Space
    centres: Floats
    names: tuple[str, ...]
    cuts: tuple[float, float]

    @classmethod
    def fit(cls, space: Space, features: Floats, clusters: int, seed: int) -> SegmentModel:
        """Cluster customers in a space, and name what comes out."""
        places = space.place(features)
        found = cluster(places, clusters, seed)
        axes = {name: place for place, name in enumerate(SCALED)}
        names = name_clusters(features, axes, found.labels_.astype(np.int64))
        value = space.value(features)
        cuts = (float(np.quantile(value, _MEDIUM)), float(np.quantile(value, _HIGH)))
        return cls(space, found.cluster_centers_, tuple(names), cuts)

    def label(self, features: Floats) -> tuple[Labels, Floats]:
        """Nearest centre of each customer, and the distance to it."""
        distances = np.linalg.norm(self.space.place(features)[:, None, :] - self.centres[None, :, :], axis=2)
        labels = distances.argmin(axis=1).astype(np.int64)
        return labels, distances[np.arange(len(labels)), labels]

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Segment, cluster, tier, expected value, standing and distance for each row, in its order.

        `standing` is what tiers and the order of segments follow: here the expected value. A customer without an order
        that still counts has no recency: such customers are one segment of their own, of whom no value is expected.
        """
        features = scaled(frame)
        labels, distances = self.label(features)
        value = self.space.value(features)
        known = (frame["frequency"].to_numpy() > 0) if len(frame) else np.zeros(0, dtype=bool)
        tier = np.select([value >= self.cuts[1], value >= self.cuts[0]], TIERS[:2], TIERS[2])
        return pd.DataFrame(
            {
                "segment": np.where(known, np.array(self.names, dtype=object)[labels], UNSCORED),
                "cluster": pd.array(np.where(known, labels, 0), dtype="Int32"),
                "tier": np.where(known, tier, TIERS[2]),
                "value_score": np.where(known, value, np.nan),
                "standing": np.where(known, value, 0.0),
                "distance": np.where(known, distances, np.nan),
            }
        ).assign(cluster=lambda made: made["cluster"].where(known))

    def save(self, folder: Path) -> None:
        """Write the model as text and numbers: model.json, value.txt, arrays.npz."""
        folder.mkdir(parents=True, exist_ok=True)
        self.space.booster.save_model(folder / "value.txt")
        np.savez(folder / "arrays.npz", centres=self.centres, mean=self.space.mean, scale=self.space.scale)
        rest = {
            "features": list(SCALED),
            "names": self.names,
            "cuts": self.cuts,
            "value": [self.space.value_mean, self.space.value_scale],
        }
        (folder / "model.json").write_text(json.dumps(rest, indent=1))

    @classmethod
    def load(cls, folder: Path) -> SegmentModel:
        """Read what `save` wrote. A model of other features is a `UsageError`."""
        rest = json.loads((folder / "model.json").read_text())
        if rest["features"] != list(SCALED):
            raise UsageError(
                f"{folder}: the model knows the features {', '.join(rest['features'])}, this version of the code has "
                f"{', '.join(SCALED)}; train again"
            )
        arrays = np.load(folder / "arrays.npz")
        booster = lgb.Booster(model_file=folder / "value.txt")
        space = Space(booster, arrays["mean"], arrays["scale"], *rest["value"])
        low, high = rest["cuts"]
        return cls(space, arrays["centres"], tuple(rest["names"]), (low, high))


class QuintileSegments:
    """The plain baseline: the sum of the three quintiles of gold.customer_rfm, cut into five named ranges."""

    _NAMES = ((13, "Champions"), (10, "Loyal"), (8, "Occasional"), (5, "At risk"), (3, "Lapsed"))

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """As `SegmentModel.predict`; the sum is the standing, nothing is expected, and there is no distance."""
        total = frame[list(QUINTILES)].astype("Float64").sum(axis=1, skipna=False)
        known = total.notna().to_numpy()
        score = total.fillna(0).to_numpy(dtype=float)
        steps = [score >= low for low, _ in self._NAMES]
        names = np.select(steps, [name for _, name in self._NAMES], UNSCORED)
        numbers = np.select(steps, range(len(self._NAMES)), 0)
        tier = np.select([score >= 12, score >= 9], TIERS[:2], TIERS[2])
        return pd.DataFrame(
            {
                "segment": np.where(known, names, UNSCORED),
                "cluster": pd.array(numbers, dtype="Int32"),
                "tier": np.where(known, tier, TIERS[2]),
                "value_score": np.full(len(frame), np.nan),
                "standing": score,
                "distance": np.full(len(frame), np.nan),
            }
        ).assign(cluster=lambda made: made["cluster"].where(known))

    def save(self, folder: Path) -> None:
        """There is nothing to keep: the rule is the code."""
        folder.mkdir(parents=True, exist_ok=True)
