from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame

from bronze.online_retail.lines import TABLE as ONLINE_RETAIL
from bronze.shop.products import TABLE as SHOP_PRODUCTS
from silver.sources import online_retail
from silver.sources import shop as shop_source

Rows = Callable[..., DataFrame]


def line(code: str, description: str | None, quantity: int = 1, price: float = 1.0, **more: Any) -> dict[str, Any]:
    given = {"invoice": "536365", "stock_code": code, "description": description, "quantity": str(quantity)}
    return given | {"price": str(price), "invoice_date": "2010-12-01 08:26:00"} | more


def test_a_product_of_online_retail_has_the_name_that_most_of_its_sales_carry(rows: Rows) -> None:
    delivered = rows(
        ONLINE_RETAIL,
        line("85123A", "WHITE HANGING HEART"),
        line("85123a", "WHITE HANGING HEART "),
        line("85123A", "CREAM HANGING HEART"),
        *[line("85123A", "damaged", -5, 0.0) for _ in range(4)],
        # As often as the other: the choice must not depend on the order of the rows.
        line("22002", "RED MUG"),
        line("22002", "BLUE MUG"),
        # Never sold: a note of the staff is no name.
        line("35983", "ebay", -1, 0.0),
        line("35983", "?", -1, 0.0),
        line("84571", "PINK LAMP", -1, 0.0),
        line("84571", None, -2, 0.0),
        line("CRUK", "CRUK Commission", -1, invoice="C1"),
        line("gift_0001_60", None, 3, 0.0),
    )
    built = online_retail.products(delivered)
    named = {(row.product_id, row.name, row.category) for row in built.collect()}
    assert built.count() == delivered.count()
    assert named == {
        ("85123A", "WHITE HANGING HEART", None),
        ("22002", "RED MUG", None),
        ("35983", "35983", None),
        ("84571", "PINK LAMP", None),
        ("CRUK", "CRUK Commission", "donation"),
        ("GIFT_0001_60", "GIFT_0001_60", "voucher"),
    }


def test_a_product_is_listed_from_its_first_sale_and_known_from_its_first_line(rows: Rows) -> None:
    delivered = rows(
        ONLINE_RETAIL,
        line("1", "A MUG", -1, 0.0, invoice_date="2011-05-31 23:59:00"),
        line("1", "A MUG", invoice_date="2011-06-02 10:00:00"),
        line("2", "B MUG", -1, 0.0, invoice_date="2011-06-03 10:00:00"),
    )
    built = online_retail.products(delivered)
    listed = built.selectExpr("product_id", "listed_on", "CAST(updated_at AS STRING) AS at").orderBy("product_id", "at")
    assert [tuple(row) for row in listed.collect()] == [
        ("1", date(2011, 6, 2), "2011-05-31 22:59:00"),
        ("1", date(2011, 6, 2), "2011-06-02 09:00:00"),
        ("2", date(2011, 6, 3), "2011-06-03 09:00:00"),
    ]


def test_a_product_of_the_shop_is_typed(rows: Rows) -> None:
    delivered = {"product_id": " P1", "list_price": "19.99", "listed_on": "2024-01-01", "is_active": "true"}
    (row,) = shop_source.products(rows(SHOP_PRODUCTS, delivered)).collect()
    assert (row.shop_id, row.product_id, row.list_price) == ("shop", "P1", Decimal("19.99"))
    assert (row.listed_on, row.is_active, row._untyped) == (date(2024, 1, 1), True, None)
