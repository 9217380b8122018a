"""Recommendations on real data: `python -m benchmarks.recommend_real online_retail --warehouse DIR`, or
`... complete_journey`, or `... movielens`.

All baselines and the hybrid, ALL and NEW apart, full ranking, one metric code. Choices were made on the validation cut
(`--cut validation`); the test cut is for the last word. Ratios are of NDCG@10, paired bootstraps over customers.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks import recommend_data as data
from lakehouse.errors import UsageError
from ml.recommend import evaluation
from ml.recommend.candidates import als
from ml.recommend.candidates.pool import TASKS, Task
from ml.recommend.data import ratings
from ml.recommend.data.history import History
from ml.recommend.data.snapshot import Ints, Snapshot
from ml.recommend.hybrid import Hybrid, train
from ml.recommend.lists import metrics
from ml.recommend.lists.baselines import baselines, ranked
from ml.recommend.settings import Settings
from ml.recommend.training import ALS

CUTS = {"validation": date(2011, 10, 10), "test": date(2011, 11, 9)}
SEED = 7
BASES: dict[Task, str] = {"ALL": "buy it again", "NEW": "popular, 30 days"}
ABLATION: dict[str, Any] = {"cuts": 3, "season_cuts": 0, "trees": {"ALL": 120, "NEW": 120}, "binary_trees": 40}


def main() -> int:
    """Measure what was asked for, and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recommend_real", description=__doc__)
    parser.add_argument("shop", choices=["online_retail", "complete_journey", "movielens"])
    parser.add_argument("--warehouse", type=Path, help="warehouse with Online Retail II in silver")
    parser.add_argument("--cut", choices=[*CUTS], default="test")
    parser.add_argument("--ablate", action="store_true", help="also learn without ALS, towers, network, on 3 cuts")
    parser.add_argument(
        "--model", type=Path, help="folder in which the trained hybrid is kept, and found the next time"
    )
    asked = parser.parse_args()
    try:
        measure(asked)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def measure(asked: argparse.Namespace) -> None:
    """Load, learn, compare."""
    pl.Config.set_tbl_rows(40).set_tbl_cols(20).set_tbl_hide_dataframe_shape(True).set_tbl_width_chars(160)
    pl.Config.set_float_precision(3).set_tbl_hide_column_data_types(True)
    if asked.shop == "movielens":
        history, events = data.movielens()
        settings = ratings.SETTINGS
    elif asked.shop == "complete_journey":
        history, events = data.complete_journey()
        settings = Settings()
    elif asked.warehouse is None:
        raise UsageError("online_retail needs --warehouse DIR, a warehouse with its silver tables (see README)")
    else:
        history, events = data.online_retail(asked.warehouse, CUTS[asked.cut])
        settings = Settings()
    fit: als.Als = partial(als.fit_als, seed=SEED, **ALS)
    snapshot = Snapshot.of(history, settings.active)
    bought = evaluation.truths(history, events, settings.window)
    rows = snapshot.rows_of(bought["ALL"]["customer_id"].unique().sort())
    print(f"{asked.shop}, cut {history.cutoff}: {len(rows)} customers, {snapshot.shape[1]} active products")
    started = time.process_time()
    factors = fit(als.interactions(snapshot))
    print(f"ALS: {time.process_time() - started:.1f} CPU s")
    lists = _baselines(snapshot, factors, rows)
    hybrid = _hybrid(history, fit, settings, asked.model)
    asked_for: tuple[Task, ...] = ("NEW",) if asked.shop == "movielens" else TASKS
    chosen = {task: _judged(hybrid, snapshot, rows, task, lists[task], bought[task]) for task in asked_for}
    if asked.shop != "movielens":
        _coverage(hybrid, history, bought, chosen)
    else:
        _rated()
    if asked.ablate:
        _ablation(history, fit, settings, snapshot, rows, bought)


def _hybrid(history: History, fit: als.Als, settings: Settings, kept: Path | None) -> Hybrid:
    if kept is not None and (kept / "settings.json").exists():
        return Hybrid.load(kept)
    started, wall = time.process_time(), time.perf_counter()
    hybrid = train(history, fit, settings)
    print(f"hybrid learned: {time.process_time() - started:.0f} CPU s, {time.perf_counter() - wall:.0f} s on the clock")
    if kept is not None:
        hybrid.save(kept)
    return hybrid


def _baselines(snapshot: Snapshot, factors: als.Factors, rows: Ints) -> dict[Task, dict[str, pl.DataFrame]]:
    scorers = baselines(snapshot, factors)
    return {
        task: {name: ranked(snapshot, scorer, rows, task, 10) for name, scorer in scorers.items()} for task in TASKS
    }


