"""All steps, in the order in which they depend on each other."""

import bronze
import gold
import silver
from lakehouse.declare.table import Step
from lakehouse.intake.feeds import Feed

ALL: tuple[Step, ...] = (*bronze.STEPS, *silver.STEPS, *gold.STEPS)
FEEDS: tuple[Feed, ...] = tuple(step.feed for step in bronze.STEPS)


def catalogued() -> tuple[Step, ...]:
    """All steps and those into the scored tables, which run with a model: what the catalogue shows."""
    from ml.core import scorecard, scoring
    from ml.families import FAMILIES

    return (*ALL, *scoring.declared(FAMILIES), scorecard.step(None))
