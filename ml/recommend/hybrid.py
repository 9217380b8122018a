"""The two-stage recommender: many cheap generators propose, gradient-boosted trees put in order."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from lakehouse.errors import UsageError
from ml.recommend.candidates import content
from ml.recommend.candidates.als import Als, Factors, interactions
from ml.recommend.candidates.pool import TASKS, Task, generators, pool
from ml.recommend.candidates.tower import Tower
from ml.recommend.data.history import History
from ml.recommend.data.places import places
from ml.recommend.data.snapshot import Floats, Ints, Snapshot
from ml.recommend.lists import coverage
from ml.recommend.lists.cold_start import best_sellers
from ml.recommend.lists.reasons import Reasons
from ml.recommend.ranking.features import Tables, features
from ml.recommend.ranking.ranker import Ranker
from ml.recommend.ranking.training_set import TrainingSet, keep_rate, training_cutoffs, training_set
from ml.recommend.settings import Settings

CUSTOMERS_AT_ONCE = 1024

log = logging.getLogger("shoplake")


@dataclass(frozen=True, eq=False)
class Ranking:
    """Candidates of a snapshot in order: sorted by customer, best first; `chance` is the probability of a purchase."""

    snapshot: Snapshot
    customer: Ints
    product: Ints
    score: Floats
    chance: Floats

    def frame(self, k: int) -> pl.DataFrame:
        """The best k of each customer: customer_id, product_id, rank from 1."""
        frame = pl.DataFrame({"customer": self.customer, "product": self.product})
        best = frame.with_columns((pl.int_range(pl.len()).over("customer") + 1).alias("rank")).filter(
            pl.col("rank") <= k
        )
        return best.select(
            self.snapshot.customers.gather(best["customer"]).alias("customer_id"),
            self.snapshot.products.gather(best["product"]).alias("product_id"),
            "rank",
        )


@dataclass(frozen=True, eq=False)
class Hybrid:
    """A trained recommender: a ranker per task, the factors of ALS and the towers that its candidates need."""

    rankers: Mapping[Task, Ranker]
    factors: Factors | None
    tower: Tower | None
    settings: Settings

    def recommend(
        self,
        history: History,
        customers: Sequence[str] | None,
        task: Task,
        k: int,
        *,
        spread: bool = False,
        homes: Mapping[str, str] | None = None,
        countries: Mapping[str, str] | None = None,
    ) -> pl.DataFrame:
        """The k products for each customer: customer_id, task, rank, product_id, score, chance, reason.

        `customers` None means all of the history. Who is unknown gets the best sellers of their country (`homes`: code
        by customer), else of the shop. `spread` gives last places to products that nobody would see, for at most
        `settings.coverage_cost` of the expected DCG. `countries` are names by code, for the reasons. Fewer than k rows
        come only where no more products may be sold (for NEW: that the customer has not bought). `score` orders
        one customer's products, before `spread`; `chance` is the probability of a purchase in the window, and for
        unknown customers both are the share of buyers who bought it.
        """
        if k < 1:
            raise UsageError(f"recommend: k is {k}; ask for 1 product or more")
        snapshot = Snapshot.of(history, self.settings.active)
        if not snapshot.shape[1] or not snapshot.shape[0]:
            raise UsageError(f"recommend: no sales are known at {history.cutoff}; load sales first")
        asked = snapshot.customers if customers is None else pl.Series(customers, dtype=pl.String).unique().sort()
        rows = snapshot.rows_of(asked)
        ranking = self.rank(snapshot, rows[rows >= 0], task)
        _, place = places(ranking.customer)
        chosen = np.flatnonzero(place < k)
        place = place[chosen]
        if spread:
            target = int(np.ceil(self.settings.coverage_target * snapshot.may_be_sold.sum()))
            cost = self.settings.coverage_cost
            chosen, place = coverage.spread(ranking.customer, ranking.product, ranking.chance, k, cost, target)
        vectors = content.text_vectors(snapshot.texts, seed=self.settings.seed)
        reasons = Reasons(snapshot, vectors, countries or {})
        known = pl.DataFrame(
            {
                "customer_id": snapshot.customers.gather(ranking.customer[chosen]),
                "task": pl.Series([task] * len(chosen), dtype=pl.String),
                "rank": place + 1,
                "product_id": snapshot.products.gather(ranking.product[chosen]),
                "score": ranking.score[chosen],
                "chance": ranking.chance[chosen],
                "reason": pl.Series(reasons.of(ranking.customer[chosen], ranking.product[chosen]), dtype=pl.String),
            }
        )
        unknown = asked.filter(pl.Series(rows < 0))
        cold_start = best_sellers(snapshot, history, unknown, task, k, homes or {}, countries or {})
        return pl.concat([known, cold_start]).sort("customer_id", "rank")

    def rank(self, snapshot: Snapshot, rows: Ints, task: Task) -> Ranking:
        """All candidates of these customers (codes of the snapshot), in order."""
        scorers = generators(snapshot, self.settings, self.factors, self.tower)
        tables = Tables.of(snapshot, self.settings.window)
        parts = []
        for start in range(0, len(rows), CUSTOMERS_AT_ONCE):
            candidates = pool(snapshot, scorers, rows[start : start + CUSTOMERS_AT_ONCE], (task,))[task]
            names, values = features(tables, candidates)
            ranker = self.rankers[task]
            if names != ranker.names:
                lacking = sorted(set(ranker.names) ^ set(names))
                raise UsageError(
                    f"recommend: the model is of another schema ({', '.join(lacking[:5])}); train it again"
                )
            products = snapshot.products.gather(candidates.product)
            score, odds = ranker.score(values, candidates.customer, products)
            odds += np.log(keep_rate(candidates, self.settings.negatives))  # training saw only a sample of the unbought
            order = np.lexsort((candidates.product, -score, candidates.customer))
            chance = 1 / (1 + np.exp(-odds))
            parts.append([values[order] for values in (candidates.customer, candidates.product, score, chance)])
        if not parts:
            parts = [[np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.float32)]]
        return Ranking(snapshot, *(np.concatenate(column) for column in zip(*parts, strict=True)))

    def save(self, folder: Path) -> None:
        """Write plain files: settings as JSON, factors and towers as npz, trees as LightGBM's text."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "settings.json").write_text(json.dumps(asdict(self.settings), indent=1))
        for task, ranker in self.rankers.items():
            ranker.save(folder, task)
        if self.factors is not None:
            self.factors.save(folder / "factors.npz")
        if self.tower is not None:
            self.tower.save(folder / "tower.npz")

    @classmethod
    def load(cls, folder: Path) -> Hybrid:
        """Read what `save` wrote."""
        try:
            settings = Settings(**json.loads((folder / "settings.json").read_text()))
            rankers = {task: Ranker.load(folder, task, settings) for task in TASKS}
        except (OSError, TypeError, ValueError) as error:
            raise UsageError(f"recommend: {folder} holds no model of this version ({error}); train it again") from error
        factors, tower = folder / "factors.npz", folder / "tower.npz"
        return cls(
            rankers,
            Factors.load(factors) if factors.exists() else None,
            Tower.load(tower) if tower.exists() else None,
            settings,
        )


