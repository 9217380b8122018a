"""Campaigns and experiments: what is told of them, and why what is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pyspark.sql import DataFrame

from gold.customers import customers as gold_customers
from gold.demand import demand_daily
from gold.marketing import campaign_results, experiment_results
from gold.sales import sales_by_order, sessions, shops
from silver import customers, exposures, marketing_spend, order_lines, orders, page_events, promotions

Given = Callable[..., DataFrame]
Shown = Callable[[DataFrame, str], None]


@pytest.fixture(scope="module")
def campaigns(given: Given) -> DataFrame:
    lines = given(
        order_lines.TABLE,
        """
        order_id  sold_on     product_id  quantity  amount  unit_cost  promotion_id  discount
        1         2024-03-02  MUG         1         10.00   6.00       -             0
        2         2024-03-03  TEA         1         20.00   -          -             0
        3         2024-03-04  MUG         1         50.00   6.00       -             0
        4         2024-03-05  MUG         2         16.00   6.00       p1            4.00
        5         2024-03-06  MUG         1         10.00   6.00       -             0
        """,
    )
    states = given(
        orders.TABLE,
        "order_id session_id status\n1 a placed\n2 b placed\n3 c cancelled\n4 - placed\n5 - placed",
    )
    visits = given(
        page_events.TABLE,
        """
        event_id  session_id  event_at              event_type  utm_source  utm_campaign
        e1        a           2024-03-02T09:00:00Z  view        search      brand
        e2        b           2024-03-03T09:00:00Z  view        mail        news
        e3        c           2024-03-04T09:00:00Z  view        search      brand
        e4        d           2024-03-04T09:00:00Z  view        -           -
        """,
    )
    spend = given(
        marketing_spend.TABLE,
        """
        spend_on    channel  campaign  spend  clicks
        2024-03-01  search   brand     1.00   3
        2024-03-09  search   brand     2.50   4
        2024-03-01  print    poster    9.00   -
        """,
    )
    offers = given(
        promotions.TABLE,
        """
        promotion_id  product_id  name   discount_pct  starts_on   ends_on
        p1            MUG         cheap  20            2024-03-05  2024-03-05
        p2            MUG         long   10            2024-03-04  2024-04-30
        p3            MUG         later  10            2024-05-01  2024-05-02
        """,
    )
    demand = given(
        demand_daily.TABLE,
        """
        shop_id  product_id  demand_on   currency  sales_amount  lines
        s        MUG         2024-03-03  GBP       0             0
        s        MUG         2024-03-04  GBP       50.00         1
        s        MUG         2024-03-05  GBP       16.00         1
        s        MUG         2024-03-06  GBP       10.00         1
        s        TEA         2024-03-05  GBP       99.00         1
        """,
    )
    own = shops.build(lines)
    return campaign_results.build(
        sales_by_order.build(lines, states, own),
        spend,
        sessions.build(visits),
        states,
        offers,
        lines.where("promotion_id IS NOT NULL"),
        demand,
        own,
    ).cache()


def test_advertising_brings_the_orders_of_visits_that_name_it(campaigns: DataFrame, shown: Shown) -> None:
    shown(
        campaigns.where("kind = 'advertising'"),
        """
        campaign_id   starts_on   ends_on     spend  clicks  sessions  orders  net_revenue  margin  contribution
        search/brand  2024-03-01  2024-03-31  3.50   7       2         1       10.00        4.00    0.50
        mail/news     2024-03-01  2024-03-31  -      -       1         1       20.00        -       -
        print/poster  2024-03-01  2024-03-31  9.00   -       -         -       -            -       -
        """,
    )


def test_a_promotion_is_set_beside_the_days_around_it(campaigns: DataFrame, shown: Shown) -> None:
    shown(
        campaigns.where("kind = 'promotion'"),
        """
        campaign_id  ends_on     days  sales  sales_before  sales_after  discount  orders  net_revenue  margin
        p1           2024-03-05  1     16.00  50.00         10.00        4.00      1       16.00        4.00
        p2           2024-03-06  3     76.00  -             -            -         -       -            -
        """,
    )


def test_what_cannot_be_told_is_said_with_the_reason(campaigns: DataFrame) -> None:
    untold = {row["campaign_id"]: row["untold"] for row in campaigns.collect()}
    assert untold["search/brand"] is None
    assert untold["mail/news"] == (
        "contribution: no spend on it was delivered; margin: no cost of what was sold is known"
    )
    assert untold["print/poster"] == "what it brought: no visit names it"
    assert untold["p1"] == "contribution: what would have been sold without it is not known"
    assert "no order line names it" in untold["p2"]
    assert "as many days have not passed since" in untold["p2"]


def results(given: Given, seen: str, bought: str, accounts: str) -> DataFrame:
    lines = given(order_lines.TABLE, bought)
    own = shops.build(lines)
    by_order = sales_by_order.build(lines, given(orders.TABLE), own)
    known = gold_customers.build(given(customers.TABLE, accounts), by_order)
    return experiment_results.build(given(exposures.TABLE, seen), known, by_order, own)


def test_a_difference_is_told_with_its_interval(given: Given, shown: Shown) -> None:
    # 40 customers each: of control 10 buy for 10 each, of treatment 20; orders from before they saw it do not count.
    accounts = "customer_id __START_AT\n" + "\n".join(f"c{n} 2024-01-01" for n in range(80))
    seen = "experiment_id unit_id variant exposed_at\n" + "\n".join(
        f"x c{n} {'control' if n < 40 else 'treatment'} 2024-01-05T00:00:00Z" for n in range(80)
    )
    buyers = [*range(10), *range(40, 60)]
    bought = "order_id customer_id sold_on amount\n" + "\n".join(
        [*(f"{n} c{n} 2024-01-06 10.00" for n in buyers), *(f"b{n} c{n} 2024-01-04 99.00" for n in range(80))]
    )
    found = results(given, seen, bought, accounts)
    shown(
        found,
        """
        variant    units  known_units  converted_units  converted_share  net_revenue  revenue_per_unit  through_on
        control    40     40           10               0.25             100.00       2.5               2024-01-06
        treatment  40     40           20               0.5              200.00       5.0               2024-01-06
        """,
    )
    treated = found.where("variant = 'treatment'").first()
    assert treated is not None
    # sqrt(.25 x .75 / 40 + .5 x .5 / 40) = .10458; of revenue, variances 100 x share x (1 - share) x 40 / 39.
    assert treated["conversion_difference"] == pytest.approx(0.25)
    assert treated["conversion_low"] == pytest.approx(0.25 - 1.959964 * 0.104583, abs=1e-5)
    assert treated["revenue_difference"] == pytest.approx(2.5)
    assert treated["revenue_high"] == pytest.approx(2.5 + 1.959964 * 10 * 0.104583 * (40 / 39) ** 0.5, abs=1e-4)
    assert treated["reason"] is None


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ("x v1 treatment 2024-01-05T00:00:00Z\nx v2 control 2024-01-05T00:00:00Z", "its units are no customers"),
        ("x c1 treatment 2024-01-05T00:00:00Z\nx c2 control 2024-01-05T00:00:00Z", "fewer than 30 customers"),
        ("x c1 treatment 2024-01-05T00:00:00Z", "no unit saw control"),
    ],
)
def test_where_there_is_no_difference_the_row_says_why(given: Given, seen: str, reason: str) -> None:
    header = "experiment_id unit_id variant exposed_at\n"
    accounts = "customer_id __START_AT\nc1 2024-01-01\nc2 2024-01-01"
    bought = "order_id customer_id sold_on amount\n1 c1 2024-01-06 10.00"
    (row,) = results(given, header + seen, bought, accounts).where("variant = 'treatment'").collect()
    assert row["conversion_difference"] is None
    assert reason in row["reason"]
