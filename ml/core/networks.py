"""The one door to Keras, which trains the networks here; dense ones are asked without it."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Sequence
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@functools.cache
def keras() -> ModuleType:
    """Keras on TensorFlow, without its start-up messages; some of them come before TensorFlow reads any setting."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # the same sums in the same order on every machine
    screen, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        module = importlib.import_module("keras")
        module.ops.zeros(1)  # starts the backend
        return module
    finally:
        os.dup2(screen, 2)
        os.close(screen)
        os.close(nowhere)


def dense(values: Floats, weights: Sequence[Floats]) -> Floats:
    """What dense layers make of rows: kernel and bias of each in `weights`, rectified between them."""
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        values = np.maximum(values @ kernel + bias, 0)
    found: Floats = values @ weights[-2] + weights[-1]
    return found
