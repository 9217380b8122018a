"""Days as shops see them: weekends, holidays, paydays and the days on which people buy presents, per country.

Payday is the last working day of the month: most people in Europe are paid monthly (77 % in Britain by a survey of
Indeed Flex). In the United States most are paid every second week (Bureau of Labor Statistics, "Length of pay
periods"), on days that no calendar knows, so there the mark says little.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import holidays
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare.rules import between, not_null
from lakehouse.declare.table import Field, Read, Step, Table
from silver import order_lines
from silver.shared import COUNTRY_CODE

TABLE = Table(
    name="silver.calendar",
    meaning="A day in a country that was sold to.",
    grain=("calendar_on", "country_code"),
    fields=(
        Field("calendar_on", "date", "day", rules=(not_null(),)),
        COUNTRY_CODE,
        Field("day", "int", "day of the month", rules=(between(1, 31),)),
        Field("iso_week", "int", "week of the ISO year", rules=(between(1, 53),)),
        Field("iso_year", "int", "year that the ISO week belongs to"),
        Field("month", "int", "month", rules=(between(1, 12),)),
        Field("quarter", "int", "quarter", rules=(between(1, 4),)),
        Field("year", "int", "year"),
        Field("weekday", "int", "day of the week, from 1 (Monday) to 7 (Sunday)", rules=(between(1, 7),)),
        Field("is_weekend", "boolean", "whether the country rests on that weekday"),
        Field("is_holiday", "boolean", "whether it is a public holiday"),
        Field("holiday_name", "string", "name of the holiday"),
        Field("is_payday", "boolean", "whether many are paid: the last working day of the month"),
        Field("special_day", "string", "day on which people buy more, such as Black Friday"),
    ),
    row_law="Every day from January of a country's first year of sales to December of the year after its last.",
    has_lineage=False,
    sequence_by=("calendar_on",),
)

# Where the library's days of the whole country are only those that all its parts share, the part with the capital; for
# the Channel Islands, Jersey.
_HOLIDAYS_OF = {"GB": ("GB", "ENG"), "XC": ("JE", None)}

_FIXED_DAYS = {
    (2, 14): "Valentine's Day",
    (11, 11): "Singles' Day",
    (12, 24): "Christmas Eve",
    (12, 31): "New Year's Eve",
}

# Mother's Day, where it is not the second Sunday of May.
_IN_LENT = {"GB", "IE", "XC", "JE", "GG", "IM", "NG"}
_FIRST_OF_MAY = {"ES", "PT", "HU", "LT"}
_LAST_OF_MAY = {"FR", "SE"}
_ON_DATE = {"PL": (5, 26), "TH": (8, 12), "KR": (5, 8)} | dict.fromkeys(("AE", "BH", "EG", "LB", "SA"), (3, 21))


def from_order_lines(order_lines: DataFrame) -> DataFrame:
    """All days of the countries in the lines, in whole years."""
    year = F.year("sold_on")
    spans = order_lines.groupBy("country_code").agg(F.min(year).alias("first"), (F.max(year) + 1).alias("last"))
    columns = ", ".join(f"{f.name} {f.type}" for f in TABLE.fields)
    days = spans.where("first IS NOT NULL").mapInPandas(_days_of_spans, columns)
    return days.withColumn("_untyped", F.lit(None).cast("string"))


def _days_of_spans(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for batch in batches:
        for country_code, first, last in zip(batch["country_code"], batch["first"], batch["last"], strict=True):
            yield days_of(country_code, first, last)


def days_of(country_code: str, first: int, last: int) -> pd.DataFrame:
    """The rows of a country from January of the first to December of the last year."""
    rest = _holidays(country_code, first, last)
    weekend = rest.weekend if rest is not None else {5, 6}
    names = {} if rest is None else dict(rest.items())
    special = {day: name for year in range(first, last + 1) for day, name in special_days(country_code, year).items()}
    moments = pd.Series(pd.date_range(date(first, 1, 1), date(last, 12, 31)))
    days = moments.dt.date
    iso = moments.dt.isocalendar()
    is_weekend = moments.dt.dayofweek.isin(weekend)
    is_work = ~is_weekend & ~days.isin(names)
    month_ends = days[is_work].groupby([moments.dt.year, moments.dt.month]).max()
    return pd.DataFrame(
        {
            "calendar_on": days,
            "country_code": country_code,
            "day": moments.dt.day,
            "iso_week": iso["week"],
            "iso_year": iso["year"],
            "month": moments.dt.month,
            "quarter": moments.dt.quarter,
            "year": moments.dt.year,
            "weekday": moments.dt.dayofweek + 1,
            "is_weekend": is_weekend,
            "is_holiday": days.isin(names),
            "holiday_name": [names.get(day) for day in days],
            "is_payday": days.isin(set(month_ends)),
            "special_day": [special.get(day) for day in days],
        }
    )


def special_days(country_code: str, year: int) -> dict[date, str]:
    """Days on which people buy presents or bargains. Black Friday is the day after the fourth Thursday of November."""
    black_friday = _nth_weekday(year, 11, 3, 4) + timedelta(days=1)
    return {
        **{date(year, month, day): name for (month, day), name in _FIXED_DAYS.items()},
        mothers_day(country_code, year): "Mother's Day",
        black_friday: "Black Friday",
        black_friday + timedelta(days=3): "Cyber Monday",
    }


def mothers_day(country_code: str, year: int) -> date:
    """Mother's Day as the country keeps it; the second Sunday of May where nothing else is known."""
    easter = (pd.Timestamp(year, 1, 1) + pd.offsets.Easter()).date()
    if country_code in _ON_DATE:
        return date(year, *_ON_DATE[country_code])
    if country_code in _IN_LENT:
        return easter - timedelta(days=21)
    if country_code == "NO":
        return _nth_weekday(year, 2, 6, 2)
    if country_code in _FIRST_OF_MAY:
        return _nth_weekday(year, 5, 6, 1)
    if country_code in _LAST_OF_MAY:
        last = _nth_weekday(year, 6, 6, 1) - timedelta(days=7)
        makes_way = country_code == "FR" and last == easter + timedelta(days=49)  # for Pentecost
        return last + timedelta(days=7 * makes_way)
    return _nth_weekday(year, 5, 6, 2)


def _nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _holidays(country_code: str, first: int, last: int) -> holidays.HolidayBase | None:
    country, part = _HOLIDAYS_OF.get(country_code, (country_code, None))
    if country not in holidays.list_supported_countries():
        return None
    return holidays.country_holidays(country, subdiv=part, years=range(first, last + 1), language="en_US")


STEPS = (
    Step(
        TABLE,
        from_order_lines,
        (Read(order_lines.TABLE, groups={"country_code": "country_code"}),),
        recompute=("country_code",),
    ),
)
