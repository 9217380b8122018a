"""Numbers and changes as people read them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeAlias

Number: TypeAlias = int | float | Decimal
NONE = "not known"


def amount(value: Number | None, currency: str | None = None) -> str:
    """Money, with its coins below 1,000; `currency` follows it."""
    if value is None:
        return NONE
    told = f"{value:,.0f}" if abs(float(value)) >= 1000 else f"{value:,.2f}"
    return f"{told} {currency}" if currency else told


def share(value: Number | None) -> str:
    """A share as per cent."""
    return NONE if value is None else f"{float(value):.1%}".replace("%", " %")


def share_of(part: Any, whole: Any) -> str:
    """What share of a whole a part is, as per cent."""
    return share(float(part) / float(whole)) if whole else NONE


def count(value: Number | None) -> str:
    """A number of things."""
    return NONE if value is None else f"{value:,.0f}"


def told(value: Number | None, unit: str, currency: str | None = None) -> str:
    """A value of a KPI: of unit money, count or ratio. A ratio above 3 is told as how many times."""
    if value is not None and unit == "ratio" and abs(float(value)) > 3:
        return f"{float(value):,.1f} times"
    return {"money": lambda: amount(value, currency), "ratio": lambda: share(value)}.get(unit, lambda: count(value))()


def change(now: Number | None, then: Number | None, unit: str) -> str:
    """How a value changed: per cent, of a share percentage points; not known where one is, or nothing was before."""
    if now is None or then is None:
        return NONE
    if unit == "ratio" and max(abs(float(now)), abs(float(then))) <= 3:
        return f"{(float(now) - float(then)) * 100:+.1f} points"
    if not then:
        return NONE
    return f"{(float(now) - float(then)) / abs(float(then)):+.1%}".replace("%", " %")


def things(number: int, one: str, many: str | None = None) -> str:
    """A number with what is counted: 1 order, 2 orders."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def cell(value: Any, kind: str = "") -> str:
    """A value in a table; `kind` share makes per cent of it."""
    if value is None:
        return ""
    if kind == "share":
        return share(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, (float, Decimal)):
        return f"{value:,.4g}" if isinstance(value, float) and abs(value) < 1 else f"{value:,.2f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return "; ".join(cell(each) for each in value)
    return str(value)
