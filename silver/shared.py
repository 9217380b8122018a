"""What several silver tables have in common: fields, rules over several columns, and what a source leaves open."""

from __future__ import annotations

from typing import Literal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.declare.conform import text
from lakehouse.declare.rules import Check, Rule, holds, matches, not_null, quoted
from lakehouse.declare.table import Field, Table
from silver.countries import UNKNOWN_CODE, UNKNOWN_NAME

SCOPE = ("shop_id",)
"""Keys are unique, and looked up, within a shop."""
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
    unknown=UNKNOWN_CODE,
)


COUNTRY_KNOWN = holds(
    "country.known",
    ("country",),
    "country must be in the vocabulary of silver/countries.py",
    f"country_code != '{UNKNOWN_CODE}' OR country = '{UNKNOWN_NAME}'",
    action="warn",
)


GUESTS = ("guest", "anonymous", "anon", "unknown", "n/a", "#n/a", "na", "-", "-1")
"""What feeds write for a customer without an account, beside the spellings of nothing and numbers that are 0."""
THREE_DECIMALS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
"""Currencies whose unit has a thousand parts (ISO 4217)."""
NO_DECIMALS = ("CLP", "ISK", "JPY", "KRW", "PYG", "RWF", "UGX", "VND", "XAF", "XOF", "XPF")
"""Currencies whose unit has no parts in use (ISO 4217)."""
MINOR_UNIT = (
    f"CASE WHEN currency IN ({', '.join(map(quoted, THREE_DECIMALS))}) THEN 0.001"
    f" WHEN currency IN ({', '.join(map(quoted, NO_DECIMALS))}) THEN 1 ELSE 0.01 END"
)
"""SQL over `currency` for its smallest coin: what one rounding may move."""


def known_customer(delivered: Column) -> Column:
    """A customer's id; null for a guest. Numbers that were once stored as floats are whole: `17850.0` is `17850`."""
    found = F.regexp_replace(text(delivered), r"^(\d+)\.0+$", "$1")
    return F.when(~F.lower(found).isin(list(GUESTS)) & ~found.rlike("^0+$"), found)


def currency_code(delivered: Column) -> Column:
    """An ISO 4217 code in capitals."""
    return F.upper(text(delivered))


def decimals_of(currency: Column) -> Column:
    """How many decimals an amount of a currency may have: three where its unit has a thousand parts, else two."""
    return F.when(currency.isin(list(THREE_DECIMALS)), 3).otherwise(2)


def not_after_delivery(kind: Literal["date", "time"] = "date") -> Check:
    """The day is at most one after the day (UTC) on which the file came: what was not yet cannot be told."""

    def bind(column: str) -> Rule:
        came = "CAST(_ingested_at AS DATE)" if kind == "date" else "_ingested_at"
        says = f"{column} must not lie after the delivery of its file"
        return holds(f"{column}.not_after_delivery", (column,), says, f"{column} <= {came} + INTERVAL '1' DAY")

    return bind


def completed(rows: DataFrame, table: Table) -> DataFrame:
    """Add the columns of a table that a source knows nothing about, as null."""
    return rows.withColumns({f.name: F.lit(None).cast(f.type) for f in table.fields if f.name not in rows.columns})
