"""Training of the segments: what is learned from which days, what is tried, and what is held out."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from sklearn.cluster import KMeans

from lakehouse.errors import UsageError
from ml.core.compare import Floats, Labels, Ratio, paired_ratio
from ml.core.evidence import Evidence
from ml.core.experiment import Earlier, Frames, Model, Trained, Trial
from ml.core.shop import in_main_currency, up_to_today
from ml.segment import figures
from ml.segment.evaluation import Quality, choose, explained, quality, separation, squared_errors
from ml.segment.features import QUINTILES, RFM, SCALED, describe, revenue_between, scaled
from ml.segment.model import QuintileSegments, SegmentModel, Space
from ml.segment.naming import as_named

CLUSTERS = range(4, 9)
HORIZON_DAYS = 90
LEAST_SHARE = 0.02
LEAST_STABILITY = 0.9
LEAST_CUSTOMERS = 100
LEAST_HORIZON_DAYS = 10
log = logging.getLogger("shoplake")


@dataclass(frozen=True)
class Look:
    """The customers as of the end of a day, and the log(1 + net revenue) of each in the horizon after it."""

    on: date
    customers: pd.DataFrame
    log_revenue: Floats

    @property
    def features(self) -> Floats:
        """Customers x features."""
        return scaled(self.customers)


def train(frames: Frames, earlier: Earlier, seed: int) -> Trained:
    """Learn the space on earlier days, choose the number of clusters on a day whose future is held out, fit on today.

    With a horizon of h days (90, or a fifth of a shorter history) the days are h, 2h and 3h before the last: the space
    that is evaluated is learned from the two older ones, whose months after end when the held-out ones begin.
    """
    lines, last = up_to_today(in_main_currency(frames["order_lines"]), "sold_on")
    if last is None:
        raise UsageError("segments need product sales to known customers, and there are none; promote silver first")
    orders, horizon = frames["orders"], _horizon(lines, last)
    today = _customers(lines, orders, last)
    looks = [_look(lines, orders, last - timedelta(horizon * back), horizon) for back in (1, 2, 3)]
    held_out, *before = looks
    if len(held_out.customers) < LEAST_CUSTOMERS:
        raise UsageError(
            f"segments need at least {LEAST_CUSTOMERS} customers with an order by {held_out.on}; there are "
            f"{len(held_out.customers)}. The baseline serves until there are more"
        )
    space = _learned(before, seed)
    places, revenue = space.place(held_out.features), held_out.log_revenue
    tried = [quality(places, k, revenue, seed) for k in CLUSTERS if k * 10 <= len(places)]
    chosen = choose([q for q, _ in tried], least_share=LEAST_SHARE, least_stability=LEAST_STABILITY)
    labels = next(found for q, found in tried if q is chosen)
    quintiles = QuintileSegments().predict(held_out.customers)["standing"].to_numpy().astype(np.int64)
    errors, plain = squared_errors(labels, revenue, seed), squared_errors(quintiles, revenue, seed)
    model = SegmentModel.fit(_learned(looks[:2], seed), scaled(today), chosen.clusters, seed)
    names = np.array(as_named(model.names, labels, model.label(held_out.features)[0]))
    return Trained(
        model,
        Evidence(
            measure="squared error of the log revenue held out",
            window=f"{held_out.on + timedelta(1)} to {last}",
            against_baseline=paired_ratio(errors, plain, seed=seed),
            against_champion=_against(earlier.champion, held_out, errors, seed),
            criteria=_criteria(chosen),
        ),
        params={
            "horizon_days": horizon,
            "clusters": chosen.clusters,
            "customers": len(today),
            "as_of": str(last),
            "held_out_from": str(held_out.on + timedelta(1)),
            "features": ", ".join(SCALED),
            "seed": seed,
        },
        metrics=chosen.metrics()
        | {"r2_baseline_quintiles": explained(plain, revenue), "customers_held_out": float(len(revenue))},
        example=today[[*SCALED, *QUINTILES]].head(5).astype("float64"),
        trials=(
            *(Trial(f"k = {q.clusters}", {"clusters": q.clusters}, q.metrics()) for q, _ in tried),
            *_easy_and_useless(held_out, seed),
        ),
        figures={
            "choice of k": figures.choice([q for q, _ in tried], chosen, explained(plain, revenue)),
            "segments": figures.profiles(today, model),
            "revenue held out": figures.outcome(names[labels], revenue, horizon),
            "map": figures.map_of(today, model),
        },
    )


def _horizon(lines: DataFrame, last: date) -> int:
    """The horizon that the history allows."""
    span = lines.agg(F.min("sold_on")).first()
    first: date = span[0] if span else last
    horizon = min(HORIZON_DAYS, (last - first).days // 5)
    if horizon < LEAST_HORIZON_DAYS:
        raise UsageError(
            f"segments need {5 * LEAST_HORIZON_DAYS} days of sales; there are {(last - first).days} "
            f"({first} to {last}). The baseline serves until there are more"
        )
    return horizon


def _customers(lines: DataFrame, orders: DataFrame, on: date) -> pd.DataFrame:
    """Customers with an order that counts, in one order."""
    log.info("customers as of %s", on)
    found = describe(lines, orders, on).where("frequency > 0").toPandas()
    return found.sort_values("customer_id", ignore_index=True)


def _look(lines: DataFrame, orders: DataFrame, on: date, horizon: int) -> Look:
    customers = _customers(lines, orders, on)
    after = revenue_between(lines, orders, on, on + timedelta(horizon)).toPandas().set_index("customer_id")["revenue"]
    revenue = customers["customer_id"].map(after).astype("float64").fillna(0.0).clip(lower=0).to_numpy()
    return Look(on, customers, np.log1p(revenue))


def _learned(looks: list[Look], seed: int) -> Space:
    features = np.vstack([look.features for look in looks])
    return Space.learn(features, np.concatenate([look.log_revenue for look in looks]), seed)


def _against(champion: Model | None, held_out: Look, errors: Floats, seed: int) -> Ratio | None:
    if champion is None:
        return None
    labels = champion.predict(held_out.customers)["cluster"].to_numpy().astype(np.int64)
    return paired_ratio(errors, squared_errors(labels, held_out.log_revenue, seed), seed=seed)


def _criteria(chosen: Quality) -> dict[str, bool]:
    return {
        f"no segment under {LEAST_SHARE:.0%} of the customers (smallest {chosen.smallest_share:.1%})": (
            chosen.smallest_share >= LEAST_SHARE
        ),
        f"stable under resampling (adjusted Rand index {chosen.stability:.2f}, at least {LEAST_STABILITY})": (
            chosen.stability >= LEAST_STABILITY
        ),
    }


def _easy_and_useless(held_out: Look, seed: int) -> list[Trial]:
    """Two clusters of raw RFM: a silhouette above .9, from one huge cluster and a few of the largest customers."""
    raw = held_out.customers[list(RFM)].astype("float64").to_numpy()
    labels: Labels = KMeans(2, n_init=10, random_state=seed).fit(raw).labels_.astype(np.int64)
    measured = {
        "silhouette": separation(raw, labels, seed),
        "smallest_share": float(np.bincount(labels).min() / len(labels)),
        "r2_held_out": explained(squared_errors(labels, held_out.log_revenue, seed), held_out.log_revenue),
    }
    return [Trial("raw features, k = 2 (easy and useless)", {"clusters": 2}, measured)]
