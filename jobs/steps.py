"""All steps, in the order in which they depend on each other."""

import bronze
import gold
import silver
from lakehouse.table import Step

ALL: tuple[Step, ...] = (*bronze.STEPS, *silver.STEPS, *gold.STEPS)
