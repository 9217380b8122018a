"""Days as shops see them: weekends, holidays, paydays and the days on which people buy presents, per country."""

from __future__ import annotations

from lakehouse.rules import Expectation, between, not_null
from lakehouse.table import Field, Table
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
        Field("is_payday", "boolean", "whether many are paid: last working day of the month; see silver/calendar.py"),
        Field("special_day", "string", "day on which people buy more, such as Black Friday"),
    ),
    row_law="Every day from January of a country's first year of sales to December of the year after its last.",
    expectations=(
        Expectation(
            "expect_column_unique_value_count_to_be_between",
            {"column": "month", "min_value": 12, "max_value": 12},
            "years are whole",
        ),
    ),
    has_lineage=False,
    sequence_by=("calendar_on",),
)
