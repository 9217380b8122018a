"""From gold tables to panels: what was asked for, with what a shop knows of the days to come."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.errors import UsageError
from ml.core.shop import main_currency, up_to_today
from ml.forecast.panel.panel import Panel, periods_after

log = logging.getLogger("shoplake")

HORIZON = {"D": 90, "W": 13, "M": 6}
REVENUE_DAYS = 60
_CALENDAR = ("is_holiday", "is_payday", "is_special", "before_christmas")
_DEEPEST_DISCOUNT = 90  # percent; the logarithm of a present is no price
_LEAST_KNOWN = 0.02  # a driver that fewer of the periods to come have a value for is not known ahead


def days_ahead(days: int, most: int) -> int:
    """The horizon that a history of some days allows: a quarter of it, at most `most` days, in whole weeks."""
    return max(7, min(most, days // 4 // 7 * 7))


def of_products(frames: Mapping[str, DataFrame]) -> Panel:
    """Each product's pieces by day; days out of stock are missing, because less may have been sold than was wanted.

    Known ahead: list prices as they stand and the promotions that are planned, as `log_price` (the logarithm of the
    price after the discount against the first list price) and `promoted` (a promotion runs), so that their effects are
    an elasticity and an uplift beyond the price; and the calendar of the country that buys most. Pieces sold in any
    currency are pieces.
    """
    by_day = (
        frames["demand_daily"]
        .groupBy("shop_id", "product_id", "demand_on")
        .agg(
            F.sum("quantity").alias("quantity"),
            F.max("discount_pct").alias("discount_pct"),
            F.bool_or("is_stockout").alias("is_stockout"),
            F.sum("lines").alias("lines"),
        )
    )
    daily, _ = up_to_today(by_day, "demand_on", "lines")
    daily = daily.select("product_id", "demand_on", "quantity", "discount_pct", "is_stockout")
    sold = _dated(daily.toPandas(), "demand_on").rename(columns={"product_id": "series_id"})
    sold["y"] = sold["quantity"].astype("float64").where(~sold["is_stockout"].astype(bool))
    horizon = days_ahead((sold["on"].max() - sold["on"].min()).days + 1, HORIZON["D"])
    future = _future(sold, horizon)
    future["discount_pct"] = _planned(frames["promotions"], future)
    rows = pd.concat([sold[["series_id", "on", "y", "discount_pct"]], future], ignore_index=True)
    percent = rows["discount_pct"].astype("float64")
    rows["promoted"] = (percent > 0).astype("float64")
    after_discount = np.log1p(-percent.clip(upper=_DEEPEST_DISCOUNT) / 100)
    rows["log_price"] = _log_list_price(frames["products"], rows) + after_discount
    rows, covariates = _with_calendar(rows, frames, ("log_price", "promoted"))
    current = frames["products"].where("__END_AT IS NULL").select("product_id", "category").toPandas()
    groups = current.rename(columns={"product_id": "series_id"}).drop_duplicates("series_id")
    return Panel(rows[["series_id", "on", "y", *covariates]], "D", covariates, groups)


def of_revenue(frames: Mapping[str, DataFrame]) -> Panel:
    """The shop's net revenue by day in its main currency, as one series; days without sales between are zeros."""
    sales, today = up_to_today(frames["sales_daily"], "sold_on", "lines")
    sales = sales.where(F.col("currency") == F.lit(main_currency(sales, "lines")))
    daily = _dated(sales.select("sold_on", "net_revenue").toPandas(), "sold_on")
    assert today is not None  # _dated refuses a shop without sales
    revenue = daily.groupby("on")["net_revenue"].sum().astype("float64")
    revenue = revenue.reindex(pd.date_range(revenue.index.min(), today, freq="D"), fill_value=0.0)
    sold = pd.DataFrame({"series_id": "total", "on": revenue.index, "y": revenue.to_numpy()})
    rows = pd.concat([sold, _future(sold, days_ahead(len(revenue), REVENUE_DAYS))], ignore_index=True)
    rows, covariates = _with_calendar(rows, frames, ())
    return Panel(rows[["series_id", "on", "y", *covariates]], "D", covariates)


def of_periods(frames: Mapping[str, DataFrame]) -> Panel:
    """Weekly or monthly series with the drivers that are known ahead; a period without a report is a zero."""
    columns = ("series_id", "product_id", "period_on", "frequency", "demand")
    reported = frames["demand_periods"]
    rows = _dated(reported.select(*columns).toPandas(), "period_on").rename(columns={"demand": "y"})
    frequency = rows["frequency"].iloc[0]
    _, today = up_to_today(reported, "period_on", "reports")
    if today is None:
        raise UsageError("there is nothing to forecast from: no period has a report for this shop")
    last = pd.Timestamp(today)
    rows["y"] = rows["y"].where(rows["on"] <= last)
    end = periods_after(last, HORIZON[frequency], frequency)[-1]
    rows = rows[rows["on"] <= end]
    drivers = _dated(
        reported.select("series_id", "period_on", F.explode("drivers").alias("d"))
        .select("series_id", "period_on", "d.driver", "d.value")
        .toPandas(),
        "period_on",
    )
    wide = drivers.pivot(index=["series_id", "on"], columns="driver", values="value").reset_index()
    rows = _without_gaps(rows, frequency, last, end).merge(wide, on=["series_id", "on"], how="left")
    ahead = rows[rows["on"] > last]
    names = [name for name in wide.columns if name not in ("series_id", "on")]
    covariates = tuple(n for n in names if len(ahead) == 0 or ahead[n].notna().mean() >= _LEAST_KNOWN)
    if lost := [name for name in names if name not in covariates]:
        log.warning(
            "%s: no values after %s, so forecasts do without; deliver what is planned for the periods to come",
            ", ".join(lost),
            f"{last:%F}",
        )
    groups = rows[["series_id", "product_id"]].dropna().drop_duplicates("series_id")
    return Panel(
        rows[["series_id", "on", "y", *covariates]],
        frequency,
        covariates,
        groups.rename(columns={"product_id": "category"}),
    )


