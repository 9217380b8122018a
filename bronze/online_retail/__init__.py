"""The feed of Online Retail II."""

from bronze.online_retail import lines

STEPS = (lines.STEP,)
