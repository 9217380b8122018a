"""The shop's day at a glance, and its stock."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame

from gold.demand import demand_daily, stock_position
from gold.sales import kpi_daily, sessions
from silver import marketing_spend, order_lines, orders, page_events, stock_levels

Given = Callable[..., DataFrame]
Shown = Callable[[DataFrame, str], None]


def test_a_day_shows_visits_orders_and_spend_side_by_side(given: Given, shown: Shown) -> None:
    lines = given(
        order_lines.TABLE,
        """
        order_id  sold_on     amount  quantity
        1         2024-03-01  30.00   2
        2         2024-03-01  10.00   1
        3         2024-03-02  9.00    1
        """,
    )
    states = given(orders.TABLE, "order_id status\n1 delivered\n2 cancelled\n3 placed")
    events = given(
        page_events.TABLE,
        """
        session_id  visitor_id  event_at              event_type
        a           v1          2024-03-01T09:00:00Z  view
        a           v1          2024-03-01T09:01:00Z  add_to_cart
        a           v1          2024-03-01T09:02:00Z  checkout
        a           v1          2024-03-01T09:03:00Z  purchase
        b           v1          2024-03-01T12:00:00Z  view
        c           v2          2024-03-01T13:00:00Z  view
        d           v3          2024-03-01T14:00:00Z  search
        e           v3          2024-03-03T23:59:00Z  view
        e           v3          2024-03-04T00:01:00Z  view
        """,
    )
    spend = given(
        marketing_spend.TABLE,
        """
        spend_on    channel  spend
        2024-03-01  search   12.00
        2024-03-01  social   3.00
        2024-03-04  search   8.00
        """,
    )
    days = kpi_daily.build(lines, states, sessions.build(events), spend)
    shown(
        days,
        """
        kpi_on      currency  sessions  visitors  views  add_to_carts  checkouts  purchases  orders  units  lines
        2024-03-01  GBP       4         3         3      1             1          1          2       3      2
        2024-03-02  GBP       0         0         0      0             0          0          1       1      1
        2024-03-03  -         1         1         2      0             0          0          0       0      0
        2024-03-04  GBP       0         0         0      0             0          0          0       0      0
        """,
    )
    shown(
        days,
        """
        kpi_on      cancelled_orders  net_revenue  marketing_spend
        2024-03-01  1                 30.00        15.00
        2024-03-02  0                 9.00         0.00
        2024-03-03  0                 0.00         0.00
        2024-03-04  0                 0.00         8.00
        """,
    )


def test_a_shop_without_visits_and_spend_has_its_sales(given: Given, shown: Shown) -> None:
    lines = given(order_lines.TABLE, "order_id sold_on amount\n1 2024-03-01 30.00")
    days = kpi_daily.build(lines, given(orders.TABLE), given(sessions.TABLE), given(marketing_spend.TABLE))
    shown(days, "orders net_revenue sessions marketing_spend\n1 30.00 0 0.00")


def test_spend_in_another_currency_stands_in_a_row_of_its_own(given: Given) -> None:
    lines = given(order_lines.TABLE, "order_id sold_on amount\n1 2024-03-01 30.00")
    spend = given(marketing_spend.TABLE, "spend_on spend currency\n2024-03-01 5.00 EUR")
    days = kpi_daily.build(lines, given(orders.TABLE), given(sessions.TABLE), spend)
    assert {(row.currency, int(row.marketing_spend)) for row in days.collect()} == {("GBP", 0), ("EUR", 5)}


def test_stock_is_the_last_count_of_each_warehouse_against_the_demand_of_four_weeks(given: Given, shown: Shown) -> None:
    counts = given(
        stock_levels.TABLE,
        """
        product_id  warehouse  counted_at            on_hand  on_order  lead_time_days  unit_cost
        MUG         w1         2024-03-01T23:00:00Z  50       0         7               2.00
        MUG         w1         2024-03-31T23:00:00Z  10       20        7               2.50
        MUG         w2         2024-03-30T23:00:00Z  4        0         3               2.00
        TEA         w1         2024-03-31T23:00:00Z  100      0         7               1.00
        CUP         w1         2024-03-31T23:00:00Z  0        5         7               -
        OLD         w1         2024-03-31T23:00:00Z  3        -         7               -
        """,
    )
    # MUG: 28 days end on 31 March; 8 and 0 pieces on days with stock, none on the stockout. The 100 are too long ago.
    demand = given(
        demand_daily.TABLE,
        """
        shop_id  product_id  demand_on   quantity  is_stockout  currency
        s        MUG         2024-03-03  100       false        GBP
        s        MUG         2024-03-04  8         false        GBP
        s        MUG         2024-03-05  0         true         GBP
        s        MUG         2024-03-31  0         false        GBP
        s        TEA         2024-03-31  2         false        GBP
        s        CUP         2024-03-31  0         true         GBP
        """,
    )
    shown(
        stock_position.build(counts, demand),
        """
        product_id counted_on on_hand on_order lead_time_days mean_daily_demand days_of_cover is_at_risk stock_value
        MUG        2024-03-31 14      20       7              4.0               3.5           true       33.00
        TEA        2024-03-31 100     0        7              2.0               50.0          false      100.00
        CUP        2024-03-31 0       5        7              -                 -             true       0.00
        OLD        2024-03-31 3       0        7              -                 -             false      -
        """,
    )


def test_stock_without_any_demand_known_still_has_its_rows(given: Given, shown: Shown) -> None:
    counts = given(stock_levels.TABLE, "product_id counted_at on_hand\nMUG 2024-03-01T23:00:00Z 5")
    shown(
        stock_position.build(counts, given(demand_daily.TABLE)),
        """
        product_id  on_hand  mean_daily_demand  currency  counts
        MUG         5        -                  -         1
        """,
    )
