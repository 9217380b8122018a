"""A network that ranks beside the trees: it errs elsewhere, and remembers how each product did."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml.core import networks
from ml.recommend.data.snapshot import Floats, Ints

log = logging.getLogger("shoplake")

_WIDTHS = (256, 128)
_PRODUCT_WIDTH = 8
_DROPOUT = 0.2
_EPOCHS, _LISTS, _RATE = 8, 64, 2e-3
_FAR = 5.0
"""Standard deviations at which a feature is cut."""


@dataclass(frozen=True, eq=False)
class Network:
    """Dense layers over features (by logarithm, in standard deviations) and a vector for each product it has seen.

    `weights` are the products' vectors, then kernel and bias of each layer.
    """

    products: pl.Series
    centre: Floats
    scale: Floats
    weights: tuple[Floats, ...]

    @classmethod
    def fit(cls, values: Floats, products: pl.Series, bought: NDArray[Any], groups: Ints, seed: int) -> Network:
        """Learn which of a list's candidates were bought: rows x features, in lists of `groups` rows, in order.

        The loss is that of ListNet (Cao et al., "Learning to rank: from pairwise approach to listwise approach", ICML
        2007): cross-entropy between the shares of what was bought and a softmax over the list.
        """
        known = products.unique().sort()
        logs = _logs(values)
        centre, scale = np.array([_usual(column) for column in logs.T], np.float32).T
        inputs = _scaled(logs, centre, scale)
        codes = _codes(products, known)
        starts = np.concatenate([[0], np.cumsum(groups)[:-1]])
        steps = _EPOCHS * -(-len(groups) // _LISTS)
        trained = _trainer(inputs.shape[1], len(known), steps, seed)
        generator = np.random.default_rng(seed)
        for epoch in range(1, _EPOCHS + 1):
            log.info("network, epoch %d of %d", epoch, _EPOCHS)
            order = generator.permutation(len(groups))
            for at in range(0, len(order), _LISTS):
                lists = order[at : at + _LISTS]
                place = np.arange(groups[lists].max())
                there = place < groups[lists][:, None]
                rows = np.where(there, starts[lists][:, None] + place, 0)
                labels = np.where(there, bought[rows], 0)
                shares = labels / np.maximum(labels.sum(axis=1, keepdims=True), 1)
                trained.train_on_batch([inputs[rows], codes[rows], there], shares)
        weights = tuple(np.asarray(weight, np.float32) for weight in trained.get_weights())
        return cls(known, centre, scale, weights)

    def score(self, values: Floats, products: pl.Series) -> Floats:
        """A score per row to order a customer's candidates by; a product that is new to it has the vector 0."""
        vectors = np.vstack([self.weights[0], np.zeros((1, _PRODUCT_WIDTH), np.float32)])
        rows = np.empty((len(values), values.shape[1] + _PRODUCT_WIDTH), np.float32, order="F")
        rows[:, : values.shape[1]] = _scaled(_logs(values), self.centre, self.scale)
        rows[:, values.shape[1] :] = vectors[_codes(products, self.products)]
        return networks.dense(rows, self.weights[1:])[:, 0]

    def save(self, path: Path) -> None:
        """Write one npz file."""
        named: dict[str, Any] = {f"weight_{number}": weight for number, weight in enumerate(self.weights)}
        np.savez(path, products=self.products.to_numpy().astype(str), centre=self.centre, scale=self.scale, **named)

    @classmethod
    def load(cls, path: Path) -> Network:
        """Read what `save` wrote."""
        with np.load(path) as stored:
            weights = tuple(stored[f"weight_{number}"] for number in range(len(stored.files) - 3))
            products = pl.Series(stored["products"].tolist(), dtype=pl.String)
            return cls(products, stored["centre"], stored["scale"], weights)


def _trainer(features: int, products: int, steps: int, seed: int) -> Any:
    """A compiled model from lists (features, products, whether there is a candidate) to logits over each list."""
    keras = networks.keras()
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    values, codes, there = keras.Input((None, features)), keras.Input((None,), dtype="int32"), keras.Input((None,))
    near_zero = keras.initializers.RandomNormal(stddev=0.05)
    hidden = layers.Concatenate()([values, layers.Embedding(products, _PRODUCT_WIDTH, near_zero)(codes)])
    for width in _WIDTHS:
        hidden = layers.Dropout(_DROPOUT)(layers.Dense(width, "relu")(hidden))
    logits = layers.Reshape((-1,))(layers.Dense(1)(hidden)) + (there - 1) * 1e9
    model = keras.Model([values, codes, there], logits)
    warm_up = steps // 4
    rate = keras.optimizers.schedules.CosineDecay(_RATE / 20, steps, warmup_target=_RATE, warmup_steps=warm_up)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-4), keras.losses.CategoricalCrossentropy(True))
    return model


def _logs(values: Floats) -> Floats:
    return np.copysign(np.log1p(np.abs(values)), values)


def _usual(column: Floats) -> tuple[float, float]:
    """The mean of what is known, and its standard deviation, above 0."""
    known = column[np.isfinite(column)]
    return (float(known.mean()), float(known.std()) + 1e-6) if len(known) else (0.0, 1.0)


def _scaled(logs: Floats, centre: Floats, scale: Floats) -> Floats:
    """In standard deviations; what is unknown is as usual."""
    scaled: Floats = logs - centre
    scaled /= scale
    np.clip(scaled, -_FAR, _FAR, out=scaled)
    np.nan_to_num(scaled, copy=False)
    return scaled


def _codes(products: pl.Series, known: pl.Series) -> Ints:
    """The position of each product among those known, the one after the last for others."""
    places = pl.Series(range(len(known)), dtype=pl.Int32)
    found = products.replace_strict(known, places, default=len(known), return_dtype=pl.Int64)
    return found.to_numpy().astype(np.int64, copy=False)
