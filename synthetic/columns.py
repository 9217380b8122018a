"""Expressions that turn numbers into the texts that a real export would hold: ids, names, times, money."""

import polars as pl

from synthetic.base import DAY_SECONDS, Options

Column = str | pl.Expr | pl.Series
SESSION_BITS = 40
SESSION_FACTOR = 741_103_597_327
"""An odd factor: multiplying by it modulo a power of two maps session numbers one to one, and hides their order."""


def expression(column: Column) -> pl.Expr:
    """A column given by name, expression or values."""
    if isinstance(column, str):
        return pl.col(column)
    return pl.lit(column) if isinstance(column, pl.Series) else column


def identity(prefix: str, number: Column, width: int) -> pl.Expr:
    """Prefix and number with leading zeros."""
    return pl.concat_str(pl.lit(prefix), expression(number).cast(pl.String).str.zfill(width))


def text(template: str, *columns: Column) -> pl.Expr:
    """A template with `{}` for each column. (`pl.format` of polars 2.1 panics on frames with an empty chunk.)"""
    first, *others = template.split("{}")
    filled = [
        part for column, fixed in zip(columns, others, strict=True) for part in (expression(column), pl.lit(fixed))
    ]
    return pl.concat_str(pl.lit(first), *filled)


def order_id() -> pl.Expr:
    """The id of the order in column `number`."""
    return identity("O", "number", 9)


def review_id() -> pl.Expr:
    """The id of a review: each order line has at most one."""
    return text("R{}-{}", pl.col("number").cast(pl.String).str.zfill(9), "line_no")


def session_id(number: Column) -> pl.Expr:
    """A session's id, from which nobody can tell whether the session buys."""
    hidden = (expression(number).cast(pl.UInt64) * SESSION_FACTOR) % (1 << SESSION_BITS)
    return identity("W", hidden, 13)


def named(names: tuple[str, ...], number: Column) -> pl.Expr:
    """The name at a position."""
    return expression(number).replace_strict(range(len(names)), list(names), return_dtype=pl.String)


def timestamp(seconds: Column) -> pl.Expr:
    """Seconds since 1970 as a time."""
    return pl.from_epoch(expression(seconds), time_unit="s")


def day_of(options: Options, seconds: str) -> pl.Expr:
    """The day number of seconds since 1970."""
    return (pl.col(seconds) - options.epoch) // DAY_SECONDS


def date_of(options: Options, day: Column) -> pl.Expr:
    """A day number as a date text."""
    days = (options.epoch // DAY_SECONDS + expression(day)).cast(pl.Int32)
    return days.cast(pl.Date).dt.strftime("%Y-%m-%d")


def euros(cents: str) -> pl.Expr:
    """Cents as euros; the writer prints two decimals, which a float holds exactly enough up to 10^13 euros."""
    return pl.col(cents) / 100


def decimal_text(cents: str) -> pl.Expr:
    """Cents as a text with two decimals, for JSON, where a number would lose its zeros."""
    return pl.concat_str(
        (pl.col(cents) // 100).cast(pl.String), pl.lit("."), (pl.col(cents) % 100).cast(pl.String).str.zfill(2)
    )
