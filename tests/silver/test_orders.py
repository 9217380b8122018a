from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame

from bronze.shop.orders import TABLE as SHOP_ORDERS
from lakehouse.declare.table import Table
from silver import order_lines, orders
from silver.sources import online_retail
from silver.sources import shop as shop_source

Rows = Callable[..., DataFrame]
Broken = Callable[[Table, DataFrame], list[set[str]]]

ORDER = {
    "order_id": "O1",
    "updated_at": "2024-03-01 10:00:00",
    "ordered_at": "2024-03-01 10:00:00",
    "country": "AT",
    "currency": "EUR",
    "status": "delivered",
    "promised_on": "2024-03-05",
    "shipped_at": "2024-03-02 10:00:00",
    "delivered_at": "2024-03-04 10:00:00",
    "items_total": "100.00",
    "discount_total": "5.00",
    "shipping_fee": "4.95",
    "order_total": "99.95",
}


def test_orders_of_the_shop_are_typed_and_their_dirt_is_rejected(rows: Rows, broken: Broken) -> None:
    dirt: list[tuple[dict[str, Any], set[str]]] = [
        ({}, set()),
        ({"status": "placed", "shipped_at": None, "delivered_at": None}, set()),
        ({"status": "teleported"}, {"status.one_of"}),
        ({"promised_on": "2024-02-27"}, {"promised_on.not_before_ordered_on"}),
        ({"delivered_at": "2024-03-02 09:59:59"}, {"delivered_at.not_before_shipped_at"}),
        ({"order_total": "n/a"}, {"order_amount.type"}),
        ({"order_total": "90.00"}, {"order_amount.adds_up"}),
    ]
    built = shop_source.orders(rows(SHOP_ORDERS, *({**ORDER, **change} for change, _ in dirt)))
    assert broken(orders.TABLE, built) == [rules for _, rules in dirt]
    first = built.orderBy("_source_row").collect()[0]
    assert (first.ordered_on, first.country, first.order_amount) == (date(2024, 3, 1), "Austria", Decimal("99.95"))


def line(order_id: str, row: int, amount: str, item_type: str = "product", **more: Any) -> dict[str, Any]:
    at = datetime(2011, 6, 30, 22, 30, row, tzinfo=UTC)
    given = {"shop_id": "online_retail", "order_id": order_id, "line_id": str(row), "amount": Decimal(amount)}
    known = {"sold_at": at, "sold_on": date(2011, 6, 30), "customer_id": "17850", "currency": "GBP"}
    return given | known | {"item_type": item_type, "country": "Germany", "country_code": "DE"} | more


def test_an_invoice_is_one_order_that_its_lines_add_up_to(rows: Rows, broken: Broken) -> None:
    lines = rows(
        order_lines.TABLE,
        line("536365", 1, "10.00"),
        line("536365", 2, "5.00"),
        line("536365", 3, "3.00", "shipping"),
        line("536365", 4, "-2.00", "discount"),
        line("C536366", 5, "-10.00"),
    )
    built = online_retail.orders(lines)
    invoice, credit = built.orderBy("order_id").collect()
    assert (invoice.order_amount, invoice.items_amount) == (Decimal("16.00"), Decimal("15.00"))
    assert (invoice.discount_amount, invoice.shipping_fee) == (Decimal("2.00"), Decimal("3.00"))
    assert (invoice.status, invoice.customer_id, invoice.country_code) == ("completed", "17850", "DE")
    assert (invoice.updated_at - invoice.ordered_at).seconds == 3
    assert (credit.status, credit.order_amount) == ("credit", Decimal("-10.00"))
    assert broken(orders.TABLE, built) == [set(), set()]
