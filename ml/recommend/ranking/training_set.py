"""What the ranker learns from: candidates at earlier cutoffs, with what was known then, and what was bought after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lakehouse.errors import UsageError
from ml.recommend.candidates.als import Als, interactions
from ml.recommend.candidates.pool import TASKS, Candidates, Task, generators, pool
from ml.recommend.candidates.popularity import LAST_YEAR
from ml.recommend.candidates.tower import Tower
from ml.recommend.data.history import History, truth
from ml.recommend.data.snapshot import Floats, Ints, Snapshot, distinct
from ml.recommend.ranking.features import Tables, features
from ml.recommend.settings import Settings


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Rows x features, each candidate's product_id, whether it was bought, and the rows of each customer and cutoff."""

    names: tuple[str, ...]
    values: Floats
    products: pl.Series
    bought: NDArray[np.int8]
    groups: Ints

    @classmethod
    def joined(cls, parts: Sequence[TrainingSet]) -> TrainingSet:
        """All of them, in order."""
        values = np.vstack([part.values for part in parts])
        bought, groups = (
            np.concatenate([part.bought for part in parts]),
            np.concatenate([part.groups for part in parts]),
        )
        return cls(parts[0].names, values, pl.concat([part.products for part in parts]), bought, groups)


def training_cutoffs(history: History, settings: Settings) -> list[date]:
    """Days to learn at, the latest first: rolling cutoffs whose window has ended, then those of last year's season.

    A day after which the shop was closed teaches nothing: earlier ones take the place of such days, so that a shop that
    is closed for a season learns from its others.
    """
    if not history.events.height:
        raise UsageError(
            f"recommend: no sales are known at {history.cutoff}, so nothing can be learned; load sales first"
        )
    begin = history.events["sold_on"].min()
    assert isinstance(begin, date)  # a column of dates without nulls has one
    earliest = begin + timedelta(days=settings.warm_up)
    newest = history.cutoff - timedelta(days=settings.window)
    if newest < earliest:
        known, needed = (history.cutoff - begin).days, settings.warm_up + settings.window
        raise UsageError(f"recommend: sales are known for {known} days, learning needs {needed}; load older sales")
    days = np.array(sorted(set(history.events["sold_on"].to_list())))

    def teaches(cutoff: date) -> bool:
        return bool(((days > cutoff) & (days <= cutoff + timedelta(days=settings.window))).any())

    back = range(0, (newest - earliest).days + 1, settings.step)
    rolling = [cutoff for cutoff in (newest - timedelta(days=number) for number in back) if teaches(cutoff)]
    shifts = [settings.step * (number - settings.season_cuts // 2) for number in range(settings.season_cuts)]
    season = [history.cutoff - timedelta(days=LAST_YEAR + shift) for shift in shifts]
    season = [cutoff for cutoff in season if earliest <= cutoff <= newest and teaches(cutoff)]
    found = list(dict.fromkeys(rolling[: settings.cuts] + sorted(season, reverse=True)))
    if not found:
        raise UsageError(
            f"recommend: after no day from {earliest} to {newest} was anything sold within {settings.window} days, so "
            "there is nothing to learn from; load sales of a time when the shop was open for longer"
        )
    return found


def training_set(
    history: History, cutoff: date, als: Als | None, tower: Tower | None, settings: Settings
) -> dict[Task, TrainingSet]:
    """The examples of one cutoff: all bought candidates of those who bought one, and a sample of the others.

    Everything but the labels comes from `history.before(cutoff)`.
    """
    snapshot = Snapshot.of(history.before(cutoff), settings.active)
    after = truth(history.events, cutoff, settings.window)
    rows = snapshot.rows_of(after["customer_id"])
    columns = snapshot.columns_of(after["product_id"])
    known = (rows >= 0) & (columns >= 0)
    bought = np.sort(rows[known] * snapshot.shape[1] + columns[known])
    factors = als(interactions(snapshot)) if als else None
    pools = pool(snapshot, generators(snapshot, settings, factors, tower), distinct(rows[known]))
    tables = Tables.of(snapshot, settings.window)
    generator = np.random.default_rng([settings.seed, cutoff.toordinal()])
    return {task: _sampled(tables, pools[task], bought, settings.negatives, generator) for task in TASKS}


def keep_rate(candidates: Candidates, negatives: int) -> Floats:
    """The share of each candidate's customer's candidates that training draws as not bought."""
    _, group = np.unique(candidates.customer, return_inverse=True)
    return np.minimum(1, negatives / np.bincount(group, minlength=1)[group]).astype(np.float32)


def _sampled(
    tables: Tables, candidates: Candidates, bought: Ints, negatives: int, generator: np.random.Generator
) -> TrainingSet:
    names, values = features(tables, candidates)
    label = np.isin(candidates.customer * tables.snapshot.shape[1] + candidates.product, bought)
    buyer = np.isin(candidates.customer, candidates.customer[label])
    drawn = generator.random(len(label)) < keep_rate(candidates, negatives)
    kept = np.flatnonzero(buyer & (label | drawn))
    groups = pl.Series(candidates.customer[kept]).rle().struct.field("len").to_numpy().astype(np.int64)
    products = tables.snapshot.products.gather(candidates.product[kept])
    return TrainingSet(names, values[kept], products, label[kept].astype(np.int8), groups)
