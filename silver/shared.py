"""What several silver tables have in common: fields, and rules that need more than one column."""

from __future__ import annotations

from pyspark.sql import functions as F

from lakehouse.rules import Action, Rule, matches, not_null
from lakehouse.table import Field

SHOP_ID = Field("shop_id", "string", "shop that the row comes from", rules=(not_null(),))
CURRENCY = Field(
    "currency",
    "string",
    "ISO 4217 code of the amounts",
    rules=(not_null(), matches("^[A-Z]{3}$", "three capital letters")),
)
COUNTRY = Field("country", "string", "country, by its name in silver/countries.py")
COUNTRY_CODE = Field(
    "country_code",
    "string",
    "ISO 3166-1 alpha-2 code of the country; ZZ where it is unknown",
    rules=(not_null(), matches("^[A-Z]{2}$", "two capital letters")),
)


def holds(name: str, columns: tuple[str, ...], says: str, action: Action = "quarantine") -> Rule:
    """A rule over several columns that the build judges into the boolean `_<name>`; null counts as kept.

    The split and the gate then look at the same staged column, so that they can't disagree.
    """
    marker = f"_{name}"
    return Rule(
        name,
        columns,
        says,
        lambda: F.coalesce(~F.col(marker), F.lit(False)),
        "expect_column_values_to_be_in_set",
        {"column": marker, "value_set": [True]},
        action,
    )


COUNTRY_KNOWN = holds("country_known", ("country",), "country must be in the vocabulary", action="warn")
