"""Words that the declarations of gold tables share.

Rules in gold block the batch: a wrong aggregate is our bug, not dirt to set aside.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare.rules import Check, Rule, between, holds, not_null
from lakehouse.declare.table import MONEY, Field, Table


def key(name: str, type_name: str, meaning: str, *checks: Check) -> Field:
    """A column of the grain: never missing."""
    return Field(name, type_name, meaning, rules=(not_null("fail"), *checks))


def money(name: str, meaning: str, *checks: Check) -> Field:
    """An amount, in the currency that the row names; never missing."""
    return Field(name, MONEY, meaning, "currency of the row", (not_null("fail"), *checks))


def count(name: str, meaning: str, unit: str, *checks: Check) -> Field:
    """A number of things, 0 or more and never missing, unless other checks are given."""
    return Field(name, "bigint", meaning, unit, (not_null("fail"), *(checks or (at_least_zero(),))))


def at_least_zero() -> Check:
    """The value is not negative."""
    return between(low=0, action="fail")


def at_most_zero() -> Check:
    """The value is not positive: what takes away is stored with its sign, so that columns add up."""
    return between(high=0, action="fail")


def law(name: str, says: str, truth: str, *columns: str) -> Rule:
    """A rule over several columns, as SQL that is true on a good row; null passes, as everywhere."""
    return holds(name, columns, says, truth, "fail")


def as_declared(frame: DataFrame, table: Table) -> DataFrame:
    """The columns of `table`, in its order and of its types (sums come out wider than what they sum)."""
    return frame.select([F.col(field.name).cast(field.type).alias(field.name) for field in table.fields])


SHOP = key("shop_id", "string", "shop that sold")
CURRENCY = key("currency", "string", "currency of the amounts in this row (ISO 4217); pounds are never added to euros")
SCOPE = ("shop_id",)


# --- scored tables: which model made the row, and what a forecast is made of ------------------------------------------

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
