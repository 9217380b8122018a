"""The family of forecasts: its tables, and how their rows are made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame

from gold.demand import (
    demand_daily,
    demand_forecast,
    demand_periods,
    forecast_members,
    forecast_metrics,
    inventory_plan,
    revenue_forecast,
    revenue_forecast_monthly,
    stock_position,
)
from gold.sales import sales_by_country, sales_daily
from gold.vocabulary import as_declared
from lakehouse.declare.table import Read, Table
from lakehouse.store.arrow import to_spark
from ml.core.experiment import Experiment, Frames, Output, Served
from ml.core.shop import DELISTED, listings, main_currency
from ml.forecast.frames import Forecast
from ml.forecast.lead_time import LEVELS
from ml.forecast.model import ForecastModel, SeasonalNaive
from ml.forecast.panel import panels
from ml.forecast.panel.panel import Panel
from ml.forecast.settings import QUANTILES, column
from ml.forecast.training import train_days, train_periods
from silver import calendar, products, promotions

_NOT_COUNTED = "the stock of this product is not counted"
LEAD_TIME_DAYS = 14
"""Taken where a supplier's lead time is not known."""


@dataclass(frozen=True)
class ShopForecast:
    """The forecast of a shop's series as of now; several tables are made from it."""

    panel: Panel
    forecast: Forecast
    shop_id: str


def _forecast(served: Served, frames: Frames) -> ShopForecast:
    if "forecast" not in served.cache:
        driver = frames["demand_daily"] if "demand_daily" in frames else frames["demand_periods"]
        panel = panels.of_products(frames) if "demand_daily" in frames else panels.of_periods(frames)
        row = driver.select("shop_id").first()
        served.cache["forecast"] = ShopForecast(panel, served.model.series(panel), row["shop_id"] if row else "")
    shop: ShopForecast = served.cache["forecast"]
    return shop


def demand(served: Served, frames: Frames) -> DataFrame:
    """Every series, category and the total, period by period."""
    shop = _forecast(served, frames)
    series = shop.forecast.frame.assign(level="series")
    above = served.model.reconcile(shop.panel, shop.forecast).rename(columns={"name": "series_id"})
    rows = pd.concat([series, above.assign(is_fallback=False, fallback=None)], ignore_index=True)
    rows = rows.assign(frequency=shop.panel.frequency, shop_id=shop.shop_id).rename(columns={"on": "period_on"})
    return _table(rows, served, frames, demand_forecast.TABLE)


def members(served: Served, frames: Frames) -> DataFrame:
    """Each member's forecast; where a plain rule stands in, that one alone."""
    shop = _forecast(served, frames)
    keys = ["series_id", "on"]
    rules = shop.forecast.frame.loc[shop.forecast.frame["is_fallback"], [*keys, "mean"]]
    voting = shop.forecast.members.merge(shop.forecast.frame[[*keys, "is_fallback"]], on=keys)
    voting = voting[~voting["is_fallback"]].drop(columns="is_fallback")
    plain = rules.rename(columns={"mean": "forecast"}).assign(member="plain rule", weight=1.0)
    rows = pd.concat([voting, plain], ignore_index=True).rename(columns={"on": "period_on"})
    return _table(rows.assign(shop_id=shop.shop_id), served, frames, forecast_members.TABLE)


def metrics(served: Served, frames: Frames) -> DataFrame:
    """What was measured when the model was trained."""
    shop = _forecast(served, frames)
    return _table(served.model.measured.assign(shop_id=shop.shop_id), served, frames, forecast_metrics.TABLE)


def revenue(served: Served, frames: Frames) -> DataFrame:
    """The shop's net revenue in its main currency, day by day."""
    _, forecast = _revenue(served, frames)
    rows = forecast.frame.rename(columns={"on": "sold_on"})
    return _table(_of_shop(rows, served, frames), served, frames, revenue_forecast.TABLE)


def revenue_by_month(served: Served, frames: Frames) -> DataFrame:
    """The same by month, with quantiles of each month's sum; a month that runs has what is known of it in it."""
    panel, forecast = _revenue(served, frames)
    ahead = forecast.frame[["on", "step"]].assign(sold_month=pd.to_datetime(forecast.frame["on"]).dt.to_period("M"))
    months = ahead.groupby("sold_month").agg(first=("step", "min"), last=("step", "max"), through_on=("on", "max"))
    sums = served.model.sums_of_revenue(
        panel, forecast, list(months[["first", "last"]].itertuples(index=False, name=None))
    )
    known = panel.frame.dropna(subset=["y"])
    so_far = known["y"].groupby(known["on"].dt.to_period("M")).sum()
    rows = months.reset_index().merge(sums, on=["first", "last"])
    rows["known_revenue"] = rows["sold_month"].map(so_far).fillna(0.0).round(3)
    values = ["mean", "median", *(column(level) for level in QUANTILES)]
    rows[values] = rows[values].add(rows["known_revenue"], axis=0)
    rows["is_whole"] = pd.to_datetime(rows["through_on"]) == rows["sold_month"].dt.end_time.dt.normalize()
    rows["sold_month"] = rows["sold_month"].dt.start_time.dt.date
    return _table(_of_shop(rows, served, frames), served, frames, revenue_forecast_monthly.TABLE)


def _revenue(served: Served, frames: Frames) -> tuple[Panel, Forecast]:
    if "revenue" not in served.cache:
        panel = panels.of_revenue(frames)
        served.cache["revenue"] = panel, served.model.of_revenue(panel)
    found: tuple[Panel, Forecast] = served.cache["revenue"]
    return found


