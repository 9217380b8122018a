"""An encoder-decoder of LSTM cells and its training, in numpy, for several seeds at once.

The networks here are so small that a framework spends nine tenths of its time between the operations of a step. What is
computed is what Keras would: LSTM (Hochreiter and Schmidhuber 1997) with Keras's initial weights, Adam (Kingma and Ba
2015) on gradients whose norm is cut for each weight, a rate that falls like a cosine, inverted dropout.

Weights have the seeds as their first axis; what runs through the networks has the time, then the seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]
Weights = dict[str, Floats]
"""By name, each (seeds, ...)."""
_GATES = 4
"""Of a cell: input, forget, output, and the candidate for its memory."""


@dataclass(frozen=True)
class Examples:
    """What networks are told of each example: its past and its future (examples, time, k), and itself (examples, k)."""

    past: Floats
    future: Floats
    series: Floats

    def of_seeds(self, rows: npt.NDArray[np.intp]) -> Examples:
        """The examples of each seed (seeds, batch): past and future (time, seeds, batch, k), series (seeds, batch, k)."""
        past, future = (np.ascontiguousarray(np.moveaxis(one[rows], 2, 0)) for one in (self.past, self.future))
        return Examples(past, future, self.series[rows])

    def __len__(self) -> int:
        return len(self.series)


@dataclass(frozen=True)
class Training:
    """How networks are trained: so many steps of `batch` examples, each example once before any comes again."""

    units: int
    levels: tuple[float, ...]
    steps: int
    batch: int
    rate: float
    dropout: float


def train(examples: Examples, truth: Floats, seeds: list[int], how: Training) -> Weights:
    """Networks, one for each seed, whose outputs are quantiles of `truth` (examples, horizon; NaN where unknown)."""
    generators = [np.random.default_rng(seed) for seed in seeds]
    widths = (examples.past.shape[2], examples.future.shape[2], examples.series.shape[1])
    drawn = [_initial(widths, how, generator) for generator in generators]
    weights = {name: np.stack([one[name] for one in drawn]) for name in drawn[0]}
    batches = [_batches(len(examples), how.batch, generator) for generator in generators]
    means, squares = ({name: np.zeros_like(one) for name, one in weights.items()} for _ in range(2))
    scale = np.asarray(1 / (1 - how.dropout), truth.dtype)
    for step in range(how.steps):
        rows = np.stack([next(batch) for batch in batches])
        shape = (truth.shape[1], rows.shape[1], 2 * how.units + widths[1])
        kept = np.stack([one.random(shape, np.float32) >= how.dropout for one in generators], axis=1) * scale
        target = np.moveaxis(truth[rows], 2, 0)
        _, gradient = loss(weights, examples.of_seeds(rows), target, how.levels, kept)
        rate = how.rate * 0.5 * (1 + np.cos(np.pi * step / how.steps))
        _adam(weights, gradient, means, squares, rate, step + 1)
    return weights


def ask(weights: Weights, examples: Examples, at_once: int) -> Floats:
    """The outputs for each example, (seeds, examples, horizon, levels)."""
    seeds = len(next(iter(weights.values())))
    parts = []
    for first in range(0, len(examples), at_once):
        rows = np.arange(first, min(first + at_once, len(examples)))
        told = examples.of_seeds(np.tile(rows, (seeds, 1)))
        parts.append(np.moveaxis(_forward(weights, told, None)["out"], 0, 2))
    return np.concatenate(parts, axis=1)


def loss(
    weights: Weights, told: Examples, truth: Floats, levels: tuple[float, ...], kept: Floats | None
) -> tuple[Floats, Weights]:
    """The pinball loss of each seed, a mean over what is known of `truth` (horizon, seeds, batch), and its gradient.

    `kept` (horizon, seeds, batch, inputs of the last but one layer) is what dropout leaves of these inputs.
    """
    found = _forward(weights, told, kept)
    known = np.isfinite(truth)[..., None]
    error = np.where(known, np.nan_to_num(truth)[..., None] - found["out"], 0)
    level = np.array(levels, truth.dtype)
    share = 1 / (known.sum(axis=(0, 2, 3)) + 1e-6).astype(truth.dtype)
    value = np.maximum(level * error, (level - 1) * error).sum(axis=(0, 2, 3)) * share
    of_out = np.where(error > 0, -level, 1 - level) * known * share[:, None, None]
    return value, _backward(weights, told, kept, found, of_out)


def _forward(weights: Weights, told: Examples, kept: Floats | None) -> dict[str, Floats]:
    """The outputs, and what the gradient needs of the way to them."""
    encoder = _cells(weights, "encoder", told.past, None)
    decoder = _cells(weights, "decoder", told.future, (encoder["h"][-1], encoder["c"][-1]))
    summary = np.concatenate([encoder["h"][-1], told.series], axis=2)
    context = np.tanh(_dense(weights, "context", summary))
    path = decoder["h"][1:]
    joined = np.concatenate([path, np.broadcast_to(context, path.shape), told.future], axis=3)
    if kept is not None:
        joined *= kept
    hidden = np.maximum(_dense(weights, "hidden", joined), 0)
    return (
        {f"encoder.{name}": values for name, values in encoder.items()}
        | {f"decoder.{name}": values for name, values in decoder.items()}
        | {"summary": summary, "context": context, "joined": joined, "hidden": hidden}
        | {"out": _dense(weights, "out", hidden)}
    )


def _backward(
    weights: Weights, told: Examples, kept: Floats | None, found: dict[str, Floats], of_out: Floats
) -> Weights:
    """The gradient of each weight, by those of the outputs."""
    units = found["context"].shape[2]
    gradient, of_hidden = _dense_back(weights, "out", found["hidden"], of_out)
    of_hidden *= found["hidden"] > 0
    more, of_joined = _dense_back(weights, "hidden", found["joined"], of_hidden)
    gradient |= more
    if kept is not None:
        of_joined *= kept
    of_context = of_joined[..., units : 2 * units].sum(axis=0) * (1 - found["context"] ** 2)
    more, of_summary = _dense_back(weights, "context", found["summary"], of_context)
    gradient |= more
    nothing = np.zeros_like(of_context)
    more, of_h, of_c = _cells_back(weights, "decoder", told.future, found, of_joined[..., :units], (nothing, nothing))
    gradient |= more
    more, _, _ = _cells_back(weights, "encoder", told.past, found, None, (of_h + of_summary[..., :units], of_c))
    return gradient | more


def _dense(weights: Weights, name: str, inputs: Floats) -> Floats:
    outputs: Floats = inputs @ weights[f"{name}.kernel"]
    outputs += weights[f"{name}.bias"][:, None]
    return outputs


def _dense_back(weights: Weights, name: str, inputs: Floats, of_outputs: Floats) -> tuple[Weights, Floats]:
    """The gradients of a layer's weights and of its inputs."""
    flat = _by_seed(of_outputs)
    kernel = _by_seed(inputs).swapaxes(1, 2) @ flat
    of_inputs = of_outputs @ weights[f"{name}.kernel"].swapaxes(1, 2)
    return {f"{name}.kernel": kernel, f"{name}.bias": flat.sum(axis=1)}, of_inputs