def _judged(
    hybrid: Hybrid, snapshot: Snapshot, rows: Ints, task: Task, lists: dict[str, pl.DataFrame], bought: pl.DataFrame
) -> pl.DataFrame:
    """Print one task's tables; the hybrid's best 200 for each customer."""
    ranking = hybrid.rank(snapshot, rows, task)
    ours = ranking.frame(200)
    print(f"\n{task}, {bought['customer_id'].n_unique()} customers")
    print(evaluation.quality(lists | {"hybrid": ours}, bought, snapshot))
    for base in (BASES[task], "EASE", "ALS"):
        print(f"hybrid / {base}, NDCG@10 by products in history")
        print(evaluation.against(ours, lists[base], bought, snapshot))
    pool = ranking.frame(10**6)
    known = bought.join(pool, on="customer_id", how="semi")
    recalls = {
        f"best {k}": metrics.pooled_recall(pool.filter(pl.col("rank") <= k), known) for k in (100, 150, 200, 300)
    }
    mean = metrics.per_customer(pool, known, 200)["recall"].to_numpy().mean()
    size = pool.height / pool["customer_id"].n_unique()
    print(
        f"candidate recall: {', '.join(f'{name} {value:.3f}' for name, value in recalls.items())}; "
        f"raw pool of {size:.0f}: {metrics.pooled_recall(pool, known):.3f}; mean over customers at 200: {mean:.3f}",
        flush=True,
    )
    return ours


def _coverage(
    hybrid: Hybrid, history: History, bought: dict[Task, pl.DataFrame], chosen: dict[Task, pl.DataFrame]
) -> None:
    """Lists for everybody, and for the judged customers alone, with and without room for what nobody would see."""
    for task in TASKS:
        started = time.process_time()
        everybody = hybrid.recommend(history, None, task, 10, spread=True)
        milliseconds = 1000 * (time.process_time() - started) / everybody["customer_id"].n_unique()
        snapshot = Snapshot.of(history, hybrid.settings.active)
        base = chosen[task].filter(pl.col("rank") <= 10)
        customers = bought[task]["customer_id"].unique().sort().to_list()
        count = everybody["customer_id"].n_unique()
        print(f"\n{task}: {milliseconds:.1f} ms CPU per customer for all {count}, with reasons")
        for name, lists in (
            ("without the step", base),
            ("all customers", everybody),
            ("judged customers alone", hybrid.recommend(history, customers, task, 10, spread=True)),
        ):
            cost = evaluation.against(lists, base, bought[task], snapshot).row(0, named=True)
            print(
                f"  coverage {metrics.coverage(lists, snapshot.shape[1]):.3f}, NDCG@10 x {cost['ratio']:.4f} "
                f"({cost['low']:.4f}-{cost['high']:.4f}) {name}",
                flush=True,
            )


def _ablation(
    history: History,
    fit: als.Als,
    settings: Settings,
    snapshot: Snapshot,
    rows: Ints,
    bought: dict[Task, pl.DataFrame],
) -> None:
    """What ALS, the towers and the network add: smaller hybrids, learned alike, with and without each."""
    smaller = replace(settings, **ABLATION)
    without = {
        "ALS": (None, smaller),
        "towers": (fit, replace(smaller, tower=False)),
        "network": (fit, replace(smaller, network=False)),
    }
    whole = train(history, fit, smaller)
    full = {task: whole.rank(snapshot, rows, task).frame(10) for task in TASKS}
    for name, (engine, chosen) in without.items():
        less = train(history, engine, chosen)
        for task in TASKS:
            found = evaluation.against(full[task], less.rank(snapshot, rows, task).frame(10), bought[task], snapshot)
            row = found.row(0, named=True)
            print(f"{task}: with {name} / without {row['ratio']:.3f} ({row['low']:.3f}-{row['high']:.3f})", flush=True)


def _rated() -> None:
    """The regime of many published figures, on MovieLens' own 80/20 split: only rated films are ranked."""
    train_part = data.ratings("u.data.gz").join(
        test := data.ratings("u1.test"), on=["customer_id", "product_id"], how="anti"
    )
    liked = train_part.filter(pl.col("rating") >= ratings.LIKED)
    events = liked.select(
        "customer_id",
        "product_id",
        (pl.col("customer_id") + "-" + pl.col("product_id")).alias("order_id"),
        pl.lit(ratings.LAST).alias("sold_on"),
        pl.lit(1.0).alias("quantity"),
        pl.lit(1.0).alias("amount"),
        pl.lit("ZZ").alias("country_code"),
    )
    snapshot = Snapshot.of(History(events, data.titles(), ratings.LAST), 10_000)
    fitted = als.fit_als(als.interactions(snapshot), seed=SEED, **ALS)
    scorers = baselines(snapshot, fitted)
    noise = np.random.default_rng(7)
    scorers["random order"] = lambda rows: noise.random((len(rows), snapshot.shape[1])).astype(np.float32)
    good = test.filter(pl.col("rating") >= ratings.LIKED).select("customer_id", "product_id")
    test = test.join(good, on="customer_id", how="semi")
    print("\nOnly rated films ranked (u1, 80/20); random order is the measure of such figures")
    print(
        evaluation.quality(
            {name: evaluation.rated_only(snapshot, scorer, test) for name, scorer in scorers.items()}, good, snapshot
        )
    )


if __name__ == "__main__":
    sys.exit(main())
