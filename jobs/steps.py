"""All steps, in the order in which they depend on each other."""

import bronze
import gold
import silver
from lakehouse.declare.table import Step

ALL: tuple[Step, ...] = (*bronze.STEPS, *silver.STEPS, *gold.STEPS)


def catalogued() -> tuple[Step, ...]:
    """All steps and those into the scored tables, which run with a model: what the catalogue shows."""
    from ml.core import scorecard, scoring
    from ml.families import FAMILIES

    return (*ALL, *scoring.declared(FAMILIES), scorecard.step(None))
