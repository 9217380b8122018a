"""What goes with what in a shop, from what scoring wrote into gold, for products and sessions that nobody scored.

A product that may not be sold as of the release is never shown: not on sale, or none on hand and none on its way, by
the same SQL that scoring asks (`ml.core.shop.WHY_NOT_SOLD`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gold.recommend import als_item_factors, best_sellers, cart_suggestions, item_neighbors, recommendations
from ml.recommend.lists.co_purchases import pair_worth
from ml.recommend.lists.cold_start import EVERYWHERE
from serving.api.lookup import Lookup

Row = dict[str, Any]
FUSED = 60
"""The constant of reciprocal rank fusion: Cormack, Clarke, Buettcher (SIGIR 2009)."""
FADING = 0.25
"""The n-th last product of a session weighs n ** -FADING. In the orders of Online Retail II that is as good as equal
weights, and better than 1 / n (docs/benchmarks.md); sessions of clicks wander more than orders do."""


@dataclass(frozen=True, eq=False)
class Products:
    """A shop's products, and the tables of gold that say what to show beside them.

    `names` are those of the catalogue, `unsold` what may not be sold now. `factors` are the unit vectors of ALS of the
    products `coded` (sorted), of which those at `hidden` may not be sold; `label` names the model that they are of.
    """

    shop: str
    names: Mapping[str, str]
    unsold: frozenset[str]
    lists: Lookup
    sellers: Lookup
    neighbors: Lookup
    carts: Lookup
    bought: Lookup
    coded: pl.Series
    factors: NDArray[np.float32]
    hidden: NDArray[np.int64]
    label: Row

    def knows(self, product: str) -> bool:
        """Whether the catalogue or a model has a product."""
        return product in self.names or self._code(product) >= 0 or bool(self.neighbors.rows(self.shop, product))

    def for_customer(self, customer: str, task: str) -> list[Row]:
        """The customer's own list, as it was scored; nothing for who is not known."""
        rows = self.lists.rows(self.shop, task, customer)
        return self._shown((_from(recommendations.TABLE.name, row) for row in rows), (), len(rows))

    def for_strangers(self, country: str | None, without: Collection[str], k: int) -> list[Row]:
        """The best sellers of a country, or of the whole shop where it is not known."""
        rows = self.sellers.rows(self.shop, country or EVERYWHERE) or self.sellers.rows(self.shop, EVERYWHERE)
        return self._shown((_from(best_sellers.TABLE.name, row) for row in rows), without, k)

    def for_session(self, seen: Sequence[str], without: Collection[str], k: int) -> list[Row]:
        """What goes with the products of a session, of which the last counts most.

        First what was bought with them, by the sum of similarities; then what the same customers buy (ALS).
        """
        weights: dict[str, float] = defaultdict(float)
        for place, product in enumerate(reversed(seen), start=1):
            weights[product] += place**-FADING
        total: dict[str, float] = defaultdict(float)
        told: dict[str, tuple[float, Row]] = {}
        for product, weight in weights.items():
            for row in self.neighbors.rows(self.shop, product):
                worth = weight * row["similarity"]
                total[row["neighbor_id"]] += worth
                if worth > told.get(row["neighbor_id"], (0.0, row))[0]:
                    told[row["neighbor_id"]] = (worth, row)
        best = sorted(told, key=lambda product: (-total[product], product))
        away = {*seen, *without}
        near = self._shown((self._neighbor(told[product][1]) for product in best), away, k)
        if len(near) < k:
            near += self._alike(weights, away | {row["product_id"] for row in near}, k - len(near))
        return near

    def similar(self, product: str, k: int) -> list[Row]:
        """What is bought with a product, the most similar first; then what the same customers buy (ALS)."""
        return self.for_session([product], (), k)

    def beside(self, cart: Sequence[str], k: int) -> list[Row]:
        """What to put beside a cart: for one product as it was scored, for several by what speaks for it over all.

        That is `CoPurchases.suggest` of the recommender by the pairs that gold has. Best sellers fill up.
        """
        worth: dict[str, float] = defaultdict(float)
        told: dict[str, Row] = {}
        for product in dict.fromkeys(cart):
            rows = self.carts.rows(self.shop, product)
            lifts, both = (np.array([row[name] for row in rows], float) for name in ("lift", "evidence"))
            for row, more in zip(rows, pair_worth(lifts, both), strict=True):
                other = row["product_id"]
                worth[other] += float(more)
                before = told.get(other)
                evidence = row["evidence"] + (before["evidence"] if before else 0)
                told[other] = {
                    **(row if before is None or row["lift"] > before["lift"] else before),
                    "evidence": evidence,
                }
        best = sorted(told, key=lambda product: (-worth[product], told[product]["rank"], product))
        rows = self._shown((_from(cart_suggestions.TABLE.name, told[product]) for product in best), cart, k)
        shown = {*cart, *(row["product_id"] for row in rows)}
        return rows + self.for_strangers(None, shown, k - len(rows))

    def had(self, customer: str) -> set[str]:
        """What a customer ever bought, given back or not."""
        return {row["product_id"] for row in self.bought.rows(self.shop, customer)}

    def _alike(self, weights: Mapping[str, float], without: Collection[str], k: int) -> list[Row]:
        """The products whose ALS factors are nearest to those of some, by the cosine with their weighted mean."""
        codes = {product: code for product in weights if (code := self._code(product)) >= 0}
        if not codes:
            return []
        mean = sum(weights[product] * self.factors[code] for product, code in codes.items())
        length = float(np.linalg.norm(mean))
        if not length:
            return []
        cosine = self.factors @ (mean / np.float32(length))
        cosine[self.hidden] = -1
        cosine[[code for product in {*weights, *without} if (code := self._code(product)) >= 0]] = -1
        k = min(k, len(cosine))
        best = np.argpartition(-cosine, k - 1)[:k]
        rows = (
            {
                "product_id": self.coded[int(code)],
                "similarity": min(float(cosine[code]), 1.0),
                "reason": "liked by the same customers",
                "source": als_item_factors.TABLE.name,
                **self.label,
            }
            for code in best[np.argsort(-cosine[best], kind="stable")]
            if cosine[code] > 0
        )
        return self._shown(rows, (), k)

    def _neighbor(self, row: Row) -> Row:
        beside = self.names.get(row["product_id"], row["product_id"])
        return {
            **_from(item_neighbors.TABLE.name, row),
            "product_id": row["neighbor_id"],
            "reason": f"bought with {beside}",
        }

    def _shown(self, rows: Iterable[Row], without: Collection[str], k: int) -> list[Row]:
        """The first k of rows that may be shown, with their names."""
        found: list[Row] = []
        for row in rows:
            if len(found) >= k:
                break
            if row["product_id"] not in self.unsold and row["product_id"] not in without:
                found.append({**row, "name": self.names.get(row["product_id"])})
        return found

    def _code(self, product: str) -> int:
        at = bisect_left(self.coded, product)
        return at if at < len(self.coded) and self.coded[at] == product else -1


def fused(*lists: Sequence[Row]) -> Iterator[Row]:
    """Lists whose scores cannot be compared, as one: by the sum of 1 / (60 + place). The first with a row tells."""
    worth: dict[str, float] = defaultdict(float)
    told: dict[str, Row] = {}
    for rows in lists:
        for place, row in enumerate(rows, start=1):
            worth[row["product_id"]] += 1 / (FUSED + place)
            told.setdefault(row["product_id"], row)
    order = {product: place for place, product in enumerate(told)}
    return (told[product] for product in sorted(told, key=lambda product: (-worth[product], order[product])))


def _from(source: str, row: Row) -> Row:
    return {**row, "source": source}
