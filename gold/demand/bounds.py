"""How high a forecast may be at most: what was seen, with room for growth."""

from __future__ import annotations

from gold.vocabulary import law
from lakehouse.declare.rules import Rule, not_null
from lakehouse.declare.table import Field

MOST = 20.0
"""Times the highest period of the history. Sales before Christmas are some ten times those of other days, and a history
that has seen one knows the highest of them already; a young shop may grow tenfold. Beyond that a number says that
nothing is known, and not that so much will be sold."""


def highest(meaning: str, unit: str) -> Field:
    """The highest period of the history."""
    return Field("highest", "double", meaning, unit, (not_null("fail"),))


def limit_law(instead: str = "0", *columns: str) -> Rule:
    """No quantile is beyond what history and growth allow; `instead` is SQL for what is expected where little is known.

    One piece, or one unit of money, may always be said.
    """
    return law(
        "q975.limit",
        f"q975 must not be above {MOST:.0f} times the highest period of the history",
        f"q975 <= {MOST} * greatest(highest, {instead}, 1.0) * (1 + 1e-9)",
        "q975",
        "highest",
        *columns,
    )