def _by_seed(values: Floats) -> Floats:
    """(..., seeds, batch, k) as (seeds, all others, k)."""
    seeds, width = values.shape[-3], values.shape[-1]
    return np.moveaxis(values, -3, 0).reshape(seeds, -1, width)


def _cells(weights: Weights, name: str, x: Floats, start: tuple[Floats, Floats] | None) -> dict[str, Floats]:
    """A layer of cells over x (time, seeds, batch, k): `h` and `c` before each step and after the last, and the `gates`.

    `bounded` is the hyperbolic tangent of c after each step.
    """
    kernel, recurrent, bias = (weights[f"{name}.{part}"].swapaxes(0, 1) for part in ("kernel", "recurrent", "bias"))
    gates = x[:, None] @ kernel
    gates += bias[:, :, None]
    steps, _, *shape = gates.shape
    h, c = (np.zeros((steps + 1, *shape), gates.dtype) for _ in range(2))
    if start is not None:
        h[0], c[0] = start
    bounded = np.empty((steps, *shape), gates.dtype)
    for step in range(steps):
        gate = gates[step]
        gate += h[step] @ recurrent
        opening, candidate = gate[:-1], gate[-1]
        np.exp(np.negative(opening, out=opening), out=opening)
        opening += 1
        np.reciprocal(opening, out=opening)
        np.tanh(candidate, out=candidate)
        write, keep, show = opening
        np.multiply(keep, c[step], out=c[step + 1])
        c[step + 1] += write * candidate
        np.tanh(c[step + 1], out=bounded[step])
        np.multiply(show, bounded[step], out=h[step + 1])
    return {"h": h, "c": c, "bounded": bounded, "gates": gates}


