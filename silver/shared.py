"""What several silver tables have in common: fields, rules over several columns, and what a source leaves open."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.rules import Action, Rule, matches, not_null
from lakehouse.table import Field, Table
from silver.countries import UNKNOWN_CODE, UNKNOWN_NAME

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


def holds(
    name: str, columns: tuple[str, ...], says: str, truth: Callable[[], Column], action: Action = "quarantine"
) -> Rule:
    """A rule over several columns: `truth` must not be false. Null passes, as in every other rule."""
    return Rule(
        name,
        columns,
        says,
        lambda: F.coalesce(~truth(), F.lit(False)),
        "expect_column_values_to_be_in_set",
        {"column": f"_{name.replace('.', '_')}", "value_set": [True]},
        action,
        derives=truth,
    )


COUNTRY_KNOWN = holds(
    "country.known",
    ("country",),
    "country must be in the vocabulary of silver/countries.py",
    lambda: (F.col("country_code") != UNKNOWN_CODE) | (F.col("country") == UNKNOWN_NAME),
    action="warn",
)


def completed(rows: DataFrame, table: Table) -> DataFrame:
    """Add the columns of a table that a source knows nothing about, as null."""
    return rows.withColumns({f.name: F.lit(None).cast(f.type) for f in table.fields if f.name not in rows.columns})
