"""New series: how much others sold after they began."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.forecast.panel.panel import Array, Frequency, History

NEW: dict[Frequency, int] = {"D": 7, "W": 3, "M": 2}  # known periods below which a series has no level of its own
_UNSEEN: dict[Frequency, int] = {"D": 28, "W": 8, "M": 4}  # first periods of a panel, in which old series seem to begin
_LEAST = 5  # new series to tell anything
_HIGHEST = 0.95  # quantile of the new series above which nobody counts: a first order may be huge


@dataclass(frozen=True)
class ColdStart:
    """Series whose beginning was seen: the mean of each per period after its first ones, and its category."""

    level: Array
    category: npt.NDArray[np.str_]
    prior: int

    @staticmethod
    def of(history: History) -> ColdStart:
        """Those that began in time to be known for as long as they are new, and as long again."""
        known = np.isfinite(history.y)
        first, new = known.argmax(axis=1), NEW[history.frequency]
        rows = np.flatnonzero((first >= _UNSEEN[history.frequency]) & (known.sum(axis=1) >= 2 * new))
        after = [history.y[row, first[row] + new : first[row] + new + history.horizon] for row in rows]
        level = np.array([np.nanmean(one) if np.isfinite(one).any() else np.nan for one in after])
        told = np.isfinite(level)
        return ColdStart(level[told], np.array(history.category)[rows][told], new)

    def expected(self, category: str, own: Array) -> tuple[float, str] | None:
        """The mean per period of a series that is known for the periods `own`, and whose beginnings tell it.

        What new series of the category sold, or all, counts as much as the periods for which a series is new. None
        where there are fewer than five.
        """
        alike = self.level[self.category == category]
        name, levels = (f"category {category}", alike) if len(alike) >= _LEAST else ("all series", self.level)
        if len(levels) < _LEAST:
            return None
        most = float(np.quantile(levels, _HIGHEST))
        usual = float(np.clip(levels, 0.0, most).mean())
        seen = float(np.clip(own.mean(), 0.0, most)) * len(own) if len(own) else 0.0
        return (seen + self.prior * usual) / (len(own) + self.prior), name