def train(history: History, als: Als | None, settings: Settings) -> Hybrid:
    """Learn from rolling cutoffs of a history; `als` fits factors to `als.interactions` of each, None leaves ALS out.

    Nothing of a cutoff's candidates and features is from after it. Towers are trained once, at the earliest cutoff.
    """
    cutoffs = training_cutoffs(history, settings)
    tower = None
    if settings.tower:
        earliest = Snapshot.of(history.before(min(cutoffs)), settings.active)
        log.info("two towers on what was sold to %s", earliest.cutoff)
        tower = Tower.fit(earliest, settings.window, settings.seed)
    found = []
    for number, cutoff in enumerate(cutoffs, start=1):
        log.info("cut %s, %d of %d", cutoff, number, len(cutoffs))
        found.append(training_set(history, cutoff, als, tower, settings))
    rankers = fit_rankers({task: TrainingSet.joined([part[task] for part in found]) for task in TASKS}, settings)
    factors = als(interactions(Snapshot.of(history, settings.active))) if als else None
    return Hybrid(rankers, factors, tower, settings)


def fit_rankers(found: Mapping[Task, TrainingSet], settings: Settings) -> dict[Task, Ranker]:
    """A ranker per task; where nobody bought anything new, the one for ALL serves NEW too, and the other way round."""
    fitted = {}
    for task, part in found.items():
        if part.bought.any() and not part.bought.all():
            log.info("ranker for %s on %d examples", task, len(part.bought))
            fitted[task] = Ranker.fit(part, settings.trees[task], settings)
    if not fitted:
        raise UsageError(
            "recommend: after no training cut did known customers buy some of their candidates and not others, "
            "so there is no order to learn; load more sales"
        )
    return {task: fitted.get(task) or next(iter(fitted.values())) for task in TASKS}
