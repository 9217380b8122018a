from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row

from bronze.online_retail.lines import TABLE as ONLINE_RETAIL
from bronze.shop.order_lines import TABLE as SHOP_ORDER_LINES
from bronze.shop.orders import TABLE as SHOP_ORDERS
from lakehouse.declare.table import Table
from silver import order_lines, products
from silver.sources import online_retail
from silver.sources import shop as shop_source

Rows = Callable[..., DataFrame]
Broken = Callable[[Table, DataFrame], list[set[str]]]

LINE = {
    "invoice": "536365",
    "stock_code": "85123A",
    "description": "WHITE HANGING HEART T-LIGHT HOLDER",
    "quantity": "6",
    "invoice_date": "2010-12-01 08:26:00",
    "price": "2.55",
    "customer_id": "17850.0",
    "country": "United Kingdom",
}
SHOP_LINE = {
    "order_id": "O1",
    "line_no": "1",
    "ordered_at": "2024-03-01 23:30:00",
    "customer_id": "C1",
    "country": "DE",
    "product_id": "P1",
    "quantity": "3",
    "unit_price": "19.99",
    "discount": "1.50",
    "currency": "EUR",
}


@pytest.fixture
def retail(rows: Rows) -> Callable[..., DataFrame]:
    return lambda *changes: online_retail.order_lines(rows(ONLINE_RETAIL, *({**LINE, **c} for c in changes)))


@pytest.fixture
def shop(rows: Rows) -> Callable[..., DataFrame]:
    def built(*changes: dict[str, str]) -> DataFrame:
        lines = rows(SHOP_ORDER_LINES, *({**SHOP_LINE, **c} for c in changes))
        return shop_source.order_lines(lines, rows(products.TABLE), rows(SHOP_ORDERS))

    return built


def by_row(built: DataFrame) -> list[Row]:
    return built.orderBy("_source_file", "_source_row").collect()


def values(built: DataFrame, name: str) -> list[Any]:
    return [row[name] for row in by_row(built)]


def test_a_line_of_online_retail_is_typed_and_says_what_it_is(retail: Rows) -> None:
    (line,) = by_row(retail({"stock_code": "85123a", "price": "2.555"}))
    assert (line.shop_id, line.order_id, line.product_id, line.customer_id) == (
        "online_retail",
        "536365",
        "85123A",
        "17850",
    )
    assert (line.quantity, line.unit_price, line.discount) == (6, Decimal("2.5550"), Decimal("0.00"))
    assert line.amount == Decimal("15.33")
    assert (line.country, line.country_code, line.currency) == ("United Kingdom", "GB", "GBP")
    assert (line.item_type, line.line_type) == ("product", "sale")


def test_equal_lines_of_one_file_are_second_scans_and_those_of_another_file_the_same_lines(retail: Rows) -> None:
    again = {"_source_file": "b.csv"}
    ids = values(retail({}, {"quantity": "1"}, {}, again, again | {"quantity": "1"}, again), "line_id")
    first, other, second = ids[:3]
    assert len({first, other, second}) == 3
    assert ids[3:] == ids[:3]
    assert (first[:-1], first[-2:], second[-2:]) == (second[:-1], "-1", "-2")


def test_spelling_does_not_make_another_line(retail: Rows) -> None:
    respelt = {"_source_file": "b.csv", "customer_id": "17850", "price": "2.5500", "country": "United Kingdom "}
    one, other = values(retail({}, respelt), "line_id")
    assert one == other


def test_what_is_missing_makes_another_line_and_not_the_same_as_any_other_missing(retail: Rows) -> None:
    ids = values(retail({}, {"description": None}, {"customer_id": None}, {"country": None}), "line_id")
    assert len(set(ids)) == 4


def test_the_shops_clock_is_londons(retail: Rows) -> None:
    built = retail({"invoice_date": "2011-06-30 23:30:00"}, {"invoice_date": "2010-12-01 00:10:00"})
    assert values(built.selectExpr("*", "CAST(sold_at AS STRING) AS text"), "text") == [
        "2011-06-30 22:30:00",
        "2010-12-01 00:10:00",
    ]
    assert values(built, "sold_on") == [date(2011, 6, 30), date(2010, 12, 1)]


