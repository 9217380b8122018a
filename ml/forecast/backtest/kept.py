"""What members said at a cutoff, kept from one training to the next while nothing that they learnt from moves."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

import ml.core.networks
from ml.forecast.panel.decomposition import Decomposition
from ml.forecast.panel.panel import Array, History
from ml.forecast.settings import Settings

Said = Mapping[str, Array]
"""By key what members said, (members, series, horizon), on the log scale."""
NOTHING_SAID: Said = MappingProxyType({})
_LIBRARIES = ("numpy", "pandas", "scipy", "statsmodels", "prophet", "lightgbm", "keras", "tensorflow")


def key_of(history: History, shared: Decomposition, settings: Settings) -> str:
    """A hash of all that members learn from at a cutoff, and of how: the past to the last bit, settings and code."""
    found = hashlib.sha256(code_version().encode())
    found.update(json.dumps(asdict(settings), sort_keys=True).encode())
    for part in (history, shared):
        for field in fields(part):
            found.update(_bytes(getattr(part, field.name)))
    return found.hexdigest()


@functools.cache
def code_version() -> str:
    """A hash of this family's code and the versions of the libraries that it learns with."""
    found = hashlib.sha256()
    package = Path(__file__).parents[1]
    for path in (*sorted(package.rglob("*.py")), Path(ml.core.networks.__file__)):
        found.update(path.name.encode() + path.read_bytes())
    for name in _LIBRARIES:
        found.update(f"{name} {importlib.metadata.version(name)}".encode())
    return found.hexdigest()


def _bytes(value: Any) -> bytes:
    """A value with its shape; whatever is not known is one NaN."""
    if not isinstance(value, np.ndarray):
        return repr(list(value) if isinstance(value, Iterable) and not isinstance(value, str) else value).encode()
    if value.dtype.kind == "f":
        value = np.where(np.isnan(value), np.nan, value)
    return f"{value.shape}".encode() + np.ascontiguousarray(value).tobytes()
