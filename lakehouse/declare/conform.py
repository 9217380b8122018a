"""Helpers for pure builds: from delivered text to declared types, and one vocabulary."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import WindowSpec

from lakehouse.declare.rules import quoted
from lakehouse.declare.table import DELIVERY_ORDER, Table

RESTATED = "_restated"
"""A build may mark rows with it: a later delivery said anew, and without them, what they are part of."""
RESUBMITTED = "resubmitted-"
"""In the names of files that bring refused rows again: they hold single rows, not all of what they are part of."""
NOTHING = ("null", "nil", "none", "nan", "\\n")
"""Spellings of nothing beside blank text, in any case: what databases, spreadsheets and data frames write for it."""
_DIGITS = 12
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"
_WHOLE = r"^[+-]?\d+(\.0*)?$"
_SHORT = r"^[+-]?\d{1,9}$"
"""What every whole type holds."""
_DAY = r"\d{4}-\d{1,2}-\d{1,2}"
_CLOCK = r"[ T]\d{1,2}:\d{2}(:\d{2}(\.\d{1,9})?)?"
_ZONE = r" ?(Z|UTC|GMT|[+-]\d{2}(:?\d{2})?|[A-Z][A-Za-z_]+/[A-Z][A-Za-z_/]+)"
_FULL = "decimal(38,12)"


def typed(
    delivered: DataFrame,
    table: Table,
    *,
    nothing: Sequence[str] = NOTHING,
    timezone: str = "UTC",
    day_formats: Mapping[str, Sequence[str]] | None = None,
    decimals: Mapping[str, int | Column] | None = None,
    **columns: str | Column,
) -> DataFrame:
    """Add the table's columns, read from delivered text as their declared types.

    Each keyword names a field of `table`; its value is the delivered column, or an expression of text that is taken as
    it is. Delivered text is trimmed; blank text, and the spellings in `nothing`, are missing. Numbers are plain
    (`-12.50`, `1e3`), whole ones may end in `.0`; days and times begin with `YYYY-MM-DD` unless `day_formats` gives
    other patterns (of Spark) for a field. A time with an offset or a zone is that instant; one without is the wall
    clock of `timezone`. A value that would lose digits is not read: those beyond the declared type, or beyond the
    `decimals` that are declared for a field.

    What is not missing and cannot be read is null; its field is listed in `_untyped` (",quantity,sold_at,") and its
    text kept in `_unread`, from which the road makes the reason. All other columns are kept.

    The rows come distributed by the table's `distribution`: all windows over parts of one key then find them together,
    and rows with all that they carry are moved once.
    """
    types = {f.name: f.type for f in table.fields}
    # In three steps, each of columns that the next one uses several times: Spark computes them once.
    texts = {name: F.col(f"_text_{name}") for name in columns}
    found = {name: text(F.col(value), nothing) if isinstance(value, str) else value for name, value in columns.items()}
    delivered = delivered.withColumns({f"_text_{name}": value for name, value in found.items()})
    values = {
        name: _value(texts[name], types[name], timezone, (day_formats or {}).get(name, ()), (decimals or {}).get(name))
        for name in columns
    }
    read = delivered.withColumns(values)
    untyped, unread = F.lit(None).cast("string"), F.lit(None).cast("map<string, string>")
    if told := [name for name in columns if types[name] != "string"]:
        listed = F.concat_ws(
            ",", *(F.when(texts[name].isNotNull() & F.col(name).isNull(), F.lit(name)) for name in told)
        )
        untyped = F.when(F.length(listed) > 0, F.concat(F.lit(","), listed, F.lit(",")))
        came = [part for name in told for part in (F.lit(name), texts[name])]
        unread = F.when(F.length(listed) > 0, F.create_map(*came))
    read = read.withColumns({"_untyped": untyped, "_unread": unread}).drop(*(f"_text_{name}" for name in columns))
    return read.repartition(*table.distribution)


def carried(rows: DataFrame, needed: Sequence[str], change: Callable[[DataFrame], DataFrame]) -> DataFrame:
    """Change rows by their columns `needed`, while all others are carried along as one.

    Each window copies every column of every row once more, and wide decimals as numbers: as one, they are only bytes.
    """
    others = [name for name in rows.columns if name not in needed]
    changed = change(rows.select(*needed, F.struct(*others).alias("_carried")))
    return changed.select(*(name for name in changed.columns if name != "_carried"), "_carried.*")


_BLANKS = " \t\u00a0\ufeff"


def text_sql(column: str, nothing: Sequence[str] = NOTHING) -> str:
    """SQL for `text`, for the groups and filters of a step."""
    trimmed, listed = f"trim(BOTH '{_BLANKS}' FROM {column})", ", ".join(map(quoted, nothing))
    return f"CASE WHEN {trimmed} <> '' AND lower({trimmed}) NOT IN ({listed}) THEN {trimmed} END"


def text(column: Column, nothing: Sequence[str] = NOTHING) -> Column:
    """A delivered text, trimmed; null where it is blank or a spelling of nothing."""
    # Spark takes long to trim other blanks than spaces: only where there are some.
    trimmed, has_others = F.trim(column), F.lit(False)
    for blank in _BLANKS.replace(" ", ""):
        has_others |= trimmed.startswith(blank) | trimmed.endswith(blank)
    trimmed = F.when(has_others, F.trim(column, F.lit(_BLANKS))).otherwise(trimmed)
    size = F.length(trimmed)
    is_told = (size > max(map(len, nothing), default=0)) | ((size > 0) & ~F.lower(trimmed).isin(list(nothing)))
    return F.when(is_told, trimmed)


def _value(found: Column, kind: str, timezone: str, formats: Sequence[str], decimals: int | Column | None) -> Column:
    if kind == "string":
        return found
    if kind == "timestamp":
        return at(found, timezone, formats)
    if kind == "date":
        return day(found, formats)
    if kind in ("int", "bigint"):
        whole = F.when(found.rlike(_WHOLE), found.try_cast("decimal(38,0)").try_cast(kind))
        return F.when(found.rlike(_SHORT), found.try_cast(kind)).otherwise(whole)
    if kind.startswith("decimal("):
        return _exact(found, kind, decimals)
    if kind == "double":
        return F.when(found.rlike(_NUMBER), found.try_cast(kind))
    return found.try_cast(kind)


def _exact(found: Column, kind: str, decimals: int | Column | None) -> Column:
    """A decimal that loses no digit of its text. What is plainly within its digits is read at once."""
    precision, scale = map(int, kind[8:-1].split(","))
    places = min(scale, decimals) if isinstance(decimals, int) else scale
    is_plain = found.rlike(rf"^[+-]?\d{{1,{precision - scale}}}" + (rf"(\.\d{{1,{places}}})?$" if places else "$"))
    full = F.when(found.rlike(_NUMBER), found.try_cast(_FULL))
    value = full.try_cast(kind)
    is_exact = value.cast(_FULL) == full
    if decimals is not None:
        digits = decimals if isinstance(decimals, Column) else F.lit(decimals)
        fewer = F.coalesce(*(F.when(digits == n, F.round(full, n)) for n in range(7)), full)
        is_exact &= fewer.cast(_FULL) == full
        point = F.instr(found, ".")
        is_plain &= (point == 0) | (F.length(found) - point <= digits)
    return F.when(is_plain, found.try_cast(kind)).otherwise(F.when(is_exact, value))


def at(found: Column, timezone: str = "UTC", formats: Sequence[str] = ()) -> Column:
    """A text as an instant (UTC): by `formats` first, else `YYYY-MM-DD` with an optional time, offset or zone."""
    has_zone = found.rlike(f"^{_DAY}{_CLOCK}{_ZONE}$")
    is_local = found.rlike(f"^{_DAY}({_CLOCK})?$")
    instant = found.try_cast("timestamp")
    iso = F.when(is_local, utc(instant, timezone)).when(has_zone, instant)
    return F.coalesce(*(utc(F.try_to_timestamp(found, F.lit(each)), timezone) for each in formats), iso)


def day(found: Column, formats: Sequence[str] = ()) -> Column:
    """A text as a day: by `formats` first, else `YYYY-MM-DD`; a time that follows is left out."""
    first = F.regexp_extract(found, f"^{_DAY}", 0)
    iso = F.when(found.rlike(f"^{_DAY}({_CLOCK}({_ZONE})?)?$"), first.try_cast("date"))
    return F.coalesce(*(F.try_to_timestamp(found, F.lit(each)).cast("date") for each in formats), iso)


def full_sql(column: str) -> str:
    """SQL for the number that a delivered text names, at full width; null where it names none."""
    return f"try_cast(trim(BOTH '{_BLANKS}' FROM {column}) AS DECIMAL(17,6))"


def utc(local: Column, timezone: str) -> Column:
    """A wall-clock timestamp of a shop's timezone, as UTC."""
    return F.to_utc_timestamp(local, timezone)


