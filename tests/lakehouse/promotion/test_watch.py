"""What is learnt of deliveries: each kind of warning, what is no reason for one, and silence while a feed is young."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from lakehouse.declare.rules import not_null
from lakehouse.declare.table import Field, Table
from lakehouse.promotion.gate import Finding
from lakehouse.promotion.watch import DELIVERIES, SAYS, Profile, _findings

TABLE = Table(
    "silver.sales",
    "A sale.",
    ("sale_id",),
    (
        Field("sale_id", "string", "sale", rules=(not_null(),)),
        Field("sold_on", "date", "day", rules=(not_null(),)),
        Field("customer_id", "string", "customer"),
        Field("country_code", "string", "country", unknown="ZZ"),
        Field("amount", "decimal(19,3)", "money"),
        Field("currency", "string", "currency", rules=(not_null(),)),
    ),
    "one row per sale",
    amount="amount",
    day="sold_on",
    currency="currency",
)
FIRST = date(2026, 1, 5)  # a Monday


def delivered(number: int, **given: Any) -> Profile:
    """The file of a day: 100 rows and some, half as many on Sundays, 20 to 24 without a customer."""
    day = FIRST + timedelta(number)
    rows = (50 if day.weekday() == 6 else 100) + number % 5
    at = datetime(day.year, day.month, day.day, 6, tzinfo=UTC) + timedelta(1)
    profile = Profile(
        delivery=f"b{number:03}|sales_{day}.csv",
        file=f"sales_{day}.csv",
        newest_on=day,
        rows_accepted=rows,
        missing={"customer_id": 20 + number % 5},
        unknown={"country_code": 2},
        amounts={"EUR": Decimal(rows * 10)},
        at=at,
        batch_id=f"s{number:03}",
    )
    return replace(profile, **given)


def judged(past: int, new: Profile | Sequence[Profile], now: datetime | None = None, table: Table = TABLE) -> list[Any]:
    files = [new] if isinstance(new, Profile) else list(new)
    at = now or max(each.at for each in files if each.at)
    return _findings(table, [delivered(number) for number in range(past)], files, at)


def unusual(findings: Sequence[Finding]) -> dict[str, str | None]:
    return {f.expectation.removeprefix("learnt."): f.observed for f in findings if not f.passed}


@pytest.mark.parametrize("past", [9, 15, 35, 150])
def test_a_usual_day_is_told_of_by_nothing(past: int) -> None:
    for number in range(past, past + 14):
        findings = judged(past, delivered(number), delivered(past).at)
        assert unusual(findings) == {}
        assert [f.expectation.removeprefix("learnt.") for f in findings] == list(SAYS)


UNUSUAL: list[tuple[str, dict[str, Any], str]] = [
    ("volume", {"rows_accepted": 1000}, "sales_2026-02-09.csv (2026-02-09): 1,000 rows, usually 102 (5 Mondays, from"),
    ("volume", {"rows_accepted": 30, "missing": {}}, "(2026-02-09): 30 rows, usually 102 (5 Mondays, from 100 to 104)"),
    ("missing", {"missing": {"customer_id": 60}}, "customer_id is missing in 60 of 100 rows (60%), usually in 2"),
    ("unknown", {"unknown": {"country_code": 40}}, "country_code is unknown in 40 of 100 rows (40%), usually in 2%"),
    ("unknown", {"unknown": {"product_id.known": 30}}, "product_id is unknown in 30 of 100 rows (30%), usually in 0%"),
    ("amount", {"amounts": {"EUR": Decimal(100_000)}}, "100,000.00 EUR, usually 1,020.00 (5 Mondays, from 1,000.00"),
    ("amount", {"amounts": {"EUR": Decimal(-1000)}}, "-1,000.00 EUR, usually 1,020.00"),
    ("currency", {"amounts": {"EUR": Decimal(1000), "USD": Decimal("5.5")}}, "5.50 USD, never seen in 35 files (EUR)"),
]


@pytest.mark.parametrize(("kind", "given", "says"), UNUSUAL)
def test_what_is_unusual_is_a_warning_with_its_numbers(kind: str, given: dict[str, Any], says: str) -> None:
    findings = judged(35, delivered(35, **given))
    ((name, observed),) = unusual(findings).items()
    assert name == kind
    assert says in str(observed)
    assert all(f.is_warning for f in findings)


def test_a_feed_that_brings_old_days_is_late() -> None:
    late = delivered(35, newest_on=FIRST)
    assert unusual(judged(35, late, delivered(36).at)) == {}
    ((kind, says),) = unusual(judged(35, late, delivered(40).at)).items()
    assert kind == "freshness"
    assert str(says).startswith("the newest day is 2026-02-08, 7.2 days ago; usually the next came after 2.2 days")


@pytest.mark.parametrize(("kind", "given", "says"), UNUSUAL)
def test_a_declaration_may_let_it_block(kind: Any, given: dict[str, Any], says: str) -> None:
    findings = judged(35, delivered(35, **given), table=replace(TABLE, blocks_on=(kind,)))
    assert [f.expectation for f in findings if not f.is_warning] == [f"learnt.{kind}"]
    assert not next(f for f in findings if not f.is_warning).passed


@pytest.mark.parametrize("given", [given for _, given, _ in UNUSUAL])
@pytest.mark.parametrize("past", [0, 1, DELIVERIES - 1])
def test_a_young_feed_is_not_judged(past: int, given: dict[str, Any]) -> None:
    assert judged(past, delivered(past, **given), datetime(2027, 1, 1, tzinfo=UTC)) == []


def test_eight_days_tell_what_is_beyond_all_of_them() -> None:
    assert unusual(judged(8, delivered(8, rows_accepted=210, amounts={})))["volume"] == (
        "sales_2026-01-13.csv (2026-01-13): 210 rows, usually 102 (8 files, from 51 to 104)"
    )
    assert unusual(judged(8, delivered(8, rows_accepted=26, amounts={}, missing={}))) == {}  # Sundays are half of it


def test_shares_of_few_rows_are_as_they_happen_to_be() -> None:
    few = delivered(35, rows_accepted=10, missing={"customer_id": 10}, amounts={"EUR": Decimal(9999)})
    assert set(unusual(judged(35, few))) == {"volume"}


def test_of_many_unusual_files_the_first_are_shown() -> None:
    many = [delivered(number, rows_accepted=1000, amounts={}, missing={}) for number in range(35, 45)]
    (finding,) = [f for f in judged(35, many, delivered(36).at) if not f.passed]
    assert str(finding.observed).startswith("sales_2026-02-09.csv")
    assert str(finding.observed).endswith("and 9 more")
    assert len(finding.examples) == 5
