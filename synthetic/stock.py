"""The warehouse: what is on hand, what is on order, and how far the stock carries the day's demand."""

import numpy as np
import polars as pl

from synthetic.base import DAY_SECONDS, Bools, Ints
from synthetic.parameters import PLANTED
from synthetic.world import World

WAREHOUSES = ("W1", "W2", "W3")
HORIZON = 60
"""Days beyond the period for which arrivals are booked: longer than any lead time or return takes."""


class Stock:
    """Units by product, moved day by day: receive, take, give_back, close.

    Policy: when on hand and on order together fall to the reorder point, a purchase order for some weeks of expected
    demand goes to the supplier and arrives after the lead time. The reorder points are misjudged on purpose.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        catalog, options = world.catalog, world.options
        rng = options.rng("stock")
        units = options.orders_per_day * PLANTED.lines_per_order * (1 + sum(PLANTED.more_units))
        daily = catalog.popularity * units + world.rule_units
        misjudged = rng.uniform(PLANTED.reorder_misjudgement[0], PLANTED.reorder_misjudgement[1], len(daily))
        self._reorder_point = np.ceil(daily * catalog.lead_time * misjudged).astype(np.int64)
        self._batch = np.ceil(daily * PLANTED.stock_cover_days).astype(np.int64) + 1
        self._on_hand = self._reorder_point + np.ceil(self._batch * rng.random(len(daily))).astype(np.int64)
        self._on_order = np.zeros(len(daily), dtype=np.int64)
        self._arriving = np.zeros((options.days + HORIZON, len(daily)), dtype=np.int32)
        self._returning = np.zeros_like(self._arriving)

    def receive(self, day: int) -> None:
        """Book the day's deliveries and the goods that come back from cancelled and returned orders."""
        self._on_hand += self._arriving[day] + self._returning[day]
        self._on_order -= self._arriving[day]

    def take(self, product: Ints, quantity: Ints) -> Bools:
        """Serve lines in order of time; gives which of them the stock carried."""
        by_product = np.argsort(product, kind="stable")
        asked = np.cumsum(quantity[by_product])
        sorted_product = product[by_product]
        first = np.searchsorted(sorted_product, sorted_product, side="left")
        asked -= (asked - quantity[by_product])[first]
        served = np.empty(len(product), dtype=bool)
        served[by_product] = asked <= self._on_hand[sorted_product]
        np.subtract.at(self._on_hand, product[served], quantity[served])
        return served

    def give_back(self, day: int, orders: pl.DataFrame, lines: pl.DataFrame, unserved: Bools) -> None:
        """Book the coming-back of what was taken for orders that are cancelled or will be returned."""
        ended = np.maximum(orders["cancelled_at"].to_numpy(), orders["returned_at"].to_numpy())
        if len(ended) == 0:
            return
        back_on = (ended - self._world.options.epoch) // DAY_SECONDS + 1
        order = lines["number"].to_numpy() - orders["number"][0]
        coming = (ended[order] >= 0) & ~unserved
        place = (np.maximum(day + 1, back_on[order])[coming], lines["product"].to_numpy()[coming])
        np.add.at(self._returning, place, lines["quantity"].to_numpy()[coming])

    def close(self, day: int, demand: Ints, sold: Ints, unserved: Ints) -> pl.DataFrame:
        """Order what is short and give the day's levels, with true demand and sold units beside them."""
        catalog = self._world.catalog
        active = (catalog.listed <= day) & (catalog.delisted > day)
        short = np.flatnonzero(active & (self._on_hand + self._on_order <= self._reorder_point))
        self._arriving[day + catalog.lead_time[short], short] += self._batch[short].astype(np.int32)
        self._on_order[short] += self._batch[short]
        shown = np.flatnonzero(active)
        return pl.DataFrame(
            {
                "day": np.full(len(shown), day),
                "product": shown,
                "on_hand": self._on_hand[shown],
                "on_order": self._on_order[shown],
                "demand": demand[shown],
                "sold": sold[shown],
                "oversold": unserved[shown],
            }
        )
