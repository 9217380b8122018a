"""What every member of the ensemble can do."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ml.forecast.baseline import Baseline
from ml.forecast.panel import Array, History


class Member(Protocol):
    """A model that forecasts `z`, what is left over the shared baseline, for every series of a history.

    Local members learn each series anew where they forecast, so `fit`, `save` and `load` do nothing; global ones keep
    what `fit` learnt.
    """

    def fit(self, history: History, shared: Baseline) -> None:
        """Learn from the past of all series."""

    def forecast(self, history: History, shared: Baseline) -> Array:
        """The median of z for each series and step, (series, horizon)."""

    def save(self, folder: Path) -> None:
        """Write what was learnt as plain files."""

    def load(self, folder: Path) -> None:
        """Read what `save` wrote."""


class Local:
    """A member that keeps nothing between histories."""

    def fit(self, history: History, shared: Baseline) -> None:
        """Nothing is learnt ahead."""

    def save(self, folder: Path) -> None:
        """Nothing is kept."""

    def load(self, folder: Path) -> None:
        """Nothing is kept."""
