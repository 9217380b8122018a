"""The recommender of a shop, and the plain baseline that serves where no model beat it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

import pandas as pd
import polars as pl

from lakehouse.errors import UsageError
from ml.recommend.candidates.als import Factors
from ml.recommend.candidates.pool import Task
from ml.recommend.data.history import EVENT_COLUMNS, History
from ml.recommend.data.snapshot import Snapshot
from ml.recommend.hybrid import Hybrid
from ml.recommend.lists.baselines import baselines, ranked
from ml.recommend.lists.cold_start import ACTIVE_DAYS, COLUMNS, best_sellers
from ml.recommend.lists.reasons import UNSOLD, popular

PLACES = 10
Names = Mapping[str, str]


class Recommender(Protocol):
    """What the scored tables ask of a model."""

    measured: pl.DataFrame

    @property
    def factors(self) -> Factors | None:
        """The ALS factors that it uses, if any."""

    def recommend(
        self, history: History, customers: list[str], task: Task, homes: Names, countries: Names
    ) -> pl.DataFrame:
        """Ten products for each customer, as rows of `Hybrid.recommend`."""


@dataclass(frozen=True)
class RecommendModel:
    """A trained hybrid, and what was measured of it and of the baselines: task, method, measure, value."""

    hybrid: Hybrid
    measured: pl.DataFrame

    @property
    def factors(self) -> Factors | None:
        """See `Recommender`."""
        return self.hybrid.factors

    def recommend(
        self, history: History, customers: list[str], task: Task, homes: Names, countries: Names
    ) -> pl.DataFrame:
        """See `Recommender`."""
        return self.hybrid.recommend(history, customers, task, PLACES, spread=True, homes=homes, countries=countries)

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Recommendations for the customers of some sales (customer_id, product_id, order_id, sold_on, ...)."""
        return self.hybrid.recommend(_history(frame), None, "ALL", PLACES).to_pandas()

    def save(self, folder: Path) -> None:
        """Write the hybrid and the measures."""
        self.hybrid.save(folder / "hybrid")
        (folder / "measured.json").write_text(json.dumps(self.measured.to_dicts(), indent=1))

    @classmethod
    def load(cls, folder: Path) -> RecommendModel:
        """Read what `save` wrote."""
        if not (folder / "measured.json").is_file():
            raise UsageError(f"{folder} holds no recommender; train again")
        return cls(Hybrid.load(folder / "hybrid"), pl.DataFrame(json.loads((folder / "measured.json").read_text())))


class BuyItAgain:
    """The plain baseline: what a customer buys often and lately, filled up with the best sellers of thirty days."""

    measured = pl.DataFrame(schema={"task": pl.String, "method": pl.String, "measure": pl.String, "value": pl.Float64})
    factors = None

    def recommend(
        self, history: History, customers: list[str], task: Task, homes: Names, countries: Names
    ) -> pl.DataFrame:
        """See `Recommender`."""
        snapshot = Snapshot.of(history, ACTIVE_DAYS)
        asked = pl.Series(customers, dtype=pl.String).unique().sort()
        rows = snapshot.rows_of(asked)
        scorer = baselines(snapshot, None)["buy it again"]
        best = ranked(snapshot, scorer, rows[rows >= 0], task, PLACES)
        lately = snapshot.products.filter(pl.Series(snapshot.buyers(0, 30) > 0))
        bought = history.events.select("customer_id", "product_id").unique().with_columns(again=pl.lit(True))
        known = best.join(bought, on=["customer_id", "product_id"], how="left").with_columns(
            task=pl.lit(task),
            score=(1 / pl.col("rank")).cast(pl.Float32),
            chance=pl.lit(None, dtype=pl.Float32),
            reason=pl.when(pl.col("again"))
            .then(pl.lit("you bought this before"))
            .when(pl.col("product_id").is_in(lately.implode()))
            .then(pl.lit(popular(None)))
            .otherwise(pl.lit(UNSOLD)),
        )
        unknown = asked.filter(pl.Series(rows < 0))
        cold_start = best_sellers(snapshot, history, unknown, task, PLACES, homes, countries)
        typed = known.select(*(pl.col(name).cast(kind) for name, kind in COLUMNS.items()))
        return pl.concat([typed, cold_start]).sort("customer_id", "rank")

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """As `RecommendModel.predict`."""
        history = _history(frame)
        return self.recommend(history, history.events["customer_id"].unique().to_list(), "ALL", {}, {}).to_pandas()

    def save(self, folder: Path) -> None:
        """There is nothing to keep: the rule is the code."""
        folder.mkdir(parents=True, exist_ok=True)


def _history(frame: pd.DataFrame) -> History:
    """The sales in a frame, as all that is known."""
    events = pl.from_pandas(frame).with_columns(pl.col("sold_on").cast(pl.String).str.to_date())
    products = events.select("product_id").unique().with_columns(text=pl.lit(""))
    last = events["sold_on"].max()
    if not isinstance(last, date):
        raise UsageError("recommend: no sales were given, so nothing can be recommended")
    return History(events.select(EVENT_COLUMNS), products, last)
