"""Training of the recommender: learnt and evaluated on a day whose next weeks are held out, then brought up to date."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any

import polars as pl
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from gold.measures import PRODUCT_CANCELLATION, PRODUCT_SALE
from lakehouse.errors import UsageError
from ml.core import shop
from ml.core.compare import Floats, Ratio, paired_ratio
from ml.core.evidence import Evidence
from ml.core.experiment import Earlier, Frames, Model, Trained, Trial
from ml.recommend import evaluation, figures
from ml.recommend.candidates import als
from ml.recommend.candidates.pool import TASKS, Task
from ml.recommend.data import ratings
from ml.recommend.data.history import EVENT_COLUMNS, History
from ml.recommend.data.purchases import netted
from ml.recommend.data.snapshot import Snapshot
from ml.recommend.hybrid import Hybrid
from ml.recommend.hybrid import train as learn
from ml.recommend.lists import metrics
from ml.recommend.lists.baselines import SIMPLE, baselines, ranked
from ml.recommend.model import PLACES, RecommendModel
from ml.recommend.settings import Settings
from silver.orders import UNDONE_STATUSES

ALS: dict[str, Any] = {"rank": 64, "reg": 0.2, "alpha": 4.0, "iterations": 8}
HYBRID = "hybrid"
LEAST_DAYS = 40
LEAST_CUSTOMERS = 30
LEAST_PRODUCTS = 2
_MANY_CUSTOMERS = 1000
log = logging.getLogger("shoplake")
_EXAMPLE_CUSTOMERS = 5


def train(frames: Frames, earlier: Earlier, seed: int) -> Trained:
    """Hold out the last weeks, learn from what was known before them, and evaluate; then refresh the ALS factors.

    The rankers that serve are those that were evaluated: they order by how products and customers stand today.
    """
    history = history_of(frames)
    first = history.events["sold_on"].min()
    assert isinstance(first, date)  # history_of refuses a shop without sales
    settings = _settings((history.cutoff - first).days, history.events["customer_id"].n_unique(), seed)
    return train_on(history, settings, _als(frames["order_lines"].sparkSession, seed), earlier.champion, TASKS)


def train_ratings(frames: Frames, earlier: Earlier, seed: int) -> Trained:
    """The same for ratings: the last product that everyone liked is held out."""
    history = ratings.history_of_ratings(_polars(frames["feedback"]))
    settings = replace(ratings.SETTINGS, seed=seed)
    return train_on(history, settings, _als(frames["feedback"].sparkSession, seed), earlier.champion, ("NEW",))


def train_on(
    history: History, settings: Settings, fit: als.Als, champion: Model | None, tasks: tuple[Task, ...]
) -> Trained:
    """Learn, evaluate and bring up to date, with factors by `fit`. The first task decides about the champion."""
    evaluated, seed = tasks[0], settings.seed
    events, cutoff = history.events, history.cutoff - timedelta(days=settings.window)
    known = history.before(cutoff)
    bought = evaluation.truths(known, events, settings.window)
    if (came_back := bought[evaluated]["customer_id"].n_unique()) < LEAST_CUSTOMERS:
        raise UsageError(
            f"recommendations need at least {LEAST_CUSTOMERS} customers who bought again after {cutoff}; there are "
            f"{came_back}. The baseline serves until there are more"
        )
    if (products := known.events["product_id"].n_unique()) < LEAST_PRODUCTS:  # told before hours of learning
        raise UsageError(
            f"recommendations order at least {LEAST_PRODUCTS} products; {products} was sold until {cutoff}. "
            "The baseline serves until there are more"
        )
    tasks = tuple(task for task in tasks if bought[task].height)  # where nobody bought anything new, ALL alone
    hybrid = learn(known, fit, settings)
    snapshot = Snapshot.of(known, settings.active)
    log.info("judged on %s to %s", cutoff + timedelta(days=1), history.cutoff)
    lists = {task: _lists(known, snapshot, hybrid, bought[task], task) for task in tasks}
    quality = {task: evaluation.quality(lists[task], bought[task], snapshot, PLACES) for task in lists}
    fresh = replace(hybrid, factors=fit(als.interactions(Snapshot.of(history, settings.active))))
    rules = {task: _best_rule(quality[task]) for task in lists}
    lengths = {
        task: evaluation.against(lists[task][HYBRID], lists[task][rules[task]], bought[task], snapshot)
        for task in lists
    }
    return Trained(
        RecommendModel(fresh, _measured(quality)),
        Evidence(
            measure=f"1 - NDCG@10 for {'all products' if evaluated == 'ALL' else 'new products'}",
            window=f"{cutoff + timedelta(days=1)} to {history.cutoff}",
            against_baseline=_paired(
                lists[evaluated][HYBRID], lists[evaluated][rules[evaluated]], bought[evaluated], seed
            ),
            against_champion=_against(champion, hybrid, known, lists[evaluated][HYBRID], bought[evaluated], evaluated),
            criteria=_criteria(lengths["NEW"], rules["NEW"]) if evaluated == "ALL" and "NEW" in lengths else {},
            baseline=f"the best simple rule ({rules[evaluated]})",
        ),
        params={
            "window_days": settings.window,
            "training_cuts": settings.cuts,
            "season_cuts": settings.season_cuts,
            "tower": settings.tower,
            "network": settings.network,
            "customers": events["customer_id"].n_unique(),
            "products": snapshot.shape[1],
            **{f"als_{name}": value for name, value in ALS.items()},
            **{f"best_simple_rule_{task}": rules[task] for task in tasks},
            "seed": seed,
        },
        metrics={
            f"{row['measure']}_{row['task']}": row["value"]
            for row in _measured(quality).filter(pl.col("method") == HYBRID).iter_rows(named=True)
            if row["value"] is not None
        }
        | {f"ndcg_over_best_simple_rule_{task}": float(lengths[task]["ratio"][0]) for task in tasks},
        example=_example(events),
        trials=tuple(
            Trial(
                f"{row['method']}, {task}",
                {"method": row["method"], "task": task},
                {name: value for name, value in row.items() if name != "method" and value is not None},
            )
            for task in tasks
            for row in quality[task].iter_rows(named=True)
        ),
        figures={
            "NDCG by method": figures.by_method(quality),
            "by length of history": figures.by_history(lengths, rules),
            "precision and recall": figures.precision_recall(
                {
                    task: evaluation.precision_recall(lists[task][HYBRID], bought[task], snapshot, PLACES)
                    for task in tasks
                }
            ),
        },
    )


def purchases(frames: Frames) -> tuple[pl.DataFrame, pl.DataFrame, date]:
    """The product sales of known customers that count, those that were given back, and the shop's last day.

    Given back is what credit notes took back, and every line of an order whose status undid it. Money in another
    currency than the shop's main one counts as what the product costs on average in that.
    """
    goods = f"({PRODUCT_SALE} AND customer_id IS NOT NULL) OR {PRODUCT_CANCELLATION}"
    lines, today = shop.up_to_today(frames["order_lines"].where(goods), "sold_on")
    if today is None:
        raise UsageError("recommendations need product sales to known customers, and there are none")
    main = shop.main_currency(lines)
    undone = frames["orders"].where(F.col("status").isin(*UNDONE_STATUSES))
    undone = undone.select("order_id", F.to_date("updated_at").alias("undone_on"), F.lit(True).alias("is_undone"))
    found = _polars(
        lines.join(undone, "order_id", "left").select(
            "customer_id",
            "product_id",
            "order_id",
            "sold_on",
            F.col("quantity").cast("double").alias("quantity"),
            F.when(F.col("currency") == F.lit(main), F.col("amount").cast("double")).alias("amount"),
            "country_code",
            F.coalesce("is_undone", F.lit(False)).alias("is_undone"),
            "undone_on",
            (F.col("line_type") == "sale").alias("is_sale"),
        )
    ).sort("sold_on", "customer_id", "order_id", "product_id", "quantity", "amount", nulls_last=True)
    sold = _valued(found.filter("is_sale"))
    is_back = pl.col("quantity") < 0  # a refund without pieces takes nothing back
    returns = found.filter(~pl.col("is_sale"), ~pl.col("is_undone"), is_back).select(
        "customer_id", "product_id", "order_id", pl.col("sold_on").alias("returned_on"), -pl.col("quantity")
    )
    kept, back = netted(sold.filter(~pl.col("is_undone")).select(EVENT_COLUMNS), returns)
    cancelled = sold.filter("is_undone").select(
        *EVENT_COLUMNS, pl.max_horizontal(pl.col("undone_on").fill_null(today), "sold_on").alias("returned_on")
    )
    # What is known to have come back has, whenever that was noted.
    given_back = pl.concat([back, cancelled]).with_columns(pl.min_horizontal("returned_on", pl.lit(today)))
    order = ["sold_on", "customer_id", "order_id", "product_id"]
    return kept.sort(order), given_back.sort(order), today


def _valued(sales: pl.DataFrame) -> pl.DataFrame:
    """Sales whose amount is not known (it is of another currency) count as their pieces at the product's mean price."""
    known = sales.filter(pl.col("amount").is_not_null())
    price = known.group_by("product_id").agg((pl.col("amount").sum() / pl.col("quantity").sum()).alias("price"))
    worth = pl.col("amount").fill_null(pl.col("price") * pl.col("quantity")).fill_null(0.0)
    return sales.join(price, on="product_id", how="left", maintain_order="left").with_columns(amount=worth)


