"""The numbers by which a shop is judged, each defined once, and how a definition becomes SQL.

A formula is an aggregate over one gold table that Spark and DuckDB read alike. The table has the grain at which things
can be counted: customers of a month are not the sum of those of its days. All that shows a KPI compiles it from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from gold.sales import kpi_daily, sales_by_order, sessions
from lakehouse.declare.rules import literal
from lakehouse.declare.table import Table
from lakehouse.errors import UsageError

Unit = Literal["money", "count", "ratio"]
"""What a value is: an amount in the currency of its row, a number of things, or a share or quotient (1 is 100 %)."""
Period = Literal["day", "week", "month", "quarter", "year"]
"""How days are taken together; a week begins on Monday."""


@dataclass(frozen=True, eq=False)
class Kpi:
    """A number about a shop in a period.

    `total`, and of a quotient `per`, are SQL aggregates over `table`, whose rows of a period are those with their day
    `on` in it. `columns` are those of the table that they read. A KPI without `has_currency` is of the shop as a whole,
    such as its visits. `known_as` are the names under which people of other tools look for it.
    """

    name: str
    title: str
    meaning: str
    unit: Unit
    table: Table
    on: str
    total: str
    columns: tuple[str, ...]
    per: str | None = None
    known_as: tuple[str, ...] = ()
    has_currency: bool = True

    @property
    def formula(self) -> str:
        """The aggregate as a whole: exact for a total, in floating point for a quotient, which is null per nothing."""
        if self.per is None:
            return f"CAST({self.total} AS {'BIGINT' if self.unit == 'count' else 'DECIMAL(38, 3)'})"
        return f"CAST({self.total} AS DOUBLE) / nullif(CAST({self.per} AS DOUBLE), 0)"


def _of_sales(
    name: str, title: str, meaning: str, unit: Unit, total: str, columns: str, *known_as: str, per: str | None = None
) -> Kpi:
    table = sales_by_order.TABLE
    return Kpi(name, title, meaning, unit, table, "sold_on", total, tuple(columns.split()), per, known_as)


def _distinct(column: str, where: str) -> str:
    return f"count(DISTINCT {column}) FILTER (WHERE {where})"


_ORDERS = _distinct("order_id", "has_sale")
_KEPT_ORDERS = _distinct("order_id", "is_kept")
_BUYING = _distinct("customer_id", "is_kept")

KPIS: tuple[Kpi, ...] = (
    _of_sales(
        "net_revenue",
        "Net revenue",
        "product sales after discounts, less credit notes and all of cancelled or returned orders; without shipping",
        "money",
        "sum(net_revenue)",
        "net_revenue",
        "Shopify: net sales",
        "GA4: item revenue less refunds",
        "Power BI: net sales",
    ),
    _of_sales(
        "gross_sales",
        "Gross sales",
        "product sales after the discount on the line, before cancellation",
        "money",
        "sum(gross_sales)",
        "gross_sales",
        "Shopify: gross sales less discounts",
        "GA4: item revenue",
        "Power BI: sales amount",
    ),
    _of_sales(
        "orders",
        "Orders",
        "distinct orders with a product sale, before cancellation",
        "count",
        _ORDERS,
        "order_id has_sale",
        "Shopify: orders",
        "GA4: purchases, transactions",
        "Power BI: order count",
    ),
    _of_sales(
        "average_order_value",
        "Average order value",
        "net revenue by order that still counts; null without such an order",
        "money",
        "sum(net_revenue)",
        "net_revenue order_id is_kept",
        "Shopify: average order value",
        "GA4: average purchase revenue",
        "AOV, basket value",
        per=_KEPT_ORDERS,
    ),
    _of_sales(
        "units",
        "Units sold",
        "pieces in product sales, before cancellation",
        "count",
        "sum(units)",
        "units",
        "Shopify: items sold, quantity ordered",
        "GA4: items purchased",
        "Power BI: quantity",
    ),
    _of_sales(
        "customers",
        "Customers",
        "distinct known customers with an order that still counts",
        "count",
        _BUYING,
        "customer_id is_kept",
        "Shopify: customers",
        "GA4: total purchasers",
        "active customers",
    ),
    _of_sales(
        "new_customers",
        "New customers",
        "customers whose first order that still counts is in the period; by currency, in that of the first order",
        "count",
        _distinct("customer_id", "order_number = 1"),
        "customer_id order_number",
        "Shopify: new customers, first-time customers",
        "GA4: first-time purchasers",
    ),
    _of_sales(
        "repeat_rate",
        "Repeat rate",
        "share of the period's customers with an order in it that is not their first; null without customers",
        "ratio",
        _distinct("customer_id", "order_number > 1"),
        "customer_id order_number is_kept",
        "Shopify: returning customer rate",
        "repeat purchase rate",
        per=_BUYING,
    ),
    _of_sales(
        "cancelled_share",
        "Cancelled orders",
        "share of the orders whose status is now cancelled or returned; null without orders",
        "ratio",
        _distinct("order_id", "has_sale AND NOT is_kept"),
        "order_id has_sale is_kept",
        "cancellation rate",
        "order return rate",
        per=_ORDERS,
    ),
    _of_sales(
        "return_rate",
        "Returned value",
        "share of gross sales that was credited, cancelled or returned, by the day on which it was taken off",
        "ratio",
        "-sum(cancelled_amount)",
        "cancelled_amount gross_sales",
        "Shopify: returns / gross sales",
        "GA4: refund amount / item revenue",
        per="sum(gross_sales)",
    ),
    _of_sales(
        "margin",
        "Gross margin",
        "net revenue of known cost, less what its pieces cost on the day of the sale; null where no cost is known",
        "money",
        "sum(margin)",
        "margin",
        "Shopify: gross profit",
        "Power BI: gross profit, contribution",
    ),
    _of_sales(
        "margin_rate",
        "Gross margin rate",
        "margin as a share of the net revenue whose cost is known; null where none is",
        "ratio",
        "sum(margin)",
        "margin costed_revenue",
        "Shopify: gross margin",
        "Power BI: gross margin %",
        per="sum(costed_revenue)",
    ),
    _of_sales(
        "cost_coverage",
        "Revenue of known cost",
        "share of net revenue whose cost is known: how far the margin speaks for the shop",
        "ratio",
        "sum(costed_revenue)",
        "costed_revenue net_revenue",
        per="sum(net_revenue)",
    ),
    Kpi(
        "sessions",
        "Sessions",
        "visits that began in the period, by UTC days",
        "count",
        sessions.TABLE,
        "started_on",
        "count(DISTINCT session_id)",
        ("session_id",),
        None,
        ("Shopify: sessions", "GA4: sessions", "visits"),
        has_currency=False,
    ),
    Kpi(
        "conversion_rate",
        "Conversion rate",
        "share of the sessions in which an order was placed on the pages; null without sessions",
        "ratio",
        sessions.TABLE,
        "started_on",
        _distinct("session_id", "purchases > 0"),
        ("session_id", "purchases"),
        "count(DISTINCT session_id)",
        ("Shopify: online store conversion rate", "GA4: session key event rate of purchase"),
        has_currency=False,
    ),
    Kpi(
        "marketing_spend",
        "Marketing spend",
        "cost of all campaigns",
        "money",
        kpi_daily.TABLE,
        "kpi_on",
        "sum(marketing_spend)",
        ("marketing_spend",),
        None,
        ("GA4: Ads cost", "ad spend"),
    ),
    Kpi(
        "return_on_ad_spend",
        "Return on ad spend",
        "net revenue / marketing spend, of all sales whether led by ads or not; null without spend",
        "ratio",
        kpi_daily.TABLE,
        "kpi_on",
        "sum(net_revenue)",
        ("net_revenue", "marketing_spend"),
        "sum(marketing_spend)",
        ("GA4: return on ad spend", "ROAS, blended ROAS, marketing efficiency ratio"),
    ),
)


def named(name: str) -> Kpi:
    """The KPI of a name."""
    for kpi in KPIS:
        if kpi.name == name:
            return kpi
    raise UsageError(f"there is no KPI {name}; there are {', '.join(kpi.name for kpi in KPIS)}")


def by_period(kpi: Kpi, period: Period, shop: str | None = None, by: Sequence[str] = ()) -> str:
    """SQL for a KPI over relations named `gold.<table>`: `shop_id`, `currency`, the columns `by`, `period_on`, `value`.

    One row per shop, currency and period with a row in the KPI's table; `currency` is null for a KPI of the shop as a
    whole. `period_on` is the first day of the period. `by` names columns of the table that break it down, such as
    `country`: distinct counts over their values do not add up. A week or month that is still running is in it too.
    """
    if period not in get_args(Period):
        raise UsageError(f"there is no period {period}; there are {', '.join(get_args(Period))}")
    if unknown := [name for name in by if name not in kpi.table.all_columns]:
        raise UsageError(f"{kpi.name} is computed from {kpi.table.name}, which has no column {', '.join(unknown)}")
    start = f"CAST(date_trunc('{period}', {kpi.on}) AS DATE)"
    groups = ", ".join(["shop_id", *(["currency"] if kpi.has_currency else []), *by, start])
    where = [*(["currency IS NOT NULL"] if kpi.has_currency else []), *([f"shop_id = {literal(shop)}"] if shop else [])]
    columns = [
        "shop_id",
        "currency" if kpi.has_currency else "CAST(NULL AS STRING) AS currency",
        *by,
        f"{start} AS period_on",
        f"{kpi.formula} AS value",
    ]
    filtered = f" WHERE {' AND '.join(where)}" if where else ""
    return f"SELECT {', '.join(columns)} FROM {kpi.table.name}{filtered} GROUP BY {groups}"


def all_by_period(period: Period, shop: str | None = None, kpis: Sequence[Kpi] = KPIS) -> str:
    """SQL for many KPIs, one under the other: `kpi`, `unit`, and the columns of `by_period`, `value` as a double."""
    return "\nUNION ALL\n".join(
        f"SELECT {literal(kpi.name)} AS kpi, {literal(kpi.unit)} AS unit, shop_id, currency, period_on,"
        f" CAST(value AS DOUBLE) AS value FROM ({by_period(kpi, period, shop)}) AS {kpi.name}"
        for kpi in kpis
    )
