"""Demand: every day of every product, with price, promotion and stock."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame

from gold.demand import demand_daily
from silver import order_lines, products, promotions, stock_levels

Given = Callable[..., DataFrame]
Shown = Callable[[DataFrame, str], None]

LINES = """
    order_id  sold_on     product_id  quantity  amount  line_type
    1         2024-03-01  MUG         2         10.00   sale
    2         2024-03-04  MUG         1         4.00    sale
    2         2024-03-04  MUG         3         12.00   sale
    C3        2024-03-05  MUG         -2        -10.00  cancellation
    4         2024-03-03  TEA         1         4.50    sale
"""


def test_days_without_a_sale_are_zeros_at_the_last_price(given: Given, shown: Shown) -> None:
    days = demand_daily.build(
        given(order_lines.TABLE, LINES), given(products.TABLE), given(stock_levels.TABLE), given(promotions.TABLE)
    )
    shown(
        days,
        """
        product_id  demand_on   quantity  returned_quantity  orders  sales_amount  unit_price  lines  line_amount
        MUG         2024-03-01  2         0                  1       10.00         5.0000      1      10.00
        MUG         2024-03-02  0         0                  0       0.00          5.0000      0      0.00
        MUG         2024-03-03  0         0                  0       0.00          5.0000      0      0.00
        MUG         2024-03-04  4         0                  1       16.00         4.0000      2      16.00
        MUG         2024-03-05  0         2                  0       0.00          4.0000      1      -10.00
        TEA         2024-03-03  1         0                  1       4.50          4.5000      1      4.50
        TEA         2024-03-04  0         0                  0       0.00          4.5000      0      0.00
        TEA         2024-03-05  0         0                  0       0.00          4.5000      0      0.00
        """,
    )
    shown(days.where("on_hand IS NOT NULL OR is_stockout OR is_promoted OR discount_pct <> 0"), "product_id")


def test_a_series_starts_at_its_listing_within_the_days_of_the_shop(given: Given) -> None:
    listings = given(
        products.TABLE,
        """
        product_id  listed_on   is_active
        TEA         2024-03-02  true
        OLD         2019-01-01  true
        NEXT        2024-04-01  true
        POST        2024-03-01  -
        """,
    )
    days = demand_daily.build(
        given(order_lines.TABLE, LINES), listings, given(stock_levels.TABLE), given(promotions.TABLE)
    )
    starts = {
        row.product_id: str(row.first)
        for row in days.groupBy("product_id").agg({"demand_on": "min"}).toDF("product_id", "first").collect()
    }
    assert starts == {"MUG": "2024-03-01", "TEA": "2024-03-02", "OLD": "2024-03-01"}
    unsold = days.where("product_id = 'OLD'")
    assert {(r.quantity, r.unit_price, r.currency) for r in unsold.collect()} == {(0, None, "GBP")}


def test_a_day_that_opened_or_closed_empty_is_a_stockout(given: Given, shown: Shown) -> None:
    counts = given(
        stock_levels.TABLE,
        """
        product_id  warehouse  counted_at            on_hand
        MUG         w1         2024-02-20T23:00:00Z  3
        MUG         w2         2024-03-01T23:00:00Z  1
        MUG         w1         2024-03-02T10:00:00Z  9
        MUG         w1         2024-03-02T23:00:00Z  0
        MUG         w2         2024-03-03T23:00:00Z  0
        MUG         w2         2024-03-04T23:00:00Z  8
        """,
    )
    days = demand_daily.build(given(order_lines.TABLE, LINES), given(products.TABLE), counts, given(promotions.TABLE))
    # The count before the first sale is the opening stock; what was not counted on a day is as it was.
    shown(
        days,
        """
        product_id  demand_on   on_hand  is_stockout
        MUG         2024-03-01  4        false
        MUG         2024-03-02  1        false
        MUG         2024-03-03  0        true
        MUG         2024-03-04  8        true
        MUG         2024-03-05  8        false
        TEA         2024-03-03  -        false
        TEA         2024-03-04  -        false
        TEA         2024-03-05  -        false
        """,
    )


def test_the_highest_of_the_promotions_that_run_counts(given: Given, shown: Shown) -> None:
    offers = given(
        promotions.TABLE,
        """
        promotion_id  product_id  discount_pct  starts_on   ends_on
        long          MUG         10            2024-02-01  2024-03-03
        short         MUG         25            2024-03-02  2024-03-02
        everything    -           5             2024-03-05  -
        past          TEA         50            2024-01-01  2024-01-31
        """,
    )
    days = demand_daily.build(given(order_lines.TABLE, LINES), given(products.TABLE), given(stock_levels.TABLE), offers)
    shown(
        days,
        """
        product_id  demand_on   is_promoted  discount_pct
        MUG         2024-03-01  true         10.0
        MUG         2024-03-02  true         25.0
        MUG         2024-03-03  true         10.0
        MUG         2024-03-04  false        0.0
        MUG         2024-03-05  true         5.0
        TEA         2024-03-03  false        0.0
        TEA         2024-03-04  false        0.0
        TEA         2024-03-05  true         5.0
        """,
    )


def test_a_product_that_sells_in_two_currencies_has_a_series_of_each(given: Given) -> None:
    lines = given(
        order_lines.TABLE,
        """
        order_id  sold_on     amount  currency
        1         2024-03-01  10.00   GBP
        2         2024-03-02  10.00   EUR
        """,
    )
    days = demand_daily.build(lines, given(products.TABLE), given(stock_levels.TABLE), given(promotions.TABLE))
    assert days.count() == days.select(*demand_daily.TABLE.grain).distinct().count()
    sold = days.where("quantity > 0").select("currency", "sales_amount").collect()
    assert sorted((row.currency, int(row.sales_amount)) for row in sold) == [("EUR", 10), ("GBP", 10)]