def _of_shop(rows: pd.DataFrame, served: Served, frames: Frames) -> pd.DataFrame:
    shop_id = _forecast(served, frames).shop_id
    return rows.assign(shop_id=shop_id, currency=main_currency(frames["sales_daily"], "lines"))


def inventory(served: Served, frames: Frames) -> DataFrame:
    """What to order, from the quantiles of the demand over the lead time (order up to two lead times of demand).

    Of what the shop no longer sells nothing is ordered, whatever was sold of it lately.
    """
    shop = _forecast(served, frames)
    ids = list(shop.panel.cube.ids)
    stock = frames["stock_position"].select("product_id", "on_hand", "on_order", "lead_time_days").toPandas()
    stock = stock.set_index("product_id").reindex(ids)
    days = pd.to_numeric(stock["lead_time_days"]).fillna(LEAD_TIME_DAYS).clip(lower=1).astype(int)
    plan = served.model.lead_times(shop.panel, shop.forecast, dict(zip(ids, days, strict=True)))
    plan = plan.set_index("series_id").reindex(ids)
    expected = plan["mean"].to_numpy(float)
    reorder = np.maximum(plan["q95"].to_numpy(float), expected)
    counted = stock["on_hand"].notna().to_numpy()
    listed = listings(frames["products"]).toPandas().set_index("product_id").reindex(ids)
    delisted = (listed["is_active"] == False).to_numpy()  # noqa: E712 - null is not false
    position = (pd.to_numeric(stock["on_hand"]).fillna(0) + pd.to_numeric(stock["on_order"]).fillna(0)).to_numpy(float)
    needed = np.ceil(np.maximum(reorder + expected - position, 0))
    is_low = position <= reorder
    alert = np.select(
        [delisted, ~counted, is_low & (reorder > 0), position <= reorder + expected / 2],
        ["delisted", "not counted", "order now", "order soon"],
        "enough",
    )
    costs = [None if pd.isna(cost) else cost for cost in listed["unit_cost"]]
    reasons = {"delisted": DELISTED, "not counted": _NOT_COUNTED}
    risk = np.array([_risk(row, position[place]) for place, (_, row) in enumerate(plan.iterrows())])
    quantity = np.where(counted & is_low & ~delisted, needed, 0).astype("int64")
    rows = pd.DataFrame(
        {
            "shop_id": shop.shop_id,
            "product_id": ids,
            "supplier_id": listed["supplier_id"].array,
            "as_of_on": shop.panel.cutoff,
            "lead_time_days": days.to_numpy(),
            "on_hand": stock["on_hand"].astype("Int64").array,
            "on_order": stock["on_order"].astype("Int64").array,
            "lead_time_demand": expected,
            "lead_time_q95": plan["q95"].to_numpy(float),
            "reorder_point": reorder,
            "safety_stock": reorder - expected,
            "order_quantity": quantity,
            "unit_cost": costs,
            "order_value": [None if cost is None else cost * int(n) for cost, n in zip(costs, quantity, strict=True)],
            "currency": main_currency(frames["sales_daily"], "lines"),
            "stockout_risk": np.where(counted, risk, np.nan),
            "alert": alert,
            "reason": [reasons.get(str(one)) for one in alert],
        }
    )
    return _table(rows, served, frames, inventory_plan.TABLE)


def _risk(plan: pd.Series[float], position: float) -> float:
    """Chance that the demand is above the position, between the known quantiles in proportion; at least .01."""
    quantiles = np.maximum.accumulate([float(plan[column(level)]) for level in LEVELS])
    return float(1 - np.interp(position, [0.0, *quantiles], [0.0, *LEVELS]))


def _table(rows: pd.DataFrame, served: Served, frames: Frames, table: Table) -> DataFrame:
    spark = next(iter(frames.values())).sparkSession
    own = [
        field.name for field in table.fields if field.name in rows.columns and field.name not in ("model", "model_run")
    ]
    made = pa.Table.from_pandas(rows[own], preserve_index=False)
    nulls = [place for place, kind in enumerate(made.schema.types) if pa.types.is_null(kind)]
    for place in nulls:  # a column without any value has no type of its own
        name = made.column_names[place]
        made = made.set_column(place, name, made.column(place).cast(pa.string()))
    return as_declared(served.stamp(to_spark(spark, made)), table)


_SERIES = (
    Output(demand_forecast.TABLE, demand),
    Output(forecast_members.TABLE, members),
    Output(forecast_metrics.TABLE, metrics),
)

DAYS = Experiment(
    name="forecast",
    meaning="Demand by product and day: ARIMA, LSTM, Prophet and boosted trees, weighted by how they did.",
    reads=(
        Read(demand_daily.TABLE),
        Read(sales_daily.TABLE),
        Read(sales_by_country.TABLE),
        Read(stock_position.TABLE),
        Read(products.TABLE),
        Read(promotions.TABLE),
        Read(calendar.TABLE),
    ),
    outputs=(
        *_SERIES,
        Output(revenue_forecast.TABLE, revenue),
        Output(revenue_forecast_monthly.TABLE, revenue_by_month),
        Output(inventory_plan.TABLE, inventory),
    ),
    train=train_days,
    load=ForecastModel.load,
    baseline=SeasonalNaive(),
    baseline_label="seasonal naive",
)

PERIODS = Experiment(
    name="forecast",
    meaning="Weekly and monthly series of sources without order lines, by the same ensemble.",
    reads=(Read(demand_periods.TABLE),),
    outputs=_SERIES,
    train=train_periods,
    load=ForecastModel.load,
    baseline=SeasonalNaive(),
    baseline_label="seasonal naive",
)

EXPERIMENTS = (DAYS, PERIODS)
"""Of the family; the first whose tables know a shop serves it."""
