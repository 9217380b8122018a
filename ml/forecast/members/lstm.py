"""One recurrent network for all series: an encoder of the past, a decoder of the known future."""

from __future__ import annotations

import functools
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.core import networks
from ml.forecast.members.windows import Windows, forecast_windows, shape_of, training_windows
from ml.forecast.panel.decomposition import Decomposition
from ml.forecast.panel.panel import Array, History
from ml.forecast.settings import Settings

if TYPE_CHECKING:
    from keras import Model

_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
_UNITS, _BATCH, _RATE, _DROPOUT = 24, 64, 3e-3, 0.2
_MOST_WINDOWS, _MOST_AT_ONCE = 8000, 1024


class Lstm:
    """A global encoder-decoder with quantile outputs (Wen et al. 2017, "A multi-horizon quantile recurrent
    forecaster", arXiv:1711.11053), averaged over seeds.

    It learns z less the series' recent level in units of its spread, so that small and large series count alike, and
    starts from "as recently": its last layer begins at zero.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.networks: list[Model] = []

    def fit(self, history: History, shared: Decomposition) -> None:
        """Learn from windows of all series; the networks' weights depend on the seed and the data alone."""
        keras = networks.keras()
        self.networks = []
        windows = training_windows(history, shared, _MOST_WINDOWS, self.settings.seed)
        if len(windows.row) < 50:
            return
        inputs, truth = _inputs(shared, windows), _truth(windows)
        shapes = tuple(one.shape[1:] for one in inputs)
        wanted = round(self.settings.lstm_steps * _BATCH / len(windows.row))
        until_the_rate_is_0 = -(-self.settings.lstm_steps // -(-len(windows.row) // _BATCH))
        epochs = max(1, min(wanted, until_the_rate_is_0))
        for number in range(self.settings.lstm_seeds):
            keras.utils.set_random_seed(self.settings.seed + number)
            network, trained = _network(shapes), _trainer(shapes, self.settings.lstm_steps)
            _begin_as(trained, network)
            trained.fit(inputs, truth, batch_size=_BATCH, epochs=epochs, verbose=0)
            network.set_weights(trained.get_weights())
            self.networks.append(network)

    def forecast(self, history: History, shared: Decomposition) -> Array:
        """The median of z, (series, horizon); the recent level where there was too little to learn from."""
        windows = forecast_windows(history, shared)
        moves = np.zeros(windows.future.shape)
        if self.networks:
            inputs = _inputs(shared, windows)
            moves = np.mean([_median(network, inputs) for network in self.networks], axis=0)
        return windows.level[:, None] + windows.spread[:, None] * moves

    def save(self, folder: Path) -> None:
        """One `.keras` file per seed."""
        for number, network in enumerate(self.networks):
            network.save(folder / f"lstm_{number}.keras")

    def load(self, folder: Path) -> None:
        """Read the networks back, for forecasting only."""
        keras = networks.keras()
        self.networks = [keras.saving.load_model(path, compile=False) for path in sorted(folder.glob("lstm_*.keras"))]


def _inputs(shared: Decomposition, windows: Windows) -> list[Array]:
    """The past (examples, look-back, k), the future (examples, horizon, k) and the series (examples, 2)."""
    cues = np.concatenate([shared.cues, shape_of(shared)[:, :, None]], axis=2)
    rows = windows.row[:, None]
    seen = np.isfinite(windows.past)[:, :, None]
    past = [np.nan_to_num(windows.past)[:, :, None], seen, cues[rows, windows.past_periods()] * seen]
    steps = np.linspace(0, 1, windows.future.shape[1])[None, :, None]
    future = [cues[rows, windows.future_periods()], np.broadcast_to(steps, (len(rows), steps.shape[1], 1))]
    size = np.log(shared.unit[windows.row]) + shared.base.mean(axis=1)[windows.row]
    series = np.stack([size / 5.0, np.log(windows.spread)], axis=1).astype("float32")
    return [np.concatenate(past, axis=2).astype("float32"), np.concatenate(future, axis=2).astype("float32"), series]


def _truth(windows: Windows) -> Array:
    """Targets and whether they are known, (examples, horizon, 2)."""
    seen = np.isfinite(windows.future)
    return np.stack([np.nan_to_num(windows.future), seen], axis=2).astype("float32")


def _network(shapes: tuple[tuple[int, ...], ...]) -> Model:
    keras = networks.keras()
    layers = keras.layers
    past, future, series = (keras.Input(shape) for shape in shapes)
    _, short, long = layers.LSTM(_UNITS, return_state=True)(past)
    path = layers.LSTM(_UNITS, return_sequences=True)(future, initial_state=[short, long])
    context = layers.Dense(_UNITS, activation="tanh")(layers.Concatenate()([short, series]))
    repeated = layers.RepeatVector(shapes[1][0])(context)
    joined = layers.Dropout(_DROPOUT)(layers.Concatenate()([path, repeated, future]))
    hidden = layers.Dense(_UNITS, activation="relu")(joined)
    return keras.Model([past, future, series], layers.Dense(len(_LEVELS), kernel_initializer="zeros")(hidden))


@functools.lru_cache(maxsize=4)
def _trainer(shapes: tuple[tuple[int, ...], ...], steps: int) -> Model:
    """A network compiled for training, which takes seconds, and so is used for all cutoffs and seeds of one shape."""
    keras = networks.keras()
    network = _network(shapes)
    rate = keras.optimizers.schedules.CosineDecay(_RATE, steps)
    network.compile(optimizer=keras.optimizers.Adam(rate, clipnorm=1.0), loss=_pinball(keras))
    network.optimizer.build(network.trainable_variables)
    return network


def _begin_as(trained: Model, network: Model) -> None:
    """Forget all former training: weights and random states of `network`, and an optimizer that has done nothing."""
    for one in trained.optimizer.variables:
        if one is not trained.optimizer.learning_rate:
            one.assign(np.zeros(one.shape, dtype=one.dtype))
    for mine, new in zip(trained.variables, network.variables, strict=False):  # metrics come last, and are reset by fit
        mine.assign(new)


def _median(network: Model, inputs: list[Array]) -> Array:
    chunks = range(0, len(inputs[0]), _MOST_AT_ONCE)
    forecast = [np.asarray(network([one[at : at + _MOST_AT_ONCE] for one in inputs], training=False)) for at in chunks]
    median: Array = np.concatenate(forecast)[:, :, _LEVELS.index(0.5)].astype(float)
    return median


def _pinball(keras: ModuleType) -> Any:  # a Keras loss: tensors in, tensor out
    def loss(truth: Any, forecast: Any) -> Any:
        level = keras.ops.convert_to_tensor(_LEVELS, dtype="float32")
        error = truth[:, :, :1] - forecast
        each = keras.ops.maximum(level * error, (level - 1) * error)
        return keras.ops.sum(each * truth[:, :, 1:]) / (keras.ops.sum(truth[:, :, 1:]) + 1e-6)

    return loss
