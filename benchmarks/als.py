"""ALS against implicit and Spark MLlib on the same made-up pairs: `python -m benchmarks.als --implicit PYTHON`.

50,000 customers, 10,000 products, 2 million pairs, rank 64, 10 iterations: seconds of the fit and of everybody's best
20 products, each contender in a fresh process on the cores that there are, after a small fit that warms it up. Of each
customer with five pairs and more one is held out, and recall and NDCG are told for it, among all unseen products.
PYTHON has implicit and scipy installed, for example in an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from scipy import sparse

from benchmarks import measure
from ml.recommend.candidates import als

ROOT = Path(__file__).resolve().parents[1]
CUSTOMERS, PRODUCTS, PAIRS, TASTES = 50_000, 10_000, 2_000_000, 20
RANK, REG, ALPHA, ITERATIONS, K, SEED = 64, 0.2, 4.0, 10, 20, 7
CONTENDERS = ("implicit", "Shoplake", "MLlib")


@dataclass(frozen=True)
class Fitted:
    """What a contender can do: a fit to factors of rows and columns, and then everybody's best products."""

    fit: Callable[[sparse.csr_matrix], tuple[als.Floats, als.Floats]]
    top: Callable[[sparse.csr_matrix], Any]


def main() -> int:
    """Make the pairs, run the contenders, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.als", description=__doc__)
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=CONTENDERS)
    parser.add_argument("--implicit", help="a Python with implicit and scipy")
    parser.add_argument("--run", nargs=2, metavar=("CONTENDER", "FOLDER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.run:
        run(asked.run[0], Path(asked.run[1]))
        return 0
    if "implicit" in asked.contenders and not asked.implicit:
        parser.error(
            "name a Python that has implicit (--implicit PYTHON), or leave it out (--contenders Shoplake MLlib)"
        )
    with tempfile.TemporaryDirectory(prefix="shoplake-als-") as folder:
        kept, hidden = held_out(made_pairs())
        sparse.save_npz(Path(folder, "pairs.npz"), kept, compressed=False)
        settings = {"rank": RANK, "reg": REG, "alpha": ALPHA, "iterations": ITERATIONS, "k": K, "seed": SEED}
        Path(folder, "settings.json").write_text(json.dumps(settings))
        rows = [_measured(name, asked.implicit, Path(folder), kept, hidden) for name in asked.contenders]
    pl.Config.set_tbl_hide_dataframe_shape(True).set_tbl_hide_column_data_types(True).set_tbl_width_chars(160)
    print(pl.DataFrame(rows).with_columns(pl.selectors.float().round(3)))
    return 0


def _measured(
    name: str, python: str | None, folder: Path, kept: sparse.csr_matrix, hidden: NDArray[np.int64]
) -> dict[str, Any]:
    """Run one contender, and rank by its factors."""
    ours = [sys.executable, "-m", "benchmarks.als", "--run", name]
    command = [str(python), str(ROOT / "benchmarks" / "als_implicit.py")] if name == "implicit" else ours
    subprocess.run([*command, str(folder)], cwd=ROOT, check=True)
    told = json.loads((folder / "told.json").read_text())
    with np.load(folder / "factors.npz") as found:
        quality = _quality(found["customers"], found["products"], kept, hidden)
    print(f"{name}: {told}, {quality}", flush=True)
    return {"ALS by": name, **told, **quality}


def run(name: str, folder: Path) -> None:
    """Fit and rank as one contender, in this process, and write what it took and its factors."""
    from lakehouse.session import spark_session

    contender = {"Shoplake": _shoplake, "MLlib": _mllib}[name](spark_session())
    pairs = sparse.load_npz(folder / "pairs.npz").tocsr()
    few = sparse.csr_matrix(pairs[:2000])
    contender.fit(few)
    contender.top(few)
    fit_seconds, fit_cpu, (customers, products) = _timed(partial(contender.fit, pairs))
    top_seconds, top_cpu, _ = _timed(partial(contender.top, pairs))
    np.savez(folder / "factors.npz", customers=customers, products=products)
    told = {"fit s": fit_seconds, "fit CPU s": fit_cpu, f"top {K} s": top_seconds, f"top {K} CPU s": top_cpu}
    (folder / "told.json").write_text(json.dumps(told))


def _timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds on the clock, CPU seconds of this process and all that it started, and the result."""
    cpu, started = measure.cpu_seconds(), time.perf_counter()
    result = work()
    return time.perf_counter() - started, measure.cpu_seconds() - cpu, result


