"""The feed of MovieLens 100k."""

from bronze.movielens_100k import ratings

STEPS = (ratings.STEP,)
