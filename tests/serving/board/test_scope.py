from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from lakehouse.errors import UsageError
from serving.board.blocks import View
from serving.board.scope import Period, Shop, scope

FEBRUARY = Period(date(2024, 2, 1), date(2024, 2, 29))
SALES = Period(date(2022, 3, 15), date(2024, 3, 9))
KNOWN = [Shop("shop", "EUR", SALES), Shop("shop", "GBP", SALES), Shop("other", None, None)]


@pytest.mark.parametrize(
    ("period", "before", "year"),
    [
        (FEBRUARY, ("2024-01-01", "2024-01-31"), ("2023-02-01", "2023-02-28")),
        (Period(date(2024, 1, 1), date(2024, 3, 31)), ("2023-10-01", "2023-12-31"), ("2023-01-01", "2023-03-31")),
        (Period(date(2023, 2, 1), date(2023, 2, 28)), ("2023-01-01", "2023-01-31"), ("2022-02-01", "2022-02-28")),
        (Period(date(2024, 2, 10), date(2024, 2, 16)), ("2024-02-03", "2024-02-09"), ("2023-02-10", "2023-02-16")),
        (Period(date(2024, 2, 29), date(2024, 3, 1)), ("2024-02-27", "2024-02-28"), ("2023-02-28", "2023-03-01")),
    ],
)
def test_what_a_period_is_compared_with(period: Period, before: tuple[str, str], year: tuple[str, str]) -> None:
    assert (str(period.before.first), str(period.before.last)) == before
    assert (str(period.year_before.first), str(period.year_before.last)) == year


def test_a_leap_february_ends_where_february_ends_from_either_side() -> None:
    assert Period(date(2025, 2, 1), date(2025, 2, 28)).year_before == FEBRUARY


def test_by_default_the_last_whole_month_is_shown() -> None:
    about = scope(KNOWN, {}, date(2030, 1, 1))
    assert (about.shop, about.period, about.compared) == (KNOWN[0], FEBRUARY, FEBRUARY.before)
    assert about.presets["last 12 months"] == Period(date(2023, 3, 1), date(2024, 2, 29))
    assert about.presets["all"] == SALES


def test_any_two_periods_may_be_compared_and_stand_in_the_address() -> None:
    asked = {
        "currency": "GBP",
        "from": "2024-01-02",
        "to": "2024-01-05",
        "against": "dates",
        "from2": "2023-05-01",
        "to2": "2023-05-09",
    }
    about = scope(KNOWN, asked, date(2030, 1, 1))
    assert about.shop.currency == "GBP"
    assert about.compared == Period(date(2023, 5, 1), date(2023, 5, 9))
    address = about.address("executive")
    assert all(f"{name}={value}" in address for name, value in asked.items())


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"shop": "none"}, "there are shop, other"),
        ({"currency": "USD"}, "it sells in EUR, GBP"),
        ({"from": "yesterday"}, "must be days such as"),
        ({"from": "2024-02-02", "to": "2024-02-01"}, "must not be after"),
        ({"against": "all"}, "must be one of before, year, dates"),
    ],
)
def test_an_address_that_makes_no_sense_says_which_does(asked: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        scope(KNOWN, asked, date(2030, 1, 1))


def test_a_shop_of_two_currencies_is_two(view: Callable[..., View]) -> None:
    assert [(view({"currency": c}).scope.shop.label) for c in ("EUR", "GBP")] == ["shop (EUR)", "shop (GBP)"]