def local_day(instant: Column, timezone: str) -> Column:
    """The day that an instant (UTC) falls on by a shop's clock."""
    return F.to_date(F.from_utc_timestamp(instant, timezone))


def natural(name: Column) -> Column:
    """A text that sorts by the numbers in it, each with twelve digits: `orders_2.csv` comes before `orders_10.csv`."""
    padded = F.regexp_replace(name, r"(\d+)", "0" * _DIGITS + "$1")
    return F.regexp_replace(padded, rf"\d*(\d{{{_DIGITS}}})(?!\d)", "$1")


def in_order(names: Sequence[str]) -> list[Column]:
    """Columns that a newer row has greater values in; names of files compare by the numbers in them."""
    return [natural(F.col(n)).alias(n) if n == "_source_file" else F.col(n) for n in names]


def said_anew(rows: DataFrame, of_part: WindowSpec, of_whole: WindowSpec) -> DataFrame:
    """Add `_delivery`, greater for a later delivery, and `_anew`, the newest that says a part of the whole again.

    Both are null where no part of a whole stands in several deliveries, as in nearly all of a shop: names of files take
    long to be read. A file of rows resubmitted says nothing anew: it holds single rows.
    """
    first_two = DELIVERY_ORDER[:2]
    is_again = reduce(Column.__or__, (F.min(name).over(of_part) != F.max(name).over(of_part) for name in first_two))
    rows = rows.withColumn("_is_again", is_again)
    delivery = F.when(F.max("_is_again").over(of_whole), F.struct(*in_order(first_two)))
    rows = rows.withColumn("_delivery", delivery).drop("_is_again")
    repeats = ~F.col("_source_file").contains(RESUBMITTED) & (F.min("_delivery").over(of_part) < F.col("_delivery"))
    return rows.withColumn("_anew", F.max(F.when(repeats, F.col("_delivery"))).over(of_whole))


def natural_key(name: str) -> str:
    """What `natural` gives for a text, in Python."""
    return re.sub(r"\d+", lambda number: number[0].zfill(_DIGITS)[-_DIGITS:], name)


def pseudonym(column: Column, key: str) -> Column:
    """HMAC-SHA256 (RFC 2104) of a text by a secret key, as hex; the same text gives the same, null stays null."""
    block = key.encode().ljust(64, b"\0")
    if len(block) > 64:
        raise ValueError("the key must be at most 64 bytes long")
    inner, outer = (F.lit(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))
    digest = F.unhex(F.sha2(F.concat(inner, column.cast("binary")), 256))
    return F.sha2(F.concat(outer, digest), 256)
