"""The recurrent networks: their gradient is that of their loss, and they learn what they are told."""

from __future__ import annotations

import numpy as np
import pytest

from ml.forecast.members import recurrent
from ml.forecast.members.recurrent import Examples, Training

HOW = Training(units=3, levels=(0.25, 0.5, 0.9), steps=300, batch=16, rate=1e-2, dropout=0.0)
SEEDS = [1, 2]


def made_up(count: int, generator: np.random.Generator) -> tuple[Examples, np.ndarray]:
    """What comes is the last of the past, and twice what is known of the step."""
    past, future = generator.standard_normal((count, 5, 2)), generator.standard_normal((count, 4, 1))
    truth = past[:, -1:, 0] + 2 * future[:, :, 0]
    return Examples(past, future, generator.standard_normal((count, 2))), truth


def test_the_gradient_is_that_of_the_loss() -> None:
    generator = np.random.default_rng(0)
    examples, truth = made_up(6, generator)
    truth[0, 2], truth[3] = np.nan, np.nan
    rows = np.array([[0, 1, 2, 3], [5, 4, 3, 2]])
    short = Training(HOW.units, HOW.levels, 2, 4, 0.1, 0.0)
    weights = {name: one.astype(float) for name, one in recurrent.train(examples, truth, SEEDS, short).items()}
    told, target = examples.of_seeds(rows), np.moveaxis(truth[rows], 2, 0)
    kept = (generator.random((4, 2, 4, 2 * HOW.units + 1)) > 0.2) / 0.8
    _, gradient = recurrent.loss(weights, told, target, HOW.levels, kept)
    assert gradient.keys() == weights.keys()
    for name, one in weights.items():
        for place in np.ndindex(*one.shape):
            kick = np.zeros_like(one)
            kick[place] = 1e-6
            up, down = (
                recurrent.loss(weights | {name: one + sign * kick}, told, target, HOW.levels, kept)[0].sum()
                for sign in (1, -1)
            )
            assert gradient[name][place] == pytest.approx((up - down) / 2e-6, abs=1e-6), (name, place)


def test_they_learn_what_is_there_and_more_seeds_change_none() -> None:
    examples, truth = made_up(400, np.random.default_rng(3))
    weights = recurrent.train(examples, truth, SEEDS, HOW)
    later, came = made_up(100, np.random.default_rng(4))
    found = recurrent.ask(weights, later, 33)
    error = np.abs(found[..., 1] - came).mean(axis=(1, 2))
    assert (error < 0.5 * np.abs(came).mean()).all()
    alone = recurrent.ask(recurrent.train(examples, truth, SEEDS[1:], HOW), later, 100)
    assert np.allclose(alone[0], found[1], atol=1e-5)


def test_all_examples_come_before_any_comes_again() -> None:
    batches = recurrent._batches(10, 4, np.random.default_rng(0))
    seen = np.concatenate([next(batches) for _ in range(5)])
    assert sorted(seen[:10]) == list(range(10)) == sorted(seen[10:])