def _dated(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    if rows.empty:
        raise UsageError("there is nothing to forecast from: the tables have no rows for this shop")
    return rows.assign(on=pd.to_datetime(rows[column])).drop(columns=column)


def _future(sold: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Each series' periods after the last day."""
    last = sold["on"].max()
    series = sold["series_id"].unique()
    days = pd.date_range(last + timedelta(1), periods=horizon, freq="D")
    return pd.DataFrame({"series_id": np.repeat(series, horizon), "on": np.tile(days, len(series)), "y": np.nan})


def _planned(promotions: DataFrame, future: pd.DataFrame) -> pd.Series[float]:
    """The highest discount that is planned for each product and day to come; 0 without one."""
    first = future["on"].min().date()
    plans = promotions.where(F.col("ends_on").isNull() | (F.col("ends_on") >= F.lit(first))).select(
        "product_id", F.col("discount_pct").cast("double").alias("planned"), "starts_on", "ends_on"
    )
    highest = pd.Series(0.0, index=future.index)
    for plan in plans.collect():
        runs = future["on"] >= pd.Timestamp(plan["starts_on"])
        if plan["ends_on"] is not None:
            runs &= future["on"] <= pd.Timestamp(plan["ends_on"])
        if plan["product_id"] is not None:
            runs &= future["series_id"] == plan["product_id"]
        highest = highest.where(~runs, np.maximum(highest, plan["planned"]))
    return highest


def _log_list_price(products: DataFrame, rows: pd.DataFrame) -> NDArray[np.float64]:
    """The list price that holds on each day against the series' first one, as a logarithm; 0 without a list price."""
    listed = products.where("list_price > 0").select(
        F.col("product_id").alias("series_id"),
        F.to_date("__START_AT").alias("on"),
        F.log(F.col("list_price").cast("double")).alias("log_price"),
        "__START_AT",
    )
    found = listed.toPandas().sort_values(["on", "__START_AT"]).drop(columns="__START_AT")
    if found.empty:
        return np.zeros(len(rows))
    found["on"] = pd.to_datetime(found["on"])
    first = found.groupby("series_id")["log_price"].first()
    days = rows.reset_index(names="place").sort_values("on")[["place", "series_id", "on"]]
    found = pd.merge_asof(days, found, on="on", by="series_id").sort_values("place")
    relative = found["log_price"] - found["series_id"].map(first)
    return relative.fillna(0.0).to_numpy(float)


def _with_calendar(
    rows: pd.DataFrame, frames: Mapping[str, DataFrame], covariates: tuple[str, ...]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Add the calendar of the country with the most lines, which count alike in every currency."""
    by_country = frames["sales_by_country"].groupBy("country_code").agg(F.sum("lines").alias("lines"))
    top = by_country.orderBy(F.desc("lines"), "country_code").first()
    days = (
        frames["calendar"]
        .where(F.col("country_code") == (top["country_code"] if top else ""))
        .select(
            "calendar_on",
            F.col("is_holiday").cast("double").alias("is_holiday"),
            F.col("is_payday").cast("double").alias("is_payday"),
            F.col("special_day").isNotNull().cast("double").alias("is_special"),
        )
    )
    calendar = days.toPandas()
    calendar = calendar.assign(on=pd.to_datetime(calendar["calendar_on"])).drop(columns="calendar_on")
    joined = rows.merge(calendar, on="on", how="left")
    is_advent = (joined["on"].dt.month == 12) & (joined["on"].dt.day <= 23)
    joined["before_christmas"] = is_advent.astype(float)
    # A feature that never changes teaches nothing.
    changing = [name for name in _CALENDAR if joined[name].nunique() > 1]
    return joined, (*covariates, *changing)


def _without_gaps(rows: pd.DataFrame, frequency: str, last: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    """Every period of every series, from its first to the end; without a report until the last, nothing was sold."""
    step = {"W": "7D", "M": "MS"}[frequency]
    whole = []
    for series, own in rows.groupby("series_id", sort=True):
        days = pd.date_range(own["on"].min(), end, freq=step)
        filled = own.set_index("on").reindex(days)
        filled["series_id"], filled["product_id"] = series, own["product_id"].iloc[0]
        whole.append(filled.rename_axis("on").reset_index())
    found = pd.concat(whole, ignore_index=True)
    found["y"] = found["y"].where(found["y"].notna() | (found["on"] > last), 0.0)
    return found
