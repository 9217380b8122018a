"""Products, customers, orders and what came back: what each row says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold import STEPS
from gold.customers import customers as gold_customers
from gold.demand import stock_position
from gold.sales import products as gold_products
from gold.sales import returns, sales_by_order, sales_by_product, shops
from lakehouse.declare.table import MONEY, Table
from ml.core import scoring
from ml.families import FAMILIES
from silver import customers, order_lines, orders, products

Given = Callable[..., DataFrame]
Shown = Callable[[DataFrame, str], None]

LINES = """
    order_id  line_id  sold_on     customer_id  product_id  quantity  amount  unit_cost  line_type     currency
    1         1        2024-03-01  c1           MUG         2         10.00   3.00       sale          GBP
    1         2        2024-03-01  c1           TEA         1         4.00    -          sale          GBP
    2         1        2024-03-02  c1           MUG         1         5.00    3.00       sale          GBP
    3         1        2024-03-03  c1           MUG         1         5.00    3.50       sale          GBP
    C4        1        2024-04-01  c1           MUG         -1        -5.00   3.00       cancellation  GBP
    5         1        2024-03-02  c2           TEA         1         4.00    -          sale          GBP
    6         1        2024-03-04  -            TEA         1         4.00    -          sale          GBP
    7         1        2024-03-05  c1           MUG         1         9.00    3.00       sale          EUR
"""
ORDERS = """
    order_id  status     channel  cancel_reason
    1         delivered  web      -
    2         cancelled  web      late
    3         delivered  app      -
    C4        credit     -        -
    5         returned   web      -
    6         placed     web      -
    7         placed     web      -