def _shoplake(spark: SparkSession) -> Fitted:
    found: list[tuple[als.Floats, als.Floats]] = []

    def fit(pairs: sparse.csr_matrix) -> tuple[als.Floats, als.Floats]:
        found[:] = [als.fit_matrix(pairs, RANK, REG, ALPHA, ITERATIONS, SEED, spark)]
        return found[0]

    return Fitted(fit, lambda pairs: als.top(*found[0], pairs, K, spark))


def _mllib(spark: SparkSession) -> Fitted:
    """Spark's own; its best products are of all, those that a customer has among them."""
    from pyspark.ml.recommendation import ALS, ALSModel

    models: list[ALSModel] = []

    def fit(pairs: sparse.csr_matrix) -> tuple[als.Floats, als.Floats]:
        entries = pairs.tocoo()
        frame = spark.createDataFrame(pd.DataFrame({"user": entries.row, "item": entries.col, "rating": entries.data}))
        learner = ALS(rank=RANK, regParam=REG, alpha=ALPHA, maxIter=ITERATIONS, seed=SEED, implicitPrefs=True)
        learner.setNumBlocks(spark.sparkContext.defaultParallelism)
        model = learner.fit(frame)
        models[:] = [model]
        return _dense(model.userFactors.toPandas(), pairs.shape[0]), _dense(
            model.itemFactors.toPandas(), pairs.shape[1]
        )

    def top(_: sparse.csr_matrix) -> Any:
        lists = models[0].recommendForAllUsers(K)
        return lists.select("user", F.col("recommendations.item"), F.col("recommendations.rating")).toArrow()

    return Fitted(fit, top)


def _dense(factors: pd.DataFrame, count: int) -> als.Floats:
    found = np.zeros((count, RANK), np.float32)
    found[factors["id"].to_numpy()] = np.array(factors["features"].tolist(), np.float32)
    return found


def made_pairs() -> sparse.csr_matrix:
    """Customers x products with log counts: long tails on both sides, and tastes that most purchases follow."""
    chance = np.random.default_rng(SEED)
    activity, popularity = chance.lognormal(0, 1, CUSTOMERS), 1 / (np.arange(PRODUCTS) + 30.0) ** 0.8
    taste, kind = chance.integers(0, TASTES, CUSTOMERS), chance.integers(0, TASTES, PRODUCTS)
    customer = chance.choice(CUSTOMERS, PAIRS * 3 // 2, p=activity / activity.sum())
    product = chance.choice(PRODUCTS, len(customer), p=popularity / popularity.sum())
    by_taste = chance.random(len(customer)) < 0.6
    for number in range(TASTES):
        among, lines = np.flatnonzero(kind == number), np.flatnonzero(by_taste & (taste[customer] == number))
        product[lines] = chance.choice(among, len(lines), p=popularity[among] / popularity[among].sum())
    keys, counts = np.unique(customer * PRODUCTS + product, return_counts=True)
    chosen = np.sort(chance.permutation(len(keys))[:PAIRS])
    return _matrix(keys[chosen], np.log1p(counts[chosen]))


def held_out(pairs: sparse.csr_matrix) -> tuple[sparse.csr_matrix, NDArray[np.int64]]:
    """The pairs less one of each customer with five and more, and that one's product; -1 for the others."""
    chance = np.random.default_rng(SEED)
    lengths = np.diff(pairs.indptr)
    drawn = pairs.indptr[:-1] + (chance.random(len(lengths)) * lengths).astype(int)
    judged = lengths >= 5
    hidden = np.full(len(lengths), -1)
    hidden[judged] = pairs.indices[drawn[judged]]
    keys = np.repeat(np.arange(len(lengths)), lengths) * PRODUCTS + pairs.indices
    stays = np.ones(len(keys), bool)
    stays[drawn[judged]] = False
    return _matrix(keys[stays], pairs.data[stays]), hidden


def _matrix(keys: NDArray[np.int64], values: NDArray[Any]) -> sparse.csr_matrix:
    return sparse.csr_matrix((values.astype(np.float32), np.divmod(keys, PRODUCTS)), shape=(CUSTOMERS, PRODUCTS))


def _quality(
    customers: als.Floats, products: als.Floats, seen: sparse.csr_matrix, hidden: NDArray[np.int64]
) -> dict[str, float]:
    """Recall and NDCG of the hidden product in the best K."""
    judged = np.flatnonzero(hidden >= 0)
    best, _ = als.top(customers[judged], products, sparse.csr_matrix(seen[judged]), K)
    hits = best == hidden[judged, None]
    return {
        f"recall@{K}": float(hits.any(axis=1).mean()),
        f"NDCG@{K}": float((hits / np.log2(np.arange(K) + 2)).sum(axis=1).mean()),
    }


if __name__ == "__main__":
    sys.exit(main())
