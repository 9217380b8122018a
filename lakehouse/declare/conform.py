"""Helpers for pure builds: from delivered text to declared types, and one vocabulary."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.declare.table import Table


def typed(delivered: DataFrame, table: Table, **columns: str | Column) -> DataFrame:
    """Add the table's columns, read from delivered text as their declared types.

    Each keyword names a field of `table`; its value is the delivered column, or an expression of text. Text is trimmed,
    and blank text is missing. What is not blank and cannot be read is null; its field is listed in `_untyped`
    (",quantity,sold_at,") and its text kept in `_unread`, from which the road makes the reason. All other columns are
    kept.
    """
    types = {f.name: f.type for f in table.fields}
    texts = {name: _text(F.col(value) if isinstance(value, str) else value) for name, value in columns.items()}
    values = {name: text if types[name] == "string" else text.try_cast(types[name]) for name, text in texts.items()}
    failures = [
        F.when(texts[name].isNotNull() & value.isNull(), F.lit(name))
        for name, value in values.items()
        if types[name] != "string"
    ]
    untyped, unread = F.lit(None).cast("string"), F.lit(None).cast("map<string, string>")
    if failures:
        listed = F.concat_ws(",", *failures)
        untyped = F.when(F.length(listed) > 0, F.concat(F.lit(","), listed, F.lit(",")))
        came = [part for name, text in texts.items() if types[name] != "string" for part in (F.lit(name), text)]
        unread = F.when(F.length(listed) > 0, F.create_map(*came))
    return delivered.withColumns(values | {"_untyped": untyped, "_unread": unread})


def _text(column: Column) -> Column:
    trimmed = F.trim(column)
    return F.when(F.length(trimmed) > 0, trimmed)


def utc(local: Column, timezone: str) -> Column:
    """A wall-clock timestamp of a shop's timezone, as UTC."""
    return F.to_utc_timestamp(local, timezone)


def pseudonym(column: Column, key: str) -> Column:
    """HMAC-SHA256 (RFC 2104) of a text by a secret key, as hex; the same text gives the same, null stays null."""
    block = key.encode().ljust(64, b"\0")
    if len(block) > 64:
        raise ValueError("the key must be at most 64 bytes long")
    inner, outer = (F.lit(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))
    digest = F.unhex(F.sha2(F.concat(inner, column.cast("binary")), 256))
    return F.sha2(F.concat(outer, digest), 256)
