"""The feed of the Stallion beverages case."""

from bronze.stallion_beverages import volumes

STEPS = (volumes.STEP,)