"""


@pytest.fixture(scope="module")
def by_order(given: Given) -> DataFrame:
    lines = given(order_lines.TABLE, LINES)
    return sales_by_order.build(lines, given(orders.TABLE, ORDERS), shops.build(lines)).cache()


def test_a_shop_has_the_currency_of_most_of_its_lines(given: Given, shown: Shown) -> None:
    shown(shops.build(given(order_lines.TABLE, LINES)), "shop_id currency\ns GBP")


def test_an_order_knows_its_number_among_those_of_its_customer(by_order: DataFrame, shown: Shown) -> None:
    shown(
        by_order.selectExpr("*", "replace(buyer, ' ', '_') AS by"),
        """
        order_id  by       status     cancel_reason  has_sale  is_kept  order_number  net_revenue  costed_revenue margin
        1         c1       delivered  -              true      true     1             14.00        10.00           4.00
        2         c1       cancelled  late           true      false    -             0.00         0.00            -
        3         c1       delivered  -              true      true     2             5.00         5.00            1.50
        C4        c1       credit     -              false     false    -             -5.00        -5.00           -2.00
        5         c2       returned   -              true      false    -             0.00         0.00            -
        6         order_6  placed     -              true      true     -             4.00         0.00            -
        7         c1       placed     -              true      true     3             9.00         0.00            -
        """,
    )


def test_an_order_over_midnight_has_one_number(given: Given, shown: Shown) -> None:
    lines = given(
        order_lines.TABLE,
        """
        order_id  line_id  sold_on     sold_at               amount
        1         1        2024-03-01  2024-03-01T23:59:00Z  1.00
        1         2        2024-03-02  2024-03-02T00:01:00Z  1.00
        2         1        2024-03-02  2024-03-02T09:00:00Z  1.00
        """,
    )
    rows = sales_by_order.build(lines, given(orders.TABLE), shops.build(lines))
    shown(rows, "order_id sold_on order_number\n1 2024-03-01 1\n1 2024-03-02 1\n2 2024-03-02 2")


def test_a_customer_is_what_was_bought_and_kept_in_one_currency(
    given: Given, shown: Shown, by_order: DataFrame
) -> None:
    accounts = given(
        customers.TABLE,
        """
        customer_id  country  country_code  registered_at         marketing_consent  __START_AT  __END_AT
        c1           Spain    ES            2024-02-01T10:00:00Z  false              2024-02-01  2024-03-01
        c1           France   FR            2024-02-01T10:00:00Z  true               2024-03-01  -
        c9           Spain    ES            2024-02-02T10:00:00Z  -                  2024-02-02  -
        """,
    )
    rows = gold_customers.build(accounts, by_order.where("customer_id IS NOT NULL"))
    shown(
        rows.drop("first_order_on", "acquisition_channel").withColumnRenamed("marketing_consent", "agreed"),
        """
        customer_id country_code registered_on agreed last_order_on orders cancelled_orders units currency net_revenue
        c1          FR           2024-02-01    true   2024-03-05    3      1                4     GBP      14.00
        c2          GB           -             -      -             0      1                0     GBP      0.00
        c9          ES           2024-02-02    -      -             0      0                0     -        -
        """,
    )


def test_no_personal_data_are_in_the_customers_of_gold() -> None:
    personal = {field.name for field in customers.TABLE.fields if field.personal}
    assert personal
    assert personal.isdisjoint(gold_customers.TABLE.all_columns)


def test_a_product_is_its_newest_listing_with_stock_and_sales(given: Given, shown: Shown) -> None:
    listed = given(
        products.TABLE,
        """
        product_id  name  category  list_price  unit_cost  is_active  __START_AT  __END_AT
        MUG         old   Kitchen   5.00        3.00       true       2024-01-01  2024-02-01
        MUG         mug   Kitchen   6.00        3.50       true       2024-02-01  -
        TEA         tea   -         4.00        -          false      2024-01-01  -
        NEW         new   -         1.00        -          true       2024-01-01  -
        """,
    )
    stock = given(stock_position.TABLE, "shop_id product_id on_hand on_order\ns MUG 7 2")
    lines = given(order_lines.TABLE, LINES)
    shown(
        gold_products.build(listed, lines, stock, shops.build(lines)),
        """
        product_id name category currency list_price unit_cost on_hand is_active first_sold_on last_sold_on versions
        MUG        mug  Kitchen  GBP      6.00       3.50      7       true      2024-03-01    2024-03-05   2
        TEA        tea  -        GBP      4.00       -         -       false     2024-03-01    2024-03-04   1
        NEW        new  -        GBP      1.00       -         -       true      -             -            1
        """,
    )


def test_what_came_back_is_told_with_its_reason_and_adds_up_to_the_products(given: Given, shown: Shown) -> None:
    lines, states = given(order_lines.TABLE, LINES), given(orders.TABLE, ORDERS)
    rows = returns.build(lines, states)
    shown(
        rows.selectExpr("*", "replace(reason, ' ', '_') AS why").where("currency = 'GBP'"),
        """
        product_id  sold_month  outcome    why         lines  units  gross_sales  cancelled_amount  net_revenue
        MUG         2024-03-01  kept       not_stated  2      3      15.00        0.00              15.00
        MUG         2024-03-01  cancelled  late        1      1      5.00         -5.00             0.00
        MUG         2024-04-01  credited   not_stated  1      0      0.00         -5.00             -5.00
        TEA         2024-03-01  kept       not_stated  2      2      8.00         0.00              8.00
        TEA         2024-03-01  returned   not_stated  1      1      4.00         -4.00             0.00
        """,
    )
    by_product = sales_by_product.build(lines, states, shops.build(lines))
    sums = ("gross_sales", "cancelled_amount", "net_revenue", "lines", "line_amount")
    keys = ["product_id", "sold_month", "currency"]
    kinds = dict(by_product.dtypes)
    added = rows.groupBy(*keys).agg(*(F.sum(name).cast(kinds[name]).alias(name) for name in sums))
    assert added.exceptAll(by_product.select(*added.columns)).collect() == []
    assert added.count() == by_product.count()


GOLD = {step.table.name: step.table for step in (*STEPS, *scoring.declared(FAMILIES))}


@pytest.mark.parametrize("table", GOLD.values(), ids=GOLD)
def test_every_amount_names_its_currency(table: Table) -> None:
    amounts = [field.name for field in table.fields if field.type == MONEY or field.unit.startswith("currency")]
    assert not amounts or "currency" in table.all_columns, amounts
