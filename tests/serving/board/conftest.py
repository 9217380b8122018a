from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pytest

from gold.sales import sales_by_order, sales_by_product, sales_daily
from lakehouse.accounts.releases import Release
from lakehouse.declare.table import Table
from serving.board.blocks import View
from serving.board.scope import Scope, scope, shops
from serving.reader import Reader

TODAY = date(2024, 3, 20)


class InMemory(Reader):
    """A release whose tables are rows of a test; columns that a row leaves out are null."""

    def __init__(self, rows: Mapping[Table, list[dict[str, Any]]]) -> None:
        self.release = Release("run", datetime(2024, 3, 19, tzinfo=UTC), {table.name: 0 for table in rows})
        self.tables = {table.name: table for table in rows}
        self.__dict__["_relations"] = dict.fromkeys(self.tables)
        self._made = duckdb.connect()
        self._made.execute("CREATE SCHEMA gold")
        for table, given in rows.items():
            columns = {name: kind for name, (kind, _) in table.all_columns.items()}
            declared = ", ".join(f"{name} {kind}" for name, kind in columns.items())
            self._made.execute(f"CREATE TABLE {table.name} ({declared})")
            for row in given:
                places = ", ".join("?" for _ in row)
                self._made.execute(f"INSERT INTO {table.name} ({', '.join(row)}) VALUES ({places})", list(row.values()))

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return self._made


def order(number: int, day: date, revenue: str, customer: str | None = "c1", **other: Any) -> dict[str, Any]:
    """An order that counts, as `gold.sales_by_order` has it."""
    return {
        "shop_id": "shop",
        "buyer": customer or f"order {number}",
        "order_id": str(number),
        "sold_on": day,
        "currency": "EUR",
        "customer_id": customer,
        "has_sale": True,
        "is_kept": True,
        "order_number": None if customer is None else 1,
        "units": 1,
        "gross_sales": revenue,
        "cancelled_amount": "0",
        "net_revenue": revenue,
    } | other


@pytest.fixture
def orders() -> list[dict[str, Any]]:
    """Two months of a shop: 100 and 30 euros in January, 200 in February; in pounds, 999 in February."""
    return [
        order(1, date(2024, 1, 10), "100.00"),
        order(2, date(2024, 1, 31), "30.00", "c2"),
        order(3, date(2024, 2, 1), "150.00", order_number=2),
        order(4, date(2024, 2, 29), "50.00", "c3"),
        order(5, date(2024, 2, 10), "999.00", "c9", currency="GBP"),
    ]


@pytest.fixture
def view(orders: list[dict[str, Any]]) -> Callable[..., View]:
    """A view of these orders, for what an address asks."""
    daily = [
        {"shop_id": "shop", "sold_on": day, "currency": currency, "lines": lines}
        for day, currency, lines in (
            (date(2024, 1, 1), "EUR", 5),
            (date(2024, 2, 29), "EUR", 5),
            (date(2024, 2, 10), "GBP", 1),
        )
    ]
    products = [
        {
            "shop_id": "shop",
            "product_id": product,
            "sold_month": date(2024, month, 1),
            "product_name": f"Product {product}",
            "currency": "EUR",
            "units": 1,
            "net_revenue": revenue,
        }
        for product, month, revenue in (("a", 1, "90.00"), ("a", 2, "20.00"), ("b", 1, "40.00"), ("b", 2, "180.00"))
    ]

    def made(asked: Mapping[str, str] | None = None, more: Mapping[Table, list[dict[str, Any]]] | None = None) -> View:
        tables = {sales_daily.TABLE: daily, sales_by_order.TABLE: orders, sales_by_product.TABLE: products}
        reader = InMemory(tables | dict(more or {}))
        about: Scope = scope(shops(reader), asked or {}, TODAY, ("cart",))
        return View(reader, about)

    return made