def history_of(frames: Frames) -> History:
    """What the shop knows as of its last day: sales, what was given back, and the catalogue with texts."""
    events, returns, today = purchases(frames)
    if not events.height:
        raise UsageError("recommendations need product sales to known customers, and all of them were given back")
    text = F.concat_ws(" ", "name", "category", "subcategory", "brand", "color", "material", "description")
    current = frames["products"].where("__END_AT IS NULL AND NOT coalesce(category, '') IN ('shipping', 'fee')")
    why_not = shop.why_not_sold(frames["products"], frames["stock_levels"])
    current = current.join(why_not, "product_id", "left")
    is_sold = F.col("why_not").isNull().alias("may_be_sold")
    products = _polars(current.select("product_id", "name", text.alias("text"), "listed_on", is_sold))
    return History(events, products.unique("product_id", keep="first").sort("product_id"), today, returns)


def _polars(rows: DataFrame) -> pl.DataFrame:
    found = pl.from_arrow(rows.toArrow())
    assert isinstance(found, pl.DataFrame)  # a table, not a column, was given
    return found


def _settings(days: int, customers: int, seed: int) -> Settings:
    """The defaults for a year of sales and more; shorter spans and smaller trees for less."""
    if days < LEAST_DAYS:
        raise UsageError(
            f"recommendations need {LEAST_DAYS} days of sales; there are {days}. "
            "The baseline serves until there are more"
        )
    large = customers >= _MANY_CUSTOMERS
    if days >= 365:
        return Settings(seed=seed, tower=large, network=large)
    window = max(7, min(30, days // 4))
    return Settings(
        window=window,
        step=max(3, window // 2),
        cuts=4,
        season_cuts=0,
        warm_up=max(14, days // 4),
        trees={"ALL": 120, "NEW": 100},
        binary_trees=60,
        leaves=15,
        min_rows=50,
        tower=large,
        network=large,
        seed=seed,
    )


def _als(spark: SparkSession, seed: int) -> als.Als:
    return partial(als.fit_als, seed=seed, spark=spark, **ALS)


def _lists(
    known: History, snapshot: Snapshot, hybrid: Hybrid, bought: pl.DataFrame, task: Task
) -> dict[str, pl.DataFrame]:
    """The hybrid's list of ten and those of the baselines, for the customers who bought."""
    asked = bought["customer_id"].unique().sort()
    made = hybrid.recommend(known, asked.to_list(), task, PLACES, spread=True)
    found = {HYBRID: made.select("customer_id", "product_id", "rank")}
    rows = snapshot.rows_of(asked)
    for name, scorer in baselines(snapshot, hybrid.factors).items():
        found[name] = ranked(snapshot, scorer, rows, task, PLACES)
    return found


def _against(
    champion: Model | None, hybrid: Hybrid, known: History, ours: pl.DataFrame, bought: pl.DataFrame, task: Task
) -> Ratio | None:
    """None without a champion, and with one that wants features which this version of the code does not have.

    Its rankers have not seen the window that is held out, but its factors were brought up to date with it: both are
    compared with ours.
    """
    if not isinstance(champion, RecommendModel):
        return None
    asked = bought["customer_id"].unique().sort().to_list()
    try:
        rankers = replace(champion.hybrid, factors=champion.hybrid.factors and hybrid.factors)
        theirs = rankers.recommend(known, asked, task, PLACES, spread=True)
    except UsageError as error:
        log.warning("the new model is compared with the baseline alone: %s", error)
        return None
    return _paired(ours, theirs, bought, hybrid.settings.seed)


def _paired(ours: pl.DataFrame, theirs: pl.DataFrame, bought: pl.DataFrame, seed: int) -> Ratio:
    return paired_ratio(_losses(ours, bought), _losses(theirs, bought), seed=seed)


def _losses(lists: pl.DataFrame, bought: pl.DataFrame) -> Floats:
    """1 - NDCG@10 of each customer who bought, in the order of their ids."""
    each = metrics.per_customer(lists, bought, PLACES).sort("customer_id")
    return 1 - each["ndcg"].to_numpy().astype(float)


def _best_rule(quality: pl.DataFrame) -> str:
    """The simple rule with the highest NDCG on the days held out: the strongest that a model must beat."""
    simple = quality.filter(pl.col("method").is_in(SIMPLE)).sort("ndcg", descending=True, maintain_order=True)
    best: str = simple["method"][0]
    return best


def _criteria(lengths: pl.DataFrame, rule: str) -> dict[str, bool]:
    """NDCG is the better the higher: the whole interval must lie above 1 here."""
    if not lengths.height:
        return {}
    ratio, low = float(lengths["ratio"][0]), float(lengths["low"][0])
    return {f"for products new to the customer better than {rule} (NDCG {ratio:.2f} of its, from {low:.2f})": low > 1}


def _measured(quality: dict[Task, pl.DataFrame]) -> pl.DataFrame:
    long = [
        table.unpivot(index="method", variable_name="measure", value_name="value").with_columns(task=pl.lit(task))
        for task, table in quality.items()
    ]
    return pl.concat(long).select("task", "method", "measure", pl.col("value").cast(pl.Float64).fill_nan(None))


def _example(events: pl.DataFrame) -> Any:
    shown = events["customer_id"].value_counts(sort=True).head(_EXAMPLE_CUSTOMERS)["customer_id"].to_list()
    rows = events.filter(pl.col("customer_id").is_in(shown)).tail(200)
    return rows.with_columns(pl.col("sold_on").cast(pl.String)).to_pandas()
