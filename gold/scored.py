"""Columns that every scored table has: which model made the row."""

from __future__ import annotations

from gold.declare import key
from lakehouse.table import Field

MODEL = key("model", "string", "model and version that scored; a plain baseline where no model beat it yet")
RUN = Field("model_run", "string", "MLflow run that trained it; null for a baseline")
