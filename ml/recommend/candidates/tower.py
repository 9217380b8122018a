"""Two towers over attributes, so that a product without a sale and a customer with few have a place.

Yi et al., "Sampling-bias-corrected neural modeling for large corpus item recommendations" (RecSys 2019): a tower for
customers (words of what they bought, price, quantity, home), one for products (words, price), trained with softmax
over the products of a batch, corrected for how often each comes. No identity enters either, so towers trained at one
cutoff give vectors to customers and products of any later one; they must be trained no later than where they are used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ml.core import networks
from ml.core.networks import dense
from ml.recommend.candidates.neighbors import Scorer, normalised
from ml.recommend.data.snapshot import Floats, Ints, Snapshot, distinct

WORDS = 1024
WIDTHS = (64, 32)
TEMPERATURE = 0.1
BATCH = 512
EPOCHS = 3
WINDOWS = 4


@dataclass(frozen=True, eq=False)
class Tower:
    """The weights of both towers: kernel and bias of each dense layer, customers' first."""

    weights: tuple[Floats, ...]

    @classmethod
    def fit(cls, snapshot: Snapshot, window: int, seed: int) -> Tower | None:
        """Learn what customers with such attributes bought in each of the last windows; None where nobody came back."""
        words = _words(snapshot)
        products = _product_attributes(snapshot, words)
        inputs, rows, targets = [], [], []
        taken = 0
        for number in range(WINDOWS):
            then = (snapshot.age >= number * window) & (snapshot.age < (number + 1) * window)
            known = snapshot.age >= (number + 1) * window
            pairs = snapshot.pair_keys[distinct(snapshot.line_pair[then])]
            customer, product = np.divmod(pairs, snapshot.shape[1])
            came_back = np.isin(customer, snapshot.customer[known])
            active, row = np.unique(customer[came_back], return_inverse=True)
            inputs.append(_customer_attributes(snapshot, words, known, (number + 1) * window)[active])
            rows.append(row + taken)
            targets.append(product[came_back])
            taken += len(active)
        row, target = np.concatenate(rows), np.concatenate(targets)
        if not len(row):
            return None
        return cls(_trained(np.vstack(inputs), products, row, target, seed))

    def scorer(self, snapshot: Snapshot) -> Scorer:
        """Cosine of customer and product vectors."""
        words = _words(snapshot)
        half = len(self.weights) // 2
        products = _vectors(_product_attributes(snapshot, words), self.weights[half:])
        everything = np.ones(len(snapshot.age), bool)
        customers = _vectors(_customer_attributes(snapshot, words, everything, 0), self.weights[:half])
        return lambda rows: customers[rows] @ products.T

    def save(self, path: Path) -> None:
        """Write the weights as one npz file."""
        np.savez(path, *self.weights)

    @classmethod
    def load(cls, path: Path) -> Tower:
        """Read what `save` wrote."""
        with np.load(path) as stored:
            return cls(tuple(stored[f"arr_{number}"] for number in range(len(stored.files))))


def _words(snapshot: Snapshot) -> sparse.csr_matrix:
    """Products x hashed words: no vocabulary to fit, so a word that comes later has its column already."""
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(n_features=WORDS, alternate_sign=False, dtype=np.float32).transform(snapshot.texts).tocsr()


def _product_attributes(snapshot: Snapshot, words: sparse.csr_matrix) -> Floats:
    money = np.bincount(snapshot.product, snapshot.amount, snapshot.shape[1])
    pieces = np.bincount(snapshot.product, snapshot.quantity, snapshot.shape[1])
    price = np.log1p(np.maximum(money, 0) / np.maximum(pieces, 1))
    return np.column_stack([words.toarray(), price, pieces == 0]).astype(np.float32)


def _customer_attributes(snapshot: Snapshot, words: sparse.csr_matrix, known: NDArray[Any], today: int) -> Floats:
    """Attributes from the lines that were known when `today` was the age of today."""
    customer, count = snapshot.customer[known], snapshot.shape[0]
    weight = np.exp((today - snapshot.age[known]) / 120)
    bag = sparse.csr_matrix((weight.astype(np.float32), (customer, snapshot.product[known])), shape=snapshot.shape)
    lines = np.bincount(customer, minlength=count)
    pieces = np.bincount(customer, snapshot.quantity[known], count)
    money = np.bincount(customer, snapshot.amount[known], count)
    numbers = [
        np.log1p(np.maximum(money, 0) / np.maximum(pieces, 1)),
        np.log1p(pieces / np.maximum(lines, 1)) / 5,
        np.log1p(lines) / 5,
        snapshot.country == np.bincount(snapshot.country, minlength=1).argmax(),
    ]
    return np.column_stack([normalised(bag @ words).toarray(), *numbers]).astype(np.float32)


def _trained(customers: Floats, products: Floats, row: Ints, target: Ints, seed: int) -> tuple[Floats, ...]:
    keras = networks.keras()
    keras.utils.set_random_seed(seed)
    sides = [keras.Input((values.shape[1],)) for values in (customers, products)]
    layers = [[keras.layers.Dense(WIDTHS[0], "relu"), keras.layers.Dense(WIDTHS[1])] for _ in sides]
    often = keras.Input(())
    unit = keras.layers.UnitNormalization()
    vectors = [unit(last(first(side))) for side, (first, last) in zip(sides, layers, strict=True)]
    logits = keras.ops.matmul(vectors[0], keras.ops.transpose(vectors[1])) / TEMPERATURE - keras.ops.expand_dims(
        often, 0
    )
    model = keras.Model([*sides, often], logits)
    model.compile(keras.optimizers.Adam(2e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    frequency = np.log(np.bincount(target, minlength=len(products)) / len(target) + 1e-9).astype(np.float32)
    generator = np.random.default_rng(seed)
    size = min(BATCH, len(row))
    for _ in range(EPOCHS):
        order = generator.permutation(len(row))
        for start in range(0, len(order) - size + 1, size):
            chosen = order[start : start + size]
            inputs = [customers[row[chosen]], products[target[chosen]], frequency[target[chosen]]]
            model.train_on_batch(inputs, np.arange(size))
    return tuple(np.asarray(weight, np.float32) for pair in layers for layer in pair for weight in layer.get_weights())


def _vectors(values: Floats, weights: tuple[Floats, ...]) -> Floats:
    """Where a tower places its rows, on the unit sphere."""
    vectors = dense(values, weights)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9), np.float32)
