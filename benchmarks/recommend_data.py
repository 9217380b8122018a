"""The real shops that recommendations are measured on, read where they lie; nothing is copied."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl

from benchmarks.real_shop import DATA, folder_of
from lakehouse.errors import UsageError
from ml.recommend.data.history import History
from ml.recommend.data.ratings import SETTINGS, history_of_ratings

MOVIES = DATA / "movielens_100k"
GROCER = DATA / "complete_journey_sample"


def online_retail(warehouse: Path, cut: date) -> tuple[History, pl.DataFrame]:
    """The history of Online Retail II at a cut, and all its product sales, from the silver tables of a warehouse."""
    lines = pl.read_delta(folder_of(warehouse, "silver.order_lines"))
    sale = (pl.col("item_type") == "product") & (pl.col("line_type") == "sale") & pl.col("customer_id").is_not_null()
    names = ["customer_id", "product_id", "order_id", "sold_on", "quantity", "amount", "country_code"]
    events = lines.filter(sale).select(names).with_columns(pl.col("quantity", "amount").cast(pl.Float64))
    versions = pl.read_delta(folder_of(warehouse, "silver.products"))
    midnight = datetime.combine(cut + timedelta(days=1), time(), UTC)
    listed = versions.group_by("product_id").agg(pl.col("__START_AT").min().dt.date().alias("listed_on"))
    begun = pl.col("__START_AT") < midnight
    valid = versions.filter(begun & (pl.col("__END_AT").is_null() | (pl.col("__END_AT") >= midnight)))
    products = valid.select("product_id", pl.col("name").alias("text")).join(listed, on="product_id")
    return History(events.filter(pl.col("sold_on") <= cut), products, cut), events


def complete_journey() -> tuple[History, pl.DataFrame]:
    """A sample of a year of lines of a grocer's baskets (Complete Journey), to 30 November 2017; and all of them."""
    cut = date(2017, 11, 30)
    lines = pl.read_csv(_unpacked(GROCER / "transactions_sample.csv.gz"), infer_schema=False)
    events = lines.select(
        pl.col("household_id").alias("customer_id"),
        "product_id",
        pl.col("basket_id").alias("order_id"),
        pl.col("transaction_timestamp").str.slice(0, 10).str.to_date().alias("sold_on"),
        pl.col("quantity").cast(pl.Float64),
        pl.col("sales_value").cast(pl.Float64).alias("amount"),
        pl.lit("US").alias("country_code"),
    )
    words = pl.concat_str(pl.col("product_category", "product_type").fill_null(""), separator=" ")
    products = pl.read_csv(_unpacked(GROCER / "products.csv.gz"), infer_schema=False)
    sold = products.join(events, on="product_id", how="semi").select("product_id", words.alias("text"))
    return History(events.filter(pl.col("sold_on") <= cut), sold, cut), events


def movielens() -> tuple[History, pl.DataFrame]:
    """MovieLens 100k, ratings of 4 and more as feedback, the last film of everyone left out."""
    whole = history_of_ratings(ratings("u.data.gz").rename({"time": "rated_at"}))
    history = History(whole.events, titles(), whole.cutoff).before(whole.cutoff - timedelta(days=SETTINGS.window))
    return history, whole.events


def ratings(name: str) -> pl.DataFrame:
    """customer_id, product_id, rating, time of one file of MovieLens."""
    data = _unpacked(MOVIES / name)
    columns = ["customer_id", "product_id", "rating", "time"]
    frame = pl.read_csv(data, separator="\t", has_header=False, new_columns=columns)
    return frame.with_columns(pl.col("customer_id", "product_id").cast(pl.String))


def titles() -> pl.DataFrame:
    """product_id and title of the films."""
    lines = next(iter(MOVIES.glob("u.item*"))).read_bytes().decode("latin-1").splitlines()
    parts = [line.split("|")[:2] for line in lines]
    return pl.DataFrame(parts, schema=["product_id", "text"], orient="row")


def _unpacked(path: Path) -> bytes:
    if not path.exists():
        raise UsageError(f"{path} is missing; this benchmark needs it")
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
