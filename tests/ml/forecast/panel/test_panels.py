"""From tables to the panels that forecasts learn from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from ml.forecast.panel import panels

FIRST = date(2024, 1, 1)
Frames = Mapping[str, DataFrame]


@pytest.fixture(scope="module")
def frames(spark: SparkSession) -> Frames:
    """Two products over sixty days; the mug is out of stock for a day, the tea is planned to be promoted."""
    days = [FIRST + timedelta(n) for n in range(60)]
    daily = [
        (product, day, 3 + n % 7, 0.0, product == "MUG" and n == 30, "s", 1)
        for product in ("MUG", "TEA")
        for n, day in enumerate(days)
    ]
    after = days[-1]
    plans = [("TEA", 25.0, after + timedelta(2), after + timedelta(3)), (None, 10.0, after + timedelta(3), None)]
    kept = [
        ("FR", day, day.day == 1, day.day == 28, "Valentine's Day" if (day.month, day.day) == (2, 14) else None)
        for day in [FIRST + timedelta(n) for n in range(120)]
    ]
    return {
        "demand_daily": spark.createDataFrame(
            daily,
            "product_id string, demand_on date, quantity bigint, discount_pct double, is_stockout boolean, "
            "shop_id string, lines bigint",
        ),
        "promotions": spark.createDataFrame(
            plans, "product_id string, discount_pct double, starts_on date, ends_on date"
        ),
        "products": spark.createDataFrame(
            [
                ("MUG", "kitchen", 10.0, datetime(2023, 12, 1, tzinfo=UTC), datetime(2024, 1, 10, 9, tzinfo=UTC)),
                ("MUG", "kitchen", 20.0, datetime(2024, 1, 10, 9, tzinfo=UTC), None),
                ("TEA", "food", None, datetime(2023, 12, 1, tzinfo=UTC), None),
            ],
            "product_id string, category string, list_price double, __START_AT timestamp, __END_AT timestamp",
        ),
        "sales_by_country": spark.createDataFrame(
            [("FR", 100, "EUR"), ("DE", 5, "EUR")], "country_code string, lines bigint, currency string"
        ),
        "calendar": spark.createDataFrame(
            kept, "country_code string, calendar_on date, is_holiday boolean, is_payday boolean, special_day string"
        ),
        "sales_daily": spark.createDataFrame(
            [("s", day, 100.0, "EUR", 9) for day in days if day.weekday() != 6],
            "shop_id string, sold_on date, net_revenue double, currency string, lines bigint",
        ),
    }


def test_a_day_out_of_stock_is_missing_and_not_zero(frames: Frames) -> None:
    panel = panels.of_products(frames)
    mug = panel.frame[(panel.frame["series_id"] == "MUG") & (panel.frame["on"] <= panel.cutoff)].set_index("on")["y"]
    assert mug[mug.isna()].index.tolist() == [pd.Timestamp(FIRST + timedelta(30))]


def test_planned_promotions_are_known_ahead(frames: Frames) -> None:
    panel = panels.of_products(frames)
    ahead = panel.frame[panel.frame["on"] > panel.cutoff].pivot(index="on", columns="series_id", values="log_price")
    assert len(ahead) == 14
    assert np.exp(ahead["TEA"].to_numpy()[:5]) == pytest.approx([1.0, 0.75, 0.75, 0.9, 0.9])
    assert np.exp(ahead["MUG"].to_numpy()[:5]) == pytest.approx([2.0, 2.0, 1.8, 1.8, 1.8])


def test_a_list_price_holds_from_its_day(frames: Frames) -> None:
    panel = panels.of_products(frames)
    price = panel.frame.set_index(["series_id", "on"])["log_price"]
    assert [np.exp(price["MUG", f"2024-01-{day:02}"]) for day in (1, 9, 10)] == pytest.approx([1.0, 1.0, 2.0])
    assert price["TEA", "2024-01-10"] == 0


def test_the_calendar_is_that_of_the_country_that_buys_most(frames: Frames) -> None:
    panel = panels.of_products(frames)
    assert {"is_holiday", "is_payday", "is_special"} <= set(panel.covariates)
    assert "before_christmas" not in panel.covariates  # it never changes here, and teaches nothing
    special = panel.frame.loc[panel.frame["is_special"] == 1, "on"].unique()
    assert list(special) == [pd.Timestamp(2024, 2, 14)]


def test_days_without_sales_are_days_without_revenue(frames: Frames) -> None:
    panel = panels.of_revenue(frames)
    known = panel.frame[panel.frame["on"] <= panel.cutoff]
    assert len(known) == 60
    assert (known["y"] == 0).sum() == 8


def test_the_horizon_follows_the_history() -> None:
    assert [panels.days_ahead(days, 90) for days in (20, 60, 120, 360, 700)] == [7, 14, 28, 84, 90]


def test_weeks_without_a_report_are_zeros_and_drivers_are_columns(
    spark: SparkSession, caplog: pytest.LogCaptureFixture
) -> None:
    weeks = [date(2024, 1, 5) + timedelta(7 * n) for n in range(16)]
    rows = [
        (
            f"{store}/1",
            "1",
            week,
            "W",
            10.0 if n < 3 else None,
            [("is_holiday", float(n % 2))] + [("price", 2.0)] * (n < 3),
            "s",
            int(n < 3),
        )
        for store in (1, 2)
        for n, week in enumerate(weeks)
        if not (store == 2 and n == 1)
    ]
    table = spark.createDataFrame(
        rows,
        "series_id string, product_id string, period_on date, frequency string, demand double, "
        "drivers array<struct<driver: string, value: double>>, shop_id string, reports bigint",
    )
    panel = panels.of_periods({"demand_periods": table})
    assert (panel.frequency, panel.covariates, len(panel.cube.dates) - panel.cube.length) == ("W", ("is_holiday",), 13)
    assert panel.cube.y.tolist() == [[10.0, 10.0, 10.0], [10.0, 0.0, 10.0]]
    said = "price: no values after 2024-01-19, so forecasts do without; deliver what is planned for the periods to come"
    assert [record.message for record in caplog.records if record.name == "shoplake"] == [said]


def in_two_currencies(frames: Frames) -> Frames:
    """A tenth of what is sold is paid in yen: a second row of each day of the mug, and of the shop."""
    daily, sales = frames["demand_daily"], frames["sales_daily"]
    yen = daily.where("product_id = 'MUG'").withColumns({"quantity": F.lit(2), "is_stockout": F.lit(False)})
    paid = sales.withColumns({"net_revenue": F.lit(90_000.0), "currency": F.lit("JPY"), "lines": F.lit(1)})
    late = sales.limit(1).withColumns({"sold_on": F.lit(FIRST + timedelta(59)), "currency": F.lit("JPY")})
    return {
        **frames,
        "demand_daily": daily.unionByName(yen),
        "sales_daily": sales.unionByName(paid).unionByName(late.withColumn("lines", F.lit(1))),
    }


def test_pieces_are_pieces_in_every_currency_and_revenue_is_of_the_main_one(frames: Frames) -> None:
    both = in_two_currencies(frames)
    one, two = (panels.of_products(each).frame.set_index(["series_id", "on"])["y"] for each in (frames, both))
    assert (two["MUG"].dropna() - one["MUG"].dropna()).unique().tolist() == [2.0]
    assert two["MUG"].isna().sum() == one["MUG"].isna().sum()  # out of stock is out of stock
    assert two["TEA"].equals(one["TEA"])
    pd.testing.assert_frame_equal(panels.of_revenue(both).frame, panels.of_revenue(frames).frame)


def test_a_row_of_next_year_does_not_move_today(frames: Frames, caplog: pytest.LogCaptureFixture) -> None:
    late = F.lit(FIRST + timedelta(400))
    daily, sales = (frames[name] for name in ("demand_daily", "sales_daily"))
    odd = {
        **frames,
        "demand_daily": daily.unionByName(daily.limit(1).withColumn("demand_on", late)),
        "sales_daily": sales.unionByName(sales.limit(1).withColumns({"sold_on": late, "lines": F.lit(1)})),
    }
    pd.testing.assert_frame_equal(panels.of_products(odd).frame, panels.of_products(frames).frame)
    pd.testing.assert_frame_equal(panels.of_revenue(odd).frame, panels.of_revenue(frames).frame)
    assert "1 rows after 2024-02-29 are left out" in caplog.text
