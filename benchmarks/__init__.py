"""Measured comparisons against other tools; every number and every ratio comes from one run."""
