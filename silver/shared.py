"""What several silver tables have in common: fields, rules over several columns, and what a source leaves open."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare.rules import holds, matches, not_null
from lakehouse.declare.table import Field, Table
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
