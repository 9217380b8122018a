"""Why revenue changed: each part against a number computed by hand."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import duckdb
import polars as pl
from pyspark.sql import DataFrame

from gold.sales import revenue_drivers, sales_by_order, shops
from silver import order_lines, orders
from tests.questions import query

Given = Callable[..., DataFrame]
Shown = Callable[[DataFrame, str], None]

LINES = """
    order_id  sold_on     customer_id  product_id  quantity  amount   line_type     country
    1         2024-01-01  c1           A           10        100.00   sale          Germany
    2         2024-01-20  c2           B           5         100.00   sale          France
    3         2024-01-31  -            GONE        1         30.00    sale          -
    4         2024-02-01  c1           A           12        132.00   sale          Germany
    5         2024-02-02  c3           B           10        200.00   sale          France
    6         2024-02-02  c3           NEW         2         50.00    sale          Germany
    7         2024-02-03  c4           B           9         900.00   sale          France
    C8        2024-02-29  c1           A           -1        -10.00   cancellation  Germany
"""
ORDERS = """
    order_id  status     channel
    1         delivered  web
    2         delivered  app
    3         delivered  -
    4         delivered  app
    5         delivered  web
    6         delivered  web
    7         cancelled  web
    C8        credit     -
"""


def drivers(given: Given, lines: str = LINES) -> DataFrame:
    sold, states = given(order_lines.TABLE, lines), given(orders.TABLE, ORDERS)
    by_order = sales_by_order.build(sold, states, shops.build(sold))
    return revenue_drivers.build(by_order, sold, states)


def test_price_volume_and_mix_and_the_rest_add_up_to_the_change(given: Given, shown: Shown) -> None:
    # The order that was cancelled sold 9 pieces all the same: B has 19 of them for 1100, A 12 for 132; in January 15
    # for 200. At the old prices that is 120 + 380 = 500; as many pieces in the old shares come to 200 x 31 / 15.
    rows = drivers(given).where("dimension = 'cause'")
    shown(
        rows.withColumn("driver", rows.driver.substr(1, 3)),
        """
        driver  effect    change  unexplained  month       compared_month
        pri     732.00    142.00  0.00         2024-02-01  2024-01-01
        vol     213.333   142.00  0.00         2024-02-01  2024-01-01
        mix     86.667    142.00  0.00         2024-02-01  2024-01-01
        new     50.00     142.00  0.00         2024-02-01  2024-01-01
        pro     -30.00    142.00  0.00         2024-02-01  2024-01-01
        ret     -910.00   142.00  0.00         2024-02-01  2024-01-01
        """,
    )


def test_the_question_why_revenue_changed_is_answered(given: Given) -> None:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA gold")
    connection.register("drivers", drivers(given).toArrow())
    connection.execute("CREATE VIEW gold.revenue_drivers AS SELECT * REPLACE ('shop' AS shop_id) FROM drivers")
    answer = connection.sql(query("Why did revenue change")).pl()
    assert answer["dimension"].unique().sort().to_list() == sorted(revenue_drivers.DIMENSIONS)
    assert answer.group_by("dimension").agg(pl.col("effect").sum())["effect"].unique().to_list() == [Decimal(142)]


def test_customers_countries_channels_and_products_add_up_too(given: Given, shown: Shown) -> None:
    rows = drivers(given).where("dimension <> 'cause'")
    shown(
        rows.selectExpr("dimension", "replace(driver, ' ', '_') AS driver", "revenue", "compared_revenue", "effect"),
        """
        dimension  driver               revenue  compared_revenue  effect
        customers  new_customers        250.00   200.00            50.00
        customers  returning_customers  122.00   0.00              122.00
        customers  without_account      0.00     30.00             -30.00
        country    Germany              172.00   100.00            72.00
        country    France               200.00   100.00            100.00
        country    Unspecified          0.00     30.00             -30.00
        channel    web                  250.00   100.00            150.00
        channel    app                  132.00   100.00            32.00
        channel    not_stated           -10.00   30.00             -40.00
        product    A                    122.00   100.00            22.00
        product    B                    200.00   100.00            100.00
        product    GONE                 0.00     30.00             -30.00
        product    NEW                  50.00    0.00              50.00
        """,
    )


def test_a_month_that_still_runs_is_compared_with_as_many_days(given: Given, shown: Shown) -> None:
    until_the_20th = "\n".join([*LINES.splitlines()[:-2], "    9  2024-02-20  c1  A  1  1.00  sale  Germany"])
    rows = drivers(given, until_the_20th).where("dimension = 'country'")
    shown(
        rows,
        """
        driver   revenue  compared_revenue  through_on  compared_through_on
        Germany  183.00   100.00            2024-02-20  2024-01-20
        France   200.00   100.00            2024-02-20  2024-01-20
        """,
    )


def test_a_month_is_compared_with_that_of_the_year_before(given: Given, shown: Shown) -> None:
    lines = """
        order_id  sold_on     product_id  quantity  amount
        1         2023-02-10  A           1         10.00
        2         2023-02-28  A           1         10.00
        4         2024-02-29  A           1         15.00
    """
    rows = drivers(given, lines).where("month = '2024-02-01' AND dimension = 'product'")
    shown(
        rows.selectExpr("replace(basis, ' ', '_') AS basis", "compared_through_on", "effect"),
        """
        basis           compared_through_on  effect
        previous_month  2024-01-31           15.00
        previous_year   2023-02-28           -5.00
        """,
    )


def test_products_beyond_the_most_changed_are_one_row(given: Given) -> None:
    lines = "order_id sold_on product_id quantity amount\n1 2024-01-31 X 1 1.00\n" + "\n".join(
        f"2 2024-02-29 P{n} 1 {n}.00" for n in range(10, 40)
    )
    rows = drivers(given, lines).where("dimension = 'product'").collect()
    effects = {row["driver"]: int(row["effect"]) for row in rows}
    assert len(effects) == revenue_drivers.MOST_PRODUCTS + 1
    assert effects["P39"] == 39
    assert effects[revenue_drivers.OTHER_PRODUCTS] == sum(range(10, 20)) - 1
