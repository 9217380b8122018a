"""Words that scored tables share: which model made the row, and what a forecast is made of."""

from __future__ import annotations

from gold.declare import key, law
from lakehouse.declare.rules import not_null
from lakehouse.declare.table import Field

MODEL = key("model", "string", "model and version that scored; a plain baseline where no model beat it yet")
RUN = Field("model_run", "string", "MLflow run that trained it; null for a baseline")

QUANTILES_LAW = law(
    "quantiles.law",
    "quantiles must rise from q025 to q975",
    "q025 <= q10 AND q10 <= median AND median <= q90 AND q90 <= q975",
    "q025",
    "q10",
    "median",
    "q90",
    "q975",
)


def expected(mean: str, median: str, unit: str) -> tuple[Field, ...]:
    """Mean, median and the bounds of the 80 and 95 % intervals; `mean` and `median` are their meanings."""
    meanings = {
        "mean": mean,
        "median": median,
        "q025": "quantile .025: lower bound of the 95 % interval",
        "q10": "quantile .1: lower bound of the 80 % interval",
        "q90": "quantile .9: upper bound of the 80 % interval",
        "q975": "quantile .975: upper bound of the 95 % interval",
    }
    return tuple(Field(name, "double", meaning, unit, (not_null("fail"),)) for name, meaning in meanings.items())
