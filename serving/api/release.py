"""A release in memory: what answers are read from. A newer one is loaded beside it and takes its place."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, datetime
from functools import cached_property, lru_cache
from http import HTTPStatus
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gold import kpis
from gold.customers import customer_segments
from gold.demand import demand_forecast, inventory_plan
from gold.recommend import (
    als_item_factors,
    best_sellers,
    cart_suggestions,
    interactions,
    item_neighbors,
    recommendations,
)
from gold.sales import products
from lakehouse.accounts.ops_tables import ROW_LEDGER
from lakehouse.declare.table import Table
from lakehouse.store import log
from lakehouse.store.lake import Lake
from ml.core.shop import WHY_NOT_SOLD
from serving.api.lookup import Lookup
from serving.api.problems import Problem, unknown
from serving.api.products import Products
from serving.reader import Reader

RECOMMEND = "shoplake score recommend"
MADE_BY = {
    recommendations.TABLE.name: RECOMMEND,
    best_sellers.TABLE.name: RECOMMEND,
    item_neighbors.TABLE.name: RECOMMEND,
    cart_suggestions.TABLE.name: RECOMMEND,
    als_item_factors.TABLE.name: RECOMMEND,
    demand_forecast.TABLE.name: "shoplake score forecast",
    inventory_plan.TABLE.name: "shoplake score forecast",
    customer_segments.TABLE.name: "shoplake score segment",
}
"""Scored tables that answers are of, and the command that makes each; other tables are made by a run."""
TABLES: tuple[Table, ...] = (
    recommendations.TABLE,
    best_sellers.TABLE,
    item_neighbors.TABLE,
    cart_suggestions.TABLE,
    als_item_factors.TABLE,
    interactions.TABLE,
    demand_forecast.TABLE,
    inventory_plan.TABLE,
    customer_segments.TABLE,
    products.TABLE,
    *dict.fromkeys(kpi.table for kpi in kpis.KPIS),
)
logger = logging.getLogger("shoplake")


class Loaded:
    """What answers are made of, as of one release."""

    def __init__(self, lake: Lake) -> None:
        self.reader = Reader(lake, TABLES)
        self.release = self.reader.release
        self.lists = self._lookup(recommendations.TABLE, "shop_id task customer_id", "rank")
        self.sellers = self._lookup(best_sellers.TABLE, "shop_id country_code", "rank")
        self.neighbors = self._lookup(item_neighbors.TABLE, "shop_id product_id", "rank")
        self.carts = self._lookup(cart_suggestions.TABLE, "shop_id cart_product_id", "rank")
        self.bought = self._lookup(
            interactions.TABLE, "shop_id customer_id", columns="shop_id, customer_id, product_id"
        )
        self.forecasts = self._lookup(demand_forecast.TABLE, "shop_id level series_id", "period_on")
        self.plans = self._lookup(inventory_plan.TABLE, "shop_id product_id")
        self.segments = self._lookup(customer_segments.TABLE, "shop_id customer_id")
        known = (self.lists, self.sellers, self.neighbors, self.bought, self.forecasts, self.plans, self.segments)
        self.shops = sorted({*self._catalogue["shop_id"], *(shop for lookup in known for shop in lookup.shops)})
        self._products = {shop: self._products_of(shop) for shop in self.shops}
        self.kpi = lru_cache(maxsize=4096)(self._kpi)

    def products(self, shop: str) -> Products:
        """A shop's products. An unknown shop is a `Problem`."""
        self.check_shop(shop)
        return self._products[shop]

    def check_shop(self, shop: str) -> None:
        """Raise a `Problem` where the release does not know a shop."""
        if shop not in self.shops:
            raise unknown("shop", shop, f"there are {', '.join(self.shops) or 'none'}")

    def check_table(self, table: Table) -> None:
        """Raise a `Problem` where the release does not have a table."""
        if table.name not in self.reader.tables:
            made_by = MADE_BY.get(table.name, "shoplake run --input FOLDER")
            raise Problem(
                HTTPStatus.NOT_FOUND, "table-missing", f"this warehouse has no {table.name} yet; make it: {made_by}"
            )

    def as_of(self, shop: str) -> dict[str, date | None]:
        """The last day that each family's answers know: recommend, forecast, segment."""
        return self._as_of.get(shop, {})

    @cached_property
    def _as_of(self) -> dict[str, dict[str, date | None]]:
        found: dict[str, dict[str, date | None]] = {shop: {} for shop in self.shops}
        families = {
            "recommend": recommendations.TABLE,
            "forecast": inventory_plan.TABLE,
            "segment": customer_segments.TABLE,
        }
        for family, table in families.items():
            for row in self._frame(table, "shop_id, max(as_of_on) AS as_of", "GROUP BY shop_id").to_dicts():
                found[row["shop_id"]][family] = row["as_of"]
        return found

    @cached_property
    def published_at(self) -> dict[str, datetime]:
        """When the rows of each table last changed before the release (UTC), by the ledger."""
        if not log.exists(self.reader.lake, ROW_LEDGER.name):
            return {}
        newest = 'SELECT "table" AS name, max("at") AS last FROM ops.row_ledger WHERE "at" <= ? GROUP BY ALL'
        rows = self.reader.rows(newest, [self.release.at])
        return {row["name"]: row["last"] for row in rows}

    def _kpi(self, name: str, shop: str, period: kpis.Period) -> tuple[date | None, list[dict[str, Any]]]:
        """The last day of a KPI's table in a shop, and its values: currency, period_on, ends_on, value."""
        kpi = kpis.named(name)
        self.check_table(kpi.table)
        (last,) = self.reader.rows(f"SELECT max({kpi.on}) AS day FROM {kpi.table.name} WHERE shop_id = ?", [shop])
        ends_on = f"CAST(period_on + INTERVAL 1 {period} - INTERVAL 1 DAY AS DATE) AS ends_on"
        of_shop = f"({kpis.by_period(kpi, period)}) WHERE shop_id = ?"
        values = f"SELECT currency, period_on, {ends_on}, value FROM {of_shop} ORDER BY period_on, currency"
        return last["day"], self.reader.rows(values, [shop])

    def _frame(self, table: Table, columns: str = "*", rest: str = "", values: Sequence[str] = ()) -> pl.DataFrame:
        """Columns of a table; without a row where the release does not have it."""
        if table.name in self.reader.tables:
            return self.reader.frame(f"SELECT {columns} FROM {table.name} {rest}", values)
        return pl.DataFrame(schema=dict.fromkeys(table.all_columns, pl.String))

    def _lookup(self, table: Table, key: str, order: str = "", columns: str = "*") -> Lookup:
        return Lookup(self._frame(table, columns), key.split(), order.split())

    def _products_of(self, shop: str) -> Products:
        catalogue = self._catalogue.filter(pl.col("shop_id") == shop)
        coded, factors, label = self._factors(shop)
        unsold = frozenset(catalogue.filter(pl.col("why_not").is_not_null())["product_id"])
        return Products(
            shop=shop,
            names=dict(catalogue.select("product_id", "name").iter_rows()),
            unsold=unsold,
            lists=self.lists,
            sellers=self.sellers,
            neighbors=self.neighbors,
            carts=self.carts,
            bought=self.bought,
            coded=coded,
            factors=factors,
            hidden=np.flatnonzero(coded.is_in(list(unsold)).to_numpy()),
            label=label,
        )

    @cached_property
    def _catalogue(self) -> pl.DataFrame:
        """All products: shop_id, product_id, name, and why they may not be sold now, as scoring asks it."""
        if products.TABLE.name not in self.reader.tables:
            return pl.DataFrame(schema=dict.fromkeys(("shop_id", "product_id", "name", "why_not"), pl.String))
        stock = "on_hand + on_order AS pieces, count(on_hand) OVER (PARTITION BY shop_id) > 0 AS counts_stock"
        listed = f"SELECT shop_id, product_id, name, is_active, {stock} FROM {products.TABLE.name}"
        return self.reader.frame(f"SELECT shop_id, product_id, name, {WHY_NOT_SOLD} AS why_not FROM ({listed})")

    def _factors(self, shop: str) -> tuple[pl.Series, NDArray[np.float32], dict[str, Any]]:
        """The products that ALS has, sorted, their factors as unit vectors, and the model that they are of."""
        rows = self._frame(
            als_item_factors.TABLE, rest="WHERE shop_id = ? ORDER BY product_id", values=[shop]
        ).rechunk()
        if not rows.height:
            return pl.Series([], dtype=pl.String), np.zeros((0, 0), np.float32), {}
        factors = rows["factors"].explode().to_numpy().astype(np.float32).reshape(rows.height, -1)
        length = np.linalg.norm(factors, axis=1, keepdims=True)
        first = rows.row(0, named=True)
        label = {"model": first["model"], "model_run": first["model_run"]}
        unit = np.asarray(factors / np.where(length > 0, length, 1), np.float32)
        return rows["product_id"], unit, label


class Live:
    """The newest release that could be loaded. A request asks for `now` once and keeps to it."""

    def __init__(self, lake: Lake, first: Loaded | None = None) -> None:
        """Begin with a release that is loaded, or load the newest; a warehouse without one is a `UsageError`."""
        self._lake = lake
        self.now = first or Loaded(lake)
        self.problem: str | None = None

    def refresh(self) -> bool:
        """Load the newest release, if there is a newer one, and let it take the place; whether it did.

        One that cannot be loaded leaves the older one in place, and `problem` says why.
        """
        try:
            if self.now.reader.is_newest:
                self.problem = None
                return False
            self.now = Loaded(self._lake)
        except Exception as error:  # noqa: BLE001 - the older release goes on answering, whatever is wrong with the newer
            self.problem = next(iter(str(error).splitlines()), type(error).__name__)
            logger.error("the newest release could not be loaded: %s", self.problem)
            return False
        self.problem = None
        logger.info("answers are of the release %s now", self.now.release.run_id)
        return True
