"""Customers: recency, frequency, value, cohorts, and what each bought."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame

from gold.customers import cohort_retention, customer_rfm
from gold.recommend import interactions
from silver import order_lines, orders

Given = Callable[..., DataFrame]
Shown = Callable[[DataFrame, str], None]

# ann buys three times and returns a part; bob's second order is cancelled; cy's only order is; dee only brings back.
LINES = """
    shop_id  order_id  sold_on     customer_id  product_id  quantity  amount  line_type
    s        1         2024-01-10  ann          MUG         2         10.00   sale
    s        1         2024-01-10  ann          TEA         1         4.00    sale
    s        2         2024-02-05  ann          MUG         1         5.00    sale
    s        C3        2024-02-20  ann          MUG         -1        -5.00   cancellation
    s        4         2024-04-01  ann          TEA         1         4.00    sale
    s        5         2024-02-01  bob          TEA         1         4.00    sale
    s        6         2024-03-01  bob          MUG         1         5.00    sale
    s        7         2024-03-15  cy           MUG         1         5.00    sale
    s        C8        2024-01-02  dee          MUG         -1        -5.00   cancellation
    t        1         2024-02-01  ann          MUG         1         7.00    sale
"""
ORDERS = """
    shop_id  order_id  status
    s        1         delivered
    s        6         cancelled
    s        7         returned
    t        1         placed
"""


def test_only_orders_that_count_make_recency_frequency_and_value(given: Given, shown: Shown) -> None:
    customers = customer_rfm.build(given(order_lines.TABLE, LINES), given(orders.TABLE, ORDERS))
    shown(
        customers,
        """
        shop_id  customer_id  as_of_on    first_order_on  last_order_on  recency_days  tenure_days  frequency  products
        s        ann          2024-04-01  2024-01-10      2024-04-01     0             82           3          2
        s        bob          2024-04-01  2024-02-01      2024-02-01     60            60           1          1
        s        cy           2024-04-01  -               -              -             -            0          0
        s        dee          2024-04-01  -               -              -             -            0          0
        t        ann          2024-02-01  2024-02-01      2024-02-01     0             0            1          1
        """,
    )
    shown(
        customers.selectExpr("*", "round(return_rate, 4) AS returned"),
        """
        shop_id  customer_id  monetary  returned  lines  line_amount  rfm_score
        s        ann          18.00     0.2174    5      18.00        222
        s        bob          4.00      0.5556    2      9.00         111
        s        cy           0.00      1.0       1      5.00         -
        s        dee          -5.00     -         1      -5.00        -
        t        ann          7.00      0.0       1      7.00         111
        """,
    )


def test_scores_are_quintiles_with_ties_decided_the_same_way_each_time(given: Given, shown: Shown) -> None:
    # Ten customers with one order each: recency and value tell them apart, frequency ties and follows recency.
    header = "order_id sold_on customer_id amount"
    rows = [f"{n} 2024-01-{n + 1:02} c{n} {100 - n}.00" for n in range(10)]
    lines = given(order_lines.TABLE, "\n".join([header, *rows]))
    expected = [f"c{n} {n // 2 + 1} {n // 2 + 1} {5 - n // 2}" for n in range(10)]
    text = "\n".join(["customer_id r_score f_score m_score", *expected])
    shown(customer_rfm.build(lines, given(orders.TABLE)), text)
    shown(customer_rfm.build(lines.orderBy("amount").repartition(3), given(orders.TABLE)), text)


def test_a_cohort_has_a_row_for_each_month_to_the_shops_last(given: Given, shown: Shown) -> None:
    cohorts = cohort_retention.build(given(order_lines.TABLE, LINES), given(orders.TABLE, ORDERS))
    # bob's second order is cancelled: March has no activity. cy was never won, and dee's credit note has nobody.
    shown(
        cohorts.where("shop_id = 's'"),
        """
        cohort_month  months_since  customers  active_customers  retention  net_revenue  lines  line_amount
        2024-01-01    0             1          1                 1.0        9.00         3      9.00
        2024-01-01    1             1          1                 1.0        0.00         2      0.00
        2024-01-01    2             1          0                 0.0        0.00         0      0.00
        2024-01-01    3             1          1                 1.0        4.00         1      4.00
        2024-02-01    0             1          1                 1.0        4.00         1      4.00
        2024-02-01    1             1          0                 0.0        0.00         1      5.00
        2024-02-01    2             1          0                 0.0        0.00         0      0.00
        2024-03-01    0             0          0                 -          0.00         1      5.00
        2024-03-01    1             0          0                 -          0.00         0      0.00
        """,
    )


def test_months_are_counted_across_a_turn_of_the_year_and_early_returns_go_to_month_0(
    given: Given, shown: Shown
) -> None:
    lines = given(
        order_lines.TABLE,
        """
        order_id  sold_on     customer_id  quantity  amount  line_type
        C0        2023-10-31  ann          -1        -5.00   cancellation
        1         2023-12-31  ann          1         5.00    sale
        2         2023-12-01  bob          1         5.00    sale
        3         2024-01-01  ann          1         6.00    sale
        """,
    )
    shown(
        cohort_retention.build(lines, given(orders.TABLE)),
        """
        cohort_month  months_since  customers  active_customers  retention  net_revenue
        2023-12-01    0             2          2                 1.0        5.00
        2023-12-01    1             2          1                 0.5        6.00
        """,
    )


def test_interactions_sum_a_customers_purchases_of_a_product(given: Given, shown: Shown) -> None:
    lines = given(order_lines.TABLE, LINES).where("line_type = 'sale' AND customer_id IN ('ann', 'bob')")
    shown(
        interactions.build(lines).selectExpr("*", "date(first_at) AS first_on", "date(last_at) AS last_on"),
        """
        shop_id  customer_id  product_id  first_on    last_on     orders  quantity  value  lines
        s        ann          MUG         2024-01-10  2024-02-05  2       3         15.00  2
        s        ann          TEA         2024-01-10  2024-04-01  2       2         8.00   2
        s        bob          TEA         2024-02-01  2024-02-01  1       1         4.00   1
        s        bob          MUG         2024-03-01  2024-03-01  1       1         5.00   1
        t        ann          MUG         2024-02-01  2024-02-01  1       1         7.00   1
        """,
    )
