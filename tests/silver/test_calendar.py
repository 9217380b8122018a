from collections.abc import Callable
from datetime import date
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from silver import calendar, order_lines
from silver.calendar import days_of, mothers_day, special_days

Rows = Callable[..., DataFrame]


def day(days: pd.DataFrame, wanted: date) -> Any:
    (found,) = days[days["calendar_on"] == wanted].itertuples()
    return found


@pytest.fixture(scope="module")
def britain() -> pd.DataFrame:
    return days_of("GB", 2010, 2011)


def test_years_are_whole(britain: pd.DataFrame) -> None:
    assert len(britain) == 730
    assert (min(britain["calendar_on"]), max(britain["calendar_on"])) == (date(2010, 1, 1), date(2011, 12, 31))


def test_holidays_of_britain_are_those_of_england(britain: pd.DataFrame) -> None:
    assert day(britain, date(2011, 4, 25)).holiday_name == "Easter Monday"
    assert not day(britain, date(2011, 4, 26)).is_holiday


def test_a_day_knows_its_week(britain: pd.DataFrame) -> None:
    new_year = day(britain, date(2011, 1, 1))
    assert (new_year.weekday, new_year.iso_week, new_year.iso_year) == (6, 52, 2010)
    assert (new_year.is_weekend, new_year.quarter, new_year.day) == (True, 1, 1)


def test_payday_is_the_last_working_day_of_each_month(britain: pd.DataFrame) -> None:
    days = list(britain[britain["is_payday"]]["calendar_on"])
    assert len(days) == 24
    assert days[:5] == [date(2010, 1, 29), date(2010, 2, 26), date(2010, 3, 31), date(2010, 4, 30), date(2010, 5, 28)]


def test_weekends_are_those_of_the_country() -> None:
    saudi_arabia = days_of("SA", 2024, 2024)
    assert day(saudi_arabia, date(2024, 3, 1)).is_weekend
    assert not day(saudi_arabia, date(2024, 3, 3)).is_weekend


def test_an_unknown_country_has_days_but_no_holidays() -> None:
    nowhere = days_of("ZZ", 2024, 2024)
    assert len(nowhere) == 366
    assert not nowhere["is_holiday"].any()


def test_special_days() -> None:
    days = {name: day for day, name in special_days("US", 2024).items()}
    assert days["Black Friday"] == date(2024, 11, 29)
    assert days["Cyber Monday"] == date(2024, 12, 2)
    assert set(days) >= {"Valentine's Day", "Singles' Day", "Christmas Eve", "New Year's Eve", "Mother's Day"}


@pytest.mark.parametrize(
    ("country_code", "kept_on"),
    [
        ("GB", date(2024, 3, 10)),
        ("DE", date(2024, 5, 12)),
        ("ES", date(2024, 5, 5)),
        ("FR", date(2024, 5, 26)),
        ("SE", date(2024, 5, 26)),
        ("NO", date(2024, 2, 11)),
        ("PL", date(2024, 5, 26)),
        ("SA", date(2024, 3, 21)),
    ],
)
def test_mothers_day_is_the_countrys(country_code: str, kept_on: date) -> None:
    assert mothers_day(country_code, 2024) == kept_on


def test_mothers_day_makes_way_for_pentecost_in_france() -> None:
    assert mothers_day("FR", 2023) == date(2023, 6, 4)


def test_the_calendar_spans_each_countrys_sales_and_a_year_more(rows: Rows) -> None:
    lines = rows(
        order_lines.TABLE,
        {"country_code": "DE", "sold_on": date(2010, 6, 1)},
        {"country_code": "DE", "sold_on": date(2011, 6, 1)},
        {"country_code": "ZZ", "sold_on": date(2011, 6, 1)},
    )
    built = calendar.from_order_lines(lines)
    spans = built.groupBy("country_code").agg(F.min("calendar_on"), F.max("calendar_on")).orderBy("country_code")
    until = date(2012, 12, 31)
    assert [tuple(row) for row in spans.collect()] == [("DE", date(2010, 1, 1), until), ("ZZ", date(2011, 1, 1), until)]
