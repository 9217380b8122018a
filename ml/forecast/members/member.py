"""What every member of the ensemble can do."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from joblib import Parallel, cpu_count, delayed

from ml.forecast.panel.decomposition import Decomposition
from ml.forecast.panel.panel import Array, History

_BATCH = 50  # series; starting another process for fewer does not pay
_WATCHED = 2.0  # seconds between two looks


class Member(Protocol):
    """A model that forecasts `z`, what is left over the shared decomposition, for every series of a history.

    Local members learn each series anew where they forecast, so `fit`, `save` and `load` do nothing; global ones keep
    what `fit` learnt.
    """

    def fit(self, history: History, shared: Decomposition) -> None:
        """Learn from the past of all series."""

    def forecast(self, history: History, shared: Decomposition) -> Array:
        """The median of z for each series and step, (series, horizon)."""

    def save(self, folder: Path) -> None:
        """Write what was learnt as plain files."""

    def load(self, folder: Path) -> None:
        """Read what `save` wrote."""


class Local:
    """A member that keeps nothing between histories."""

    def fit(self, history: History, shared: Decomposition) -> None:
        """Nothing is learnt ahead."""

    def save(self, folder: Path) -> None:
        """Nothing is kept."""

    def load(self, folder: Path) -> None:
        """Nothing is kept."""


def on_all_cores(forecast: Callable[[History, Decomposition], Array], history: History, shared: Decomposition) -> Array:
    """What a local member says of each series, (series, horizon), with the series shared out to processes."""
    rows = np.arange(len(history.ids))
    parts = np.array_split(rows, max(1, round(len(rows) / _BATCH)))
    asked = Parallel(n_jobs=min(len(parts), cpu_count()), initializer=_end_with, initargs=(os.getpid(),))
    return np.concatenate(asked(delayed(forecast)(history.only(part), shared.only(part)) for part in parts))


def _end_with(job: int) -> None:
    """Let a process end when the job that began it has: killed, a job cannot tell its processes."""

    def watch() -> None:
        while os.getppid() == job:
            threading.Event().wait(_WATCHED)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
