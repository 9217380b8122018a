"""What may not be sold is not shown, what was given back neither, and whose list is short is told why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from lakehouse.declare.table import Table
from ml.core.experiment import Frames, Served
from ml.recommend import experiment
from ml.recommend.candidates.als import Als
from ml.recommend.candidates.pool import TASKS, Task
from ml.recommend.data.history import History
from ml.recommend.hybrid import Hybrid
from ml.recommend.lists.co_purchases import cart_suggestions, product_neighbors
from ml.recommend.lists.cold_start import EVERYWHERE, best_by_country
from ml.recommend.model import BuyItAgain, RecommendModel
from ml.recommend.ranking.training_set import training_cutoffs
from ml.recommend.training import history_of, train_on
from silver import customers, order_lines, orders, products, stock_levels
from tests.ml.recommend.conftest import CUTOFF, SMALL, made_events, made_history

Lists = Callable[[History, list[str], Task], pl.DataFrame]


@pytest.fixture(params=["trained", "baseline"])
def lists(request: pytest.FixtureRequest, hybrid: Hybrid) -> Lists:
    model = RecommendModel(hybrid, pl.DataFrame()) if request.param == "trained" else BuyItAgain()
    return lambda history, asked, task: model.recommend(history, asked, task, {}, {})


def not_sold(history: History, which: pl.Expr) -> History:
    return replace(history, products=history.products.with_columns(may_be_sold=~which))


STAPLES = pl.col("product_id").is_in([f"P{n}0" for n in range(6)])


def test_what_may_not_be_sold_is_in_no_list_and_lists_are_whole(lists: Lists, shop: History) -> None:
    everyone = [*shop.events["customer_id"].unique().sort(), "a stranger"]
    for task in TASKS:
        before = lists(shop, everyone, task)
        assert before.filter(STAPLES).height  # what everybody buys would be shown
        found = lists(not_sold(shop, STAPLES), everyone, task)
        assert not found.filter(STAPLES).height
        assert found.group_by("customer_id").len()["len"].to_list() == [10] * 81


def test_where_little_may_be_sold_lists_are_short(lists: Lists, shop: History) -> None:
    found = lists(not_sold(shop, ~pl.col("product_id").is_in(["P01", "P99"])), ["C000", "a stranger"], "ALL")
    assert found.group_by("customer_id").agg(pl.col("product_id").sort()).rows() in (
        [("C000", ["P01", "P99"]), ("a stranger", ["P01", "P99"])],
        [("a stranger", ["P01", "P99"]), ("C000", ["P01", "P99"])],
    )
    assert lists(not_sold(shop, pl.lit(True)), ["C000", "a stranger"], "NEW").height == 0


def test_what_was_given_back_is_not_shown_to_who_gave_it_back(lists: Lists, shop: History) -> None:
    theirs = pl.col("customer_id").is_in(["C000", "C001"])
    back = shop.events.filter(theirs & (STAPLES | (pl.col("customer_id") == "C001")))
    kept = shop.events.join(back, on=["customer_id", "product_id"], how="anti")
    history = replace(shop, events=kept, returns=back.with_columns(returned_on=pl.lit(CUTOFF)))
    for task in TASKS:
        found = lists(history, ["C000", "C001", "C002"], task)
        assert not found.join(back, on=["customer_id", "product_id"], how="semi").height
        assert found.filter(pl.col("customer_id") == "C002").join(back, on="product_id", how="semi").height


def test_what_may_not_be_sold_has_neighbors_and_is_none(shop: History) -> None:
    history = not_sold(shop, STAPLES)
    near, beside = product_neighbors(history), cart_suggestions(history)
    assert near.filter(STAPLES).height
    assert beside.filter(pl.col("cart_product_id") == "P00").height
    assert not near.filter(pl.col("neighbor_id").is_in([f"P{n}0" for n in range(6)])).height
    assert not beside.filter(STAPLES).height


def test_best_sellers_of_a_country_are_those_of_a_stranger_who_lives_there(shop: History) -> None:
    history = not_sold(shop, STAPLES)
    home = shop.events["country_code"][0]
    lists = best_by_country(history, {home: "Home"}, 10)
    assert not lists.filter(STAPLES).height
    for code, homes in ((home, {"a stranger": home}), (EVERYWHERE, {})):
        stranger = BuyItAgain().recommend(history, ["a stranger"], "ALL", homes, {home: "Home"})
        mine = lists.filter(pl.col("country_code") == code)
        assert mine["rank"].to_list() == list(range(1, 11))
        assert mine.select(columns := ["product_id", "chance", "reason"]).equals(stranger.select(columns))


def closed_for_long(days: int) -> History:
    """The shop closed for so many days, and is open again for sixty."""
    late = pl.col("sold_on") > CUTOFF - timedelta(days=60)
    events = made_events().with_columns(
        sold_on=pl.when(late).then(pl.col("sold_on")).otherwise(pl.col("sold_on") - pl.duration(days=days))
    )
    return made_history(events)


def test_a_shop_that_was_closed_for_long_learns_from_when_it_was_open(als: Als) -> None:
    history = closed_for_long(250)
    opened, closed_on = CUTOFF - timedelta(days=59), CUTOFF - timedelta(days=60 + 250)
    cutoffs = training_cutoffs(history, SMALL)
    assert len(cutoffs) >= SMALL.cuts
    assert all(cutoff < closed_on or cutoff >= opened - timedelta(days=30) for cutoff in cutoffs)
    found = train_on(history, SMALL, als, None, TASKS)
    assert isinstance(found.model, RecommendModel)
    assert found.model.recommend(history, ["C001"], "ALL", {}, {}).height == 10


# --- from tables ------------------------------------------------------------------------------------------------------

FIRST = date(2024, 1, 1)


def table(spark: SparkSession, declared: Table, rows: list[dict[str, object]]) -> DataFrame:
    frame = spark.createDataFrame([Row(**row) for row in rows])
    return frame.select(
        [
            (F.col(name) if name in frame.columns else F.lit(None)).cast(kind).alias(name)
            for name, (kind, _) in declared.all_columns.items()
        ]
    )


def line(order: str, day: int, who: str | None, what: str, pieces: int, currency: str = "EUR") -> dict[str, object]:
    return {
        "shop_id": "s",
        "order_id": order,
        "sold_on": FIRST + timedelta(day),
        "customer_id": who,
        "product_id": what,
        "quantity": pieces,
        "amount": pieces * (10.0 if currency == "EUR" else 1500.0),
        "currency": currency,
        "country": "Germany",
        "country_code": "DE",
        "item_type": "product",
        "line_type": "sale" if pieces > 0 else "cancellation",
    }


LINES = [
    *(line(f"o{n}", n, f"c{n % 3}", "GONE", 1) for n in range(30)),
    *(line(f"o{n}", n, f"c{n % 3}", f"P{n % 4}", 1, "JPY" if n == 7 else "EUR") for n in range(30)),
    line("back", 3, "returner", "P2", 2),
    line("note", 9, "returner", "P2", -2),
    line("undone", 5, "canceller", "P3", 1),
    line("guest", 6, None, "P1", 1),
    line("typo", 400, "c0", "P1", 1),
]


@pytest.fixture(scope="module")
def frames(spark: SparkSession) -> Frames:
    names = ("GONE", "EMPTY", "P0", "P1", "P2", "P3")
    return {
        "order_lines": table(spark, order_lines.TABLE, list(LINES)),
        "orders": table(
            spark,
            orders.TABLE,
            [
                {
                    "shop_id": "s",
                    "order_id": one["order_id"],
                    "status": "cancelled" if one["order_id"] == "undone" else "delivered",
                    "updated_at": "2024-01-20 10:00:00",
                }
                for one in {str(row["order_id"]): row for row in LINES}.values()
            ],
        ),
        "products": table(
            spark,
            products.TABLE,
            [
                {"shop_id": "s", "product_id": name, "name": name, "is_active": name != "GONE", "__START_AT": day}
                for name in names
                for day in ("2023-12-01 00:00:00",)
            ],
        ),
        "stock_levels": table(
            spark,
            stock_levels.TABLE,
            [
                {"shop_id": "s", "product_id": name, "warehouse": "w", "on_hand": int(name != "EMPTY"), "on_order": 0}
                | {"counted_at": "2024-01-30 00:00:00"}
                for name in names
            ],
        ),
        "customers": table(
            spark,
            customers.TABLE,
            [{"shop_id": "s", "customer_id": name, "country_code": "DE"} for name in ("c0", "c1", "c2", "newcomer")],
        ),
    }


def test_a_history_has_what_counts_as_of_the_last_day(frames: Frames, caplog: pytest.LogCaptureFixture) -> None:
    history = history_of(frames)
    assert history.cutoff == FIRST + timedelta(29)
    assert "1 rows after 2024-01-30 are left out" in caplog.text
    assert set(history.events["customer_id"]) == {"c0", "c1", "c2"}
    assert history.events.height == 60
    assert history.returns is not None
    assert history.returns.select("customer_id", "returned_on").rows() == [
        ("returner", FIRST + timedelta(9)),
        ("canceller", FIRST + timedelta(19)),
    ]
    assert history.products.filter(~pl.col("may_be_sold"))["product_id"].sort().to_list() == ["EMPTY", "GONE"]
    assert history.events["amount"].unique().to_list() == [10.0]  # nothing is worth 1500 for being paid in yen


def test_everybody_has_a_list_or_a_reason(frames: Frames) -> None:
    served = Served(BuyItAgain(), 0, "baseline: buy it again")
    lists = experiment.recommended(served, frames).collect()
    coverage = {(row["customer_id"], row["task"]): row for row in experiment.covered(served, frames).collect()}
    everyone = {"c0", "c1", "c2", "newcomer", "returner", "canceller"}
    assert set(coverage) == {(who, task) for who in everyone for task in TASKS}
    assert {row["product_id"] for row in lists} == {"P0", "P1", "P2", "P3"}
    counted = {key: sum((row["customer_id"], row["task"]) == key for row in lists) for key in coverage}
    assert {key: row["products"] for key, row in coverage.items()} == counted
    assert all(row["is_short"] and row["asked"] == 10 for row in coverage.values())
    assert coverage["newcomer", "ALL"]["products"] == 4
    assert coverage["newcomer", "ALL"]["reason"] == "4 of 6 products may be sold now, 0 of them given back"
    assert coverage["c0", "NEW"]["products"] == 0
    assert coverage["c0", "NEW"]["reason"] == "4 of 6 products may be sold now, 4 of them had before"
    assert "P2" not in {row["product_id"] for row in lists if row["customer_id"] == "returner"}
    assert "P3" not in {row["product_id"] for row in lists if row["customer_id"] == "canceller"}
