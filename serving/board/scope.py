"""What a page is about: one shop in one currency, a period and one to compare it with. It stands in the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal
from urllib.parse import urlencode

from lakehouse.errors import UsageError
from serving.reader import Reader

AGAINST = {"before": "the period before", "year": "a year before", "dates": "dates of my own"}
"""What a period may be compared with."""


@dataclass(frozen=True)
class Period:
    """Days from the first to the last, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days."""
        return (self.last - self.first).days + 1

    @property
    def grain(self) -> Literal["day", "week", "month"]:
        """How its days are best shown: day by day, by week or by month."""
        return "day" if self.days <= 92 else "week" if self.days <= 400 else "month"

    @property
    def is_months(self) -> bool:
        """Whether it is of whole calendar months."""
        return self.first.day == 1 and (self.last + timedelta(1)).day == 1

    @property
    def before(self) -> Period:
        """As many days before it; of whole months, as many months."""
        last = self.first - timedelta(1)
        if not self.is_months:
            return Period(last - timedelta(self.days - 1), last)
        months = (self.last.year - self.first.year) * 12 + self.last.month - self.first.month + 1
        return Period(months_after(self.first, -months), last)

    @property
    def year_before(self) -> Period:
        """The same days a year before; February ends where it ends."""
        last = months_after(self.last.replace(day=1), -12)
        end = months_after(last, 1) - timedelta(1)
        is_end = (self.last + timedelta(1)).day == 1
        return Period(_a_year_before(self.first), end if is_end else _a_year_before(self.last))

    def __str__(self) -> str:
        if self.is_months and (self.first.year, self.first.month) == (self.last.year, self.last.month):
            return f"{self.first:%B %Y}"
        if self.is_months:
            return f"{self.first:%B %Y} to {self.last:%B %Y}"
        return f"{self.first} to {self.last}"


def months_after(day: date, months: int) -> date:
    """The first day of a month, so many months after that of a day."""
    number = day.year * 12 + day.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def _a_year_before(day: date) -> date:
    return day.replace(year=day.year - 1, day=28 if (day.month, day.day) == (2, 29) else day.day)


@dataclass(frozen=True)
class Shop:
    """A shop in one currency: amounts of two are never added up. `sales` are the days of its sales, if it has any."""

    shop: str
    currency: str | None
    sales: Period | None

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.shop} ({self.currency})" if self.currency else self.shop


@dataclass(frozen=True)
class Scope:
    """What an address asks for; `choices` are those of the page itself, such as a customer."""

    shop: Shop
    period: Period
    against: str
    compared: Period
    choices: Mapping[str, str] = field(default_factory=dict)

    def address(self, page: str, **other: str) -> str:
        """The address of a page about the same, or with other values."""
        told = {"shop": self.shop.shop, "from": self.period.first, "to": self.period.last, "against": self.against}
        if self.shop.currency:
            told["currency"] = self.shop.currency
        if self.against == "dates":
            told |= {"from2": self.compared.first, "to2": self.compared.last}
        return f"{page}?{urlencode(told | other)}"

    @property
    def presets(self) -> dict[str, Period]:
        """Periods that people ask for, as far back as there are sales."""
        whole = _last_months(self.shop.sales, 1) if self.shop.sales else None
        if whole is None or self.shop.sales is None:
            return {}
        found = {"last month": whole, "last 3 months": _last_months(self.shop.sales, 3)}
        found["last 12 months"] = _last_months(self.shop.sales, 12)
        return {name: period for name, period in found.items() if period} | {"all": self.shop.sales}


def shops(reader: Reader) -> list[Shop]:
    """The shops of a release, the one with most lines first; a shop of two currencies is there twice.

    The last day of sales is that of `gold.customer_rfm` where it has one: an odd row long after does not count.
    """
    found = []
    if "gold.sales_daily" in reader.tables:
        last = "gold.customer_rfm" in reader.tables
        ends = "(SELECT shop_id, max(as_of_on) AS as_of_on FROM gold.customer_rfm GROUP BY shop_id)"
        rows = reader.rows(
            "SELECT shop_id, currency, min(sold_on) AS first, max(sold_on) AS last, sum(lines) AS lines"
            f"{', max(as_of_on) AS as_of_on' if last else ', NULL AS as_of_on'} FROM gold.sales_daily"
            f"{f' LEFT JOIN {ends} USING (shop_id)' if last else ''}"
            " GROUP BY shop_id, currency ORDER BY sum(lines) DESC, shop_id, currency"
        )
        for row in rows:
            end = min(row["last"], row["as_of_on"] or row["last"])
            found.append(Shop(row["shop_id"], row["currency"], Period(row["first"], max(row["first"], end))))
    sold = {shop.shop for shop in found}
    for table in ("gold.demand_periods", "gold.recommendations"):
        if table in reader.tables:
            names = [row["shop_id"] for row in reader.rows(f"SELECT DISTINCT shop_id FROM {table} ORDER BY shop_id")]
            found += [Shop(name, None, None) for name in names if name not in sold]
            sold |= set(names)
    return found


def scope(known: Sequence[Shop], asked: Mapping[str, str], today: date, choices: Sequence[str] = ()) -> Scope:
    """What an address asks for. What it leaves out: the first shop, its last whole month, the month before.

    A value that makes no sense is a `UsageError` that says which do.
    """
    shop = _shop(known, asked.get("shop"), asked.get("currency"))
    sales = shop.sales or Period(today - timedelta(364), today)
    start = _last_months(sales, 1) or sales
    period = _period(asked, "from", "to", start)
    against = asked.get("against", "before")
    if against not in AGAINST:
        raise UsageError(f"against={against}: it must be one of {', '.join(AGAINST)}")
    before = {"before": period.before, "year": period.year_before}.get(against, period.before)
    compared = _period(asked, "from2", "to2", before) if against == "dates" else before
    return Scope(shop, period, against, compared, {name: asked[name] for name in choices if asked.get(name)})


def _shop(known: Sequence[Shop], name: str | None, currency: str | None) -> Shop:
    if not known:
        raise UsageError("no table that was released has a shop; run `shoplake run` first")
    found = [shop for shop in known if shop.shop == (name or known[0].shop)]
    if not found:
        raise UsageError(f"shop={name}: there is no such shop; there are {', '.join({s.shop: 0 for s in known})}")
    own = [shop for shop in found if currency in (None, "", shop.currency)]
    if not own:
        told = ", ".join(shop.currency or "none" for shop in found)
        raise UsageError(f"currency={currency}: shop {found[0].shop} does not sell in it; it sells in {told}")
    return own[0]


def _period(asked: Mapping[str, Any], first: str, last: str, default: Period) -> Period:
    try:
        start = date.fromisoformat(asked.get(first) or str(default.first))
        end = date.fromisoformat(asked.get(last) or str(default.last))
    except ValueError as error:
        raise UsageError(f"{first} and {last} must be days such as 2024-01-31: {error}") from error
    if start > end:
        raise UsageError(f"{first}={start} must not be after {last}={end}")
    return Period(start, end)


def _last_months(sales: Period, months: int) -> Period | None:
    """The last whole months with sales on all of their days; None where there are fewer."""
    end = months_after(sales.last + timedelta(1), 0) - timedelta(1)
    start = months_after(end, 1 - months)
    return Period(start, end) if sales.first <= start <= end else None
