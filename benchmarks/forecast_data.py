"""Panels of real demand, from the public data sets beside the repository. Nothing of them is copied into it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from lakehouse.errors import UsageError
from ml.forecast.panel import Panel

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
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


def _read(name: str) -> pd.DataFrame:
    path = DATA / name
    if not path.is_file():
        raise UsageError(f"{path} is missing: this benchmark reads the public data sets in {DATA}")
    return pd.read_csv(path)
