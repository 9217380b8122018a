"""What a session of a real shop is answered, on days held out: `python -m benchmarks.sessions_real WAREHOUSE`.

The last thirty days of Online Retail II are orders that nobody has seen. Of each with at least four products the last
line is hidden, and the lines before it are a session of a stranger: is the hidden product among the ten that are shown?
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from lakehouse.settings import load
from lakehouse.store.lake import Lake
from ml.recommend.data.history import EVENT_COLUMNS, History
from ml.recommend.lists import co_purchases, cold_start
from serving.api.lookup import Lookup
from serving.api.products import Products
from serving.reader import Reader, without_spark
from silver import order_lines

DAYS, PLACES = 30, 10
LINES = """SELECT customer_id, product_id, order_id, sold_on, CAST(quantity AS DOUBLE) AS quantity,
    CAST(amount AS DOUBLE) AS amount, country_code, line_id FROM silver.order_lines
    WHERE shop_id = 'online_retail' AND item_type = 'product' AND line_type = 'sale' AND customer_id IS NOT NULL
    ORDER BY sold_on, order_id, line_id"""


def main() -> int:
    """Print the share of the hidden products that each way shows."""
    lake = Lake(without_spark, Path(sys.argv[1]), load("local"))
    lines = Reader(lake, (order_lines.TABLE,)).frame(LINES)
    last = lines["sold_on"].max()
    assert isinstance(last, date)  # the shop has sales
    catalogue = lines.select("product_id", pl.lit("").alias("text")).unique("product_id")
    history = History(lines.select(EVENT_COLUMNS), catalogue, last).before(last - timedelta(days=DAYS))
    shop = shop_of(history)
    orders: dict[str, list[str]] = defaultdict(list)
    for row in lines.filter(pl.col("sold_on") > history.cutoff).iter_rows(named=True):
        orders[row["order_id"]].append(row["product_id"])
    sessions = [found for products in orders.values() if len(found := list(dict.fromkeys(products))) >= 4]
    ways: dict[str, Callable[[Sequence[str]], Sequence[dict[str, object]]]] = {
        "best sellers": lambda seen: shop.for_strangers(None, seen, PLACES),
        "last product alone": lambda seen: shop.for_session(seen[-1:], seen, PLACES),
        "session": lambda seen: shop.for_session(seen, (), PLACES),
    }
    print(f"{len(sessions)} orders after {history.cutoff}")
    for name, answer in ways.items():
        hits = [seen[-1] in {row["product_id"] for row in answer(seen[:-1])} for seen in sessions]
        error = np.std(hits) / np.sqrt(len(hits))
        print(f"{name:20} hit@{PLACES} {np.mean(hits):.3f} +- {1.96 * error:.3f}")
    return 0


def shop_of(history: History) -> Products:
    """The tables of gold that a session is answered from, as of the end of a history; nothing is sold out."""
    stamp = [pl.lit("s").alias("shop_id"), pl.lit("a model").alias("model"), pl.lit(None).alias("model_run")]
    near = co_purchases.product_neighbors(history).with_columns(stamp)
    best = cold_start.best_by_country(history, {}, 50).with_columns(stamp)
    nothing = pl.DataFrame(schema={"shop_id": pl.String, "customer_id": pl.String})
    return Products(
        shop="s",
        names={},
        unsold=frozenset(),
        lists=Lookup(nothing, ["shop_id", "customer_id"]),
        sellers=Lookup(best, ["shop_id", "country_code"], ["rank"]),
        neighbors=Lookup(near, ["shop_id", "product_id"], ["rank"]),
        carts=Lookup(nothing, ["shop_id", "customer_id"]),
        bought=Lookup(nothing, ["shop_id", "customer_id"]),
        coded=pl.Series([], dtype=pl.String),
        factors=np.zeros((0, 0), np.float32),
        hidden=np.zeros(0, np.int64),
        label={},
    )


if __name__ == "__main__":
    sys.exit(main())
