"""Panels of real demand, from the public data sets beside the repository. Nothing of them is copied into it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from deltalake import DeltaTable

from benchmarks.real_shop import DATA, folder_of
from lakehouse.errors import UsageError
from ml.forecast.panel.panel import Panel

_CHOSEN_BY, _PRODUCTS = 469, 30
MARKDOWNS = tuple(f"MarkDown{number}" for number in range(1, 6))
_HOLIDAYS = {2: "super_bowl", 9: "labor_day", 11: "thanksgiving", 12: "christmas"}
_EVENTS = (
    "easter_day", "good_friday", "new_year", "christmas", "labor_day", "independence_day", "revolution_day_memorial",
    "regional_games", "fifa_u_17_world_cup", "football_gold_cup", "beer_capital", "music_fest",
)  # fmt: skip


def walmart(series: int, skip: int = 0) -> Panel:
    """Weekly sales of `series` store-departments with all 143 weeks and no negative one, drawn by a fixed seed.

    `skip` leaves out the first that are drawn, so that recipes can be chosen on other store-departments than those
    that are scored. Markdowns, unknown before November 2011, are log1p dollars, 0 where there are none.
    """
    sales = _read("walmart_weekly/train.csv.gz")
    sales["series_id"] = sales["Store"].astype(str) + "-" + sales["Dept"].astype(str)
    by = sales.groupby("series_id")["Weekly_Sales"]
    regular = sorted(by.size().index[(by.size() == 143) & (by.min() >= 0)])
    chosen = np.random.default_rng(0).permutation(regular)[skip : skip + series]
    sales = sales[sales["series_id"].isin(chosen)]
    features = _read("walmart_weekly/features.csv")[["Store", "Date", *MARKDOWNS]]
    frame = sales.merge(features, on=["Store", "Date"], how="left", validate="many_to_one")
    for name in MARKDOWNS:
        frame[name] = np.log1p(frame[name].fillna(0).clip(lower=0))
    friday = pd.to_datetime(frame["Date"])
    for month, name in _HOLIDAYS.items():
        frame[name] = (frame["IsHoliday"] & (friday.dt.month == month)).astype(float)
    frame["on"] = friday - pd.Timedelta(days=6)
    frame = frame.rename(columns={"Weekly_Sales": "y"})
    known = (*MARKDOWNS, *_HOLIDAYS.values())
    groups = frame[["series_id", "Dept"]].drop_duplicates().rename(columns={"Dept": "category"}).astype(str)
    return Panel(frame[["series_id", "on", "y", *known]], "W", known, groups)


def stallion(series: int) -> Panel:
    """Monthly volume of agency-products that sell in every month, the largest first.

    Known ahead are the list price, the planned discount and the calendar; weather and the industry's volume are not,
    and `price_actual` is 0 exactly where nothing was sold.
    """
    sales = _read("stallion_beverages/stallion.csv.gz")
    sales["series_id"] = sales["agency"] + "-" + sales["sku"]
    by = sales.groupby("series_id")["volume"]
    regular = by.mean()[by.min() > 0].sort_values(ascending=False).index[:series]
    frame = sales[sales["series_id"].isin(regular)].rename(columns={"volume": "y"}).copy()
    frame["on"] = pd.to_datetime(frame["date"])
    frame["discount"] = frame["discount_in_percent"].clip(0, 100)
    known = ("price_regular", "discount", *_EVENTS)
    groups = frame[["series_id", "sku"]].drop_duplicates().rename(columns={"sku": "category"})
    return Panel(frame[["series_id", "on", "y", *known]], "M", known, groups)


def orange_juice(series: int, skip: int = 0) -> Panel:
    """Weekly sales of 11 brands of orange juice in supermarkets of Chicago, `series` store-brands of whole stores.

    `skip` leaves out the first that are drawn. Known ahead are a brand's price, the mean of the others', and whether it
    is on deal or featured. Weeks without a row are missing.
    """
    sales = _read("orange_juice/yx.csv.gz")
    stores = np.random.default_rng(0).permutation(sales["store"].unique())[skip // 11 : -(-(skip + series) // 11)]
    sales = sales[sales["store"].isin(stores)].copy()
    sales["series_id"] = sales["store"].astype(str) + "-" + sales["brand"].astype(str)
    prices = np.log(sales[[f"price{number}" for number in range(1, 12)]].to_numpy())
    own = np.take_along_axis(prices, sales["brand"].to_numpy()[:, None] - 1, axis=1)[:, 0]
    sales["price"], sales["others"] = own, (prices.sum(axis=1) - own) / 10
    sales["y"] = np.exp(sales["logmove"])
    every = pd.MultiIndex.from_product([sorted(set(sales["series_id"])), range(40, 161)], names=["series_id", "week"])
    known = ("price", "others", "deal", "feat")
    frame = sales.set_index(["series_id", "week"])[["y", *known]].reindex(every).reset_index()
    frame["on"] = pd.Timestamp("1990-06-14") + pd.to_timedelta(7 * (frame["week"] - 40), unit="D")
    groups = sales[["series_id", "brand"]].drop_duplicates().rename(columns={"brand": "category"}).astype(str)
    return Panel(frame[["series_id", "on", "y", *known]], "W", known, groups)


def online_retail(warehouse: Path) -> dict[str, Panel]:
    """Days of Online Retail II from the gold tables of a warehouse: the total, countries and products.

    Net revenue of the shop and of the countries that buy on at least a fifth of the days of the first
    `_CHOSEN_BY` days; pieces of the `_PRODUCTS` products that sold most in them. Known ahead: the British calendar.
    """
    total = _delta(warehouse, "gold.sales_daily", ["sold_on", "net_revenue"]).assign(series_id="total")
    countries = _delta(warehouse, "gold.sales_by_country", ["sold_on", "country", "net_revenue"])
    daily = _delta(warehouse, "gold.demand_daily", ["demand_on", "product_id", "quantity"])
    days = pd.date_range(pd.Timestamp(total["sold_on"].min()), pd.Timestamp(total["sold_on"].max()))
    end = days[_CHOSEN_BY]
    before = countries[pd.to_datetime(countries["sold_on"]) < end].groupby("country")["sold_on"].nunique()
    countries = countries[countries["country"].isin(before.index[before.to_numpy() >= _CHOSEN_BY / 5])]
    sold = daily[pd.to_datetime(daily["demand_on"]) < end].groupby("product_id")["quantity"].sum()
    daily = daily[daily["product_id"].isin(sold.nlargest(_PRODUCTS).index)]
    given = {
        "total": total.set_axis(["on", "y", "series_id"], axis=1),
        "countries": countries.set_axis(["on", "series_id", "y"], axis=1),
        "products": daily.set_axis(["on", "series_id", "y"], axis=1),
    }
    calendar = _delta(warehouse, "silver.calendar", ["calendar_on", "country_code", "is_holiday", "is_payday"])
    calendar = calendar[calendar["country_code"] == "GB"]
    return {level: _daily(rows, days, calendar) for level, rows in given.items()}


def _daily(rows: pd.DataFrame, days: pd.DatetimeIndex, calendar: pd.DataFrame) -> Panel:
    """Every day of every series; days without sales are zeros."""
    on = pd.to_datetime(rows["on"])
    wide = rows.assign(on=on, y=rows["y"].astype(float)).pivot_table(
        index="on", columns="series_id", values="y", aggfunc="sum"
    )
    long = wide.reindex(days).fillna(0.0).rename_axis("on").reset_index().melt("on", value_name="y")
    known = calendar.assign(on=pd.to_datetime(calendar["calendar_on"])).set_index("on")[["is_holiday", "is_payday"]]
    frame = long.merge(known.astype(float), left_on="on", right_index=True, how="left")
    frame["before_christmas"] = ((frame["on"].dt.month == 12) & (frame["on"].dt.day <= 23)).astype(float)
    return Panel(frame, "D", ("is_holiday", "is_payday", "before_christmas"))


def _delta(warehouse: Path, table: str, columns: list[str]) -> pd.DataFrame:
    found: pd.DataFrame = DeltaTable(folder_of(warehouse, table)).to_pandas(columns=columns)[columns]
    return found


def _read(name: str) -> pd.DataFrame:
    path = DATA / name
    if not path.is_file():
        raise UsageError(f"{path} is missing: this benchmark reads the public data sets in {DATA}")
    return pd.read_csv(path)
