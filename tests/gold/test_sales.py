"""Sales by day, product and country: what each money column holds."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame

from gold.sales import sales_by_country, sales_by_product, sales_daily, shops
from silver import order_lines, orders

Given = Callable[..., DataFrame]
Shown = Callable[[DataFrame, str], None]

LINES = """
    shop_id order_id sold_on    customer_id product_id description quantity amount item_type  line_type        country
    s       1        2024-03-01 c1          MUG        mug         2        10.00  product    sale             Germany
    s       1        2024-03-01 c1          TEA        tea         1        4.50   product    sale             Germany
    s       1        2024-03-01 c1          POST       postage     1        3.00   shipping   sale             Germany
    s       2        2024-03-01 c2          MUG        mug         1        5.00   product    sale             France
    s       3        2024-03-01 -           MUG        mug         4        20.00  product    sale             -
    s       C4       2024-03-01 c9          MUG        -           -1       -5.00  product    cancellation     France
    s       A5       2024-03-01 -           B          debt        1        -99.00 adjustment bad_debt         Germany
    s       6        2024-03-01 -           MUG        broken      -7       0.00   product    stock_adjustment Germany
    s       7        2024-03-02 c1          MUG        cup         1        6.00   product    sale             Germany
    s       7        2024-03-02 c1          D          discount    1        -1.00  discount   sale             Germany
    s       7        2024-03-02 c1          FEE        fee         1        -0.30  fee        sale             Germany
    s       7        2024-03-02 c1          GIFT       voucher     1        25.00  voucher    sale             Germany
    t       1        2024-03-01 c1          MUG        mug         1        7.00   product    sale             Germany
"""
# Order 2 of shop s is cancelled and order 3 came back as a whole; order 1 of shop t has only its number in common.
ORDERS = """
    shop_id  order_id  ordered_on  status
    s        1         2024-03-01  delivered
    s        2         2024-03-01  cancelled
    s        3         2024-03-01  returned
    s        C4        2024-03-01  credit
    s        7         2024-03-02  placed
    t        1         2024-03-01  completed
"""


def test_a_day_adds_up_from_gross_sales_to_net_revenue(given: Given, shown: Shown) -> None:
    days = sales_daily.build(given(order_lines.TABLE, LINES), given(orders.TABLE, ORDERS), given(shops.TABLE))
    shown(
        days,
        """
        shop_id  sold_on     lines  orders  cancelled_orders  customers  units  cancelled_units
        s        2024-03-01  8      3       2                 2          8      -6
        s        2024-03-02  4      1       0                 1          1      0
        t        2024-03-01  1      1       0                 1          1      0
        """,
    )
    # Gross 10 + 4.50 + 5 + 20; taken off: the credit note's 5, order 2's 5 and order 3's 20.
    shown(
        days,
        """
        shop_id  sold_on     gross_sales  cancelled_amount  net_revenue  status_cancelled_amount
        s        2024-03-01  39.50        -30.00            9.50         -25.00
        s        2024-03-02  6.00         0.00              6.00         0.00
        t        2024-03-01  7.00         0.00              7.00         0.00
        """,
    )


def test_what_is_not_a_product_is_a_charge_of_its_kind(given: Given, shown: Shown) -> None:
    days = sales_daily.build(given(order_lines.TABLE, LINES), given(orders.TABLE, ORDERS), given(shops.TABLE))
    columns = (
        "charges_amount  shipping_amount  fee_amount  discount_amount  adjustment_amount  other_amount  line_amount"
    )
    shown(
        days,
        f"""
        shop_id  sold_on     {columns}
        s        2024-03-01  -96.00  3.00  0.00   0.00   -99.00  0.00   -61.50
        s        2024-03-02  23.70   0.00  -0.30  -1.00  0.00    25.00  29.70
        t        2024-03-01  0.00    0.00  0.00   0.00   0.00    0.00   7.00
        """,
    )


def test_an_order_that_came_back_counts_for_nothing_even_if_it_has_credit_lines(given: Given, shown: Shown) -> None:
    lines = given(
        order_lines.TABLE,
        """
        order_id  sold_on     quantity  amount  line_type
        1         2024-03-01  4         20.00   sale
        1         2024-03-01  -1        -5.00   cancellation
        """,
    )
    shown(
        sales_daily.build(lines, given(orders.TABLE, "order_id status\n1 returned"), given(shops.TABLE)),
        """
        gross_sales  cancelled_amount  status_cancelled_amount  net_revenue  cancelled_units  line_amount
        20.00        -20.00            -15.00                   0.00         -4               15.00
        """,
    )


def test_without_known_orders_no_sale_is_undone(given: Given, shown: Shown) -> None:
    days = sales_daily.build(given(order_lines.TABLE, LINES), given(orders.TABLE), given(shops.TABLE))
    shown(
        days.where("shop_id = 's' AND sold_on = '2024-03-01'"),
        """
        gross_sales  cancelled_amount  status_cancelled_amount  net_revenue
        39.50        -5.00             0.00                     34.50
        """,
    )


def test_a_product_is_summed_by_month_under_its_newest_name(given: Given, shown: Shown) -> None:
    lines = given(order_lines.TABLE, LINES).where("item_type = 'product'")
    shown(
        sales_by_product.build(lines, given(orders.TABLE, ORDERS), given(shops.TABLE)),
        """
        shop_id  product_id  sold_month  product_name  lines  units  gross_sales  cancelled_amount  charges_amount
        s        MUG         2024-03-01  cup           6      8      41.00        -30.00            0.00
        s        TEA         2024-03-01  tea           1      1      4.50         0.00              0.00
        t        MUG         2024-03-01  mug           1      1      7.00         0.00              0.00
        """,
    )


def test_a_country_is_summed_by_day_and_an_unknown_one_has_a_name(given: Given, shown: Shown) -> None:
    shown(
        sales_by_country.build(given(order_lines.TABLE, LINES), given(orders.TABLE, ORDERS), given(shops.TABLE)),
        """
        shop_id  country      sold_on     lines  orders  net_revenue  charges_amount  line_amount
        s        Germany      2024-03-01  5      1       14.50        -96.00          -81.50
        s        France       2024-03-01  2      1       -5.00        0.00            0.00
        s        Unspecified  2024-03-01  1      1       0.00         0.00            20.00
        s        Germany      2024-03-02  4      1       6.00         23.70           29.70
        t        Germany      2024-03-01  1      1       7.00         0.00            7.00
        """,
    )


def test_two_currencies_of_a_day_are_never_added(given: Given) -> None:
    lines = given(
        order_lines.TABLE,
        """
        order_id  sold_on     amount  currency
        1         2024-03-01  10.00   GBP
        2         2024-03-01  10.00   EUR
        """,
    )
    days = sales_daily.build(lines, given(orders.TABLE), given(shops.TABLE))
    assert {(row.currency, int(row.net_revenue)) for row in days.collect()} == {("GBP", 10), ("EUR", 10)}