def _cells_back(
    weights: Weights, name: str, x: Floats, found: dict[str, Floats], of_path: Floats | None, end: tuple[Floats, Floats]
) -> tuple[Weights, Floats, Floats]:
    """The gradients of a layer's weights, and of the h and c that it started from.

    `of_path` are those of h after each step, `end` those of the last h and c from elsewhere.
    """
    recurrent = weights[f"{name}.recurrent"].swapaxes(0, 1).swapaxes(2, 3)
    h, c, bounded, gates = (found[f"{name}.{part}"] for part in ("h", "c", "bounded", "gates"))
    of_gates = np.empty_like(gates)
    of_h, of_c = end
    for step in reversed(range(len(gates))):
        write, keep, show, candidate = gates[step]
        if of_path is not None:
            of_h = of_h + of_path[step]
        of_c = of_c + of_h * show * (1 - bounded[step] ** 2)
        of_gate = of_gates[step]
        np.multiply(of_c, candidate, out=of_gate[0])
        np.multiply(of_c, c[step], out=of_gate[1])
        np.multiply(of_h, bounded[step], out=of_gate[2])
        np.multiply(of_c, write, out=of_gate[3])
        opening = gates[step, :-1]
        of_gate[:-1] *= opening - opening**2
        of_gate[-1] *= 1 - candidate**2
        of_h = (of_gate @ recurrent).sum(axis=0)
        of_c = of_c * keep
    flat = np.ascontiguousarray(np.moveaxis(of_gates, 0, 2))
    flat = flat.reshape(*flat.shape[:2], -1, flat.shape[-1])
    gradient = {
        "kernel": _by_seed(x).swapaxes(1, 2) @ flat,
        "recurrent": _by_seed(h[:-1]).swapaxes(1, 2) @ flat,
        "bias": flat.sum(axis=2),
    }
    return {f"{name}.{part}": one.swapaxes(0, 1) for part, one in gradient.items()}, of_h, of_c


def _initial(widths: tuple[int, int, int], how: Training, generator: np.random.Generator) -> Weights:
    """Weights as Keras draws them; forget gates begin open, and the last layer at zero: "as recently"."""
    units, (past, future, series) = how.units, widths

    def uniform(rows: int, columns: int) -> Floats:
        reach = np.sqrt(6 / (rows + columns))
        return generator.uniform(-reach, reach, (rows, columns))

    def orthogonal(rows: int, columns: int) -> Floats:
        basis, triangle = np.linalg.qr(generator.standard_normal((columns, rows)))
        return np.asarray((basis * np.sign(np.diag(triangle))).T)

    def by_gate(kernel: Floats) -> Floats:
        return np.stack(np.split(kernel, _GATES, axis=1))

    drawn: Weights = {}
    for name, width in (("encoder", past), ("decoder", future)):
        drawn[f"{name}.kernel"] = by_gate(uniform(width, _GATES * units))
        drawn[f"{name}.recurrent"] = by_gate(orthogonal(units, _GATES * units))
        drawn[f"{name}.bias"] = np.repeat([[0.0], [1.0], [0.0], [0.0]], units, axis=1)
    drawn["context.kernel"], drawn["context.bias"] = uniform(units + series, units), np.zeros(units)
    drawn["hidden.kernel"], drawn["hidden.bias"] = uniform(2 * units + future, units), np.zeros(units)
    drawn["out.kernel"], drawn["out.bias"] = np.zeros((units, len(how.levels))), np.zeros(len(how.levels))
    return {name: np.asarray(one, np.float32) for name, one in drawn.items()}


def _batches(count: int, size: int, generator: np.random.Generator) -> Iterator[npt.NDArray[np.intp]]:
    """Batches of rows without end, all rows in a new order before any comes again."""
    size = min(size, count)
    rows = np.zeros(0, np.intp)
    while True:
        if len(rows) < size:
            rows = np.concatenate([rows, generator.permutation(count)])
        yield rows[:size]
        rows = rows[size:]


def _adam(weights: Weights, gradient: Weights, means: Weights, squares: Weights, rate: float, step: int) -> None:
    """One step of Adam, in place; no weight's gradient is longer than 1."""
    rate *= np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    for name, own in gradient.items():
        length = np.sqrt((own**2).sum(axis=tuple(range(1, own.ndim)), keepdims=True))
        own = own / np.maximum(length, 1)
        means[name] += 0.1 * (own - means[name])
        squares[name] += 0.001 * (own**2 - squares[name])
        weights[name] -= (rate * means[name] / (np.sqrt(squares[name]) + 1e-7)).astype(own.dtype)