def test_odd_lines_are_kept_for_what_they_are(retail: Rows, broken: Broken) -> None:
    built = retail(
        {"invoice": "C536379", "stock_code": "D", "quantity": "-1", "price": "27.5"},
        {"invoice": "A563186", "stock_code": "B", "quantity": "1", "price": "-11062.06"},
        {"invoice": "A563185", "stock_code": "B", "quantity": "1", "price": "11062.06"},
        {"quantity": "-10", "price": "0.0", "customer_id": None},
        {"quantity": "10", "price": "0.0"},
        {"stock_code": "BANK CHARGES", "quantity": "1", "price": "0.001"},
        {"customer_id": None},
        {"description": None},
    )
    assert [(row.line_type, f"{row.amount:.2f}") for row in by_row(built)] == [
        ("cancellation", "-27.50"),
        ("bad_debt", "-11062.06"),
        ("bad_debt", "11062.06"),
        ("stock_adjustment", "0.00"),
        ("free", "0.00"),
        ("sale", "0.00"),
        ("sale", "15.30"),
        ("sale", "15.30"),
    ]
    assert broken(order_lines.TABLE, built) == [set()] * 8


def test_a_cancellation_that_adds_goods_is_rejected(retail: Rows, broken: Broken) -> None:
    built = retail({"invoice": "C496350", "stock_code": "M", "quantity": "1", "price": "373.57"})
    assert broken(order_lines.TABLE, built) == [{"quantity.sign"}]


def test_codes_that_are_no_goods(retail: Rows) -> None:
    kinds = {
        "POST": "shipping",
        "DOT": "shipping",
        "C2": "shipping",
        "C3": "shipping",
        "m": "adjustment",
        "ADJUST": "adjustment",
        "B": "adjustment",
        "D": "discount",
        "S": "sample",
        "BANK CHARGES": "fee",
        "AMAZONFEE": "fee",
        "CRUK": "donation",
        "gift_0001_20": "voucher",
        "GIFT": "voucher",
        "DCGS0058": "product",
        "PADS": "product",
        "47503J ": "product",
    }
    assert values(retail(*({"stock_code": code} for code in kinds)), "item_type") == list(kinds.values())


def test_a_misread_pound_sign_is_put_right(retail: Rows) -> None:
    assert values(retail({"description": " Gift Voucher Â£20.00"}), "description") == ["Gift Voucher £20.00"]


def test_an_unknown_country_stays_visible_and_warns(retail: Rows, broken: Broken) -> None:
    built = retail({"country": "Atlantis"}, {"country": "Unspecified"}, {"country": None})
    assert values(built, "country") == ["Atlantis", "Unspecified", "Unspecified"]
    assert values(built, "country_code") == ["ZZ", "ZZ", "ZZ"]
    assert broken(order_lines.TABLE, built) == [{"country.known"}, set(), set()]


def test_a_line_of_the_shop(shop: Rows, broken: Broken) -> None:
    built = shop({}, {"discount": None}, {"unit_price": "0"}, {"quantity": "-1", "discount": ""})
    assert values(built, "amount") == [Decimal("58.47"), Decimal("59.97"), Decimal("-1.50"), Decimal("-19.99")]
    assert values(built, "line_type") == ["sale", "sale", "free", "cancellation"]
    line = by_row(built)[0]
    assert (line.shop_id, line.line_id, line.sold_on, line.country) == ("shop", "1", date(2024, 3, 1), "Germany")
    assert broken(order_lines.TABLE, built) == [set()] * 4


def test_dirt_of_the_shop_is_rejected(shop: Rows, broken: Broken) -> None:
    dirt: list[tuple[dict[str, Any], set[str]]] = [
        ({"quantity": "two"}, {"quantity.type"}),
        ({"unit_price": "n/a"}, {"unit_price.type"}),
        ({"ordered_at": "2024-13-45 99:00:00"}, {"sold_at.type"}),
        ({"unit_price": "-19.99"}, {"unit_price.sign"}),
        ({"discount": "a lot"}, {"discount.type"}),
        ({"quantity": "0"}, {"quantity.sign"}),
        # Too large for any sale, and for the type of the amount: the build must not fail on it.
        ({"quantity": "2147483647", "unit_price": "99999999999999.99"}, {"quantity.between", "unit_price.between"}),
    ]
    assert broken(order_lines.TABLE, shop(*(change for change, _ in dirt))) == [rules for _, rules in dirt]
