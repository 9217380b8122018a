from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from synthetic.base import Options
from synthetic.layout import FEEDS
from synthetic.shop import Shop, make_shop


@dataclass(frozen=True)
class CleanShop:
    """A clean shop that is large enough for its parameters to show; gives its feeds and its truth as frames."""

    shop: Shop

    def feed(self, name: str) -> pl.DataFrame:
        files = sorted((self.shop.output / name).iterdir())
        if FEEDS[name].format == "json":
            return pl.concat([pl.read_ndjson(file, infer_schema_length=None) for file in files], how="vertical_relaxed")
        return pl.concat([pl.read_csv(file, infer_schema=False) for file in files])

    def truth(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.shop.output / "truth" / f"{name}.parquet")


@pytest.fixture(scope="session")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    output = tmp_path_factory.mktemp("dirty") / "shop"
    return make_shop(Options(output, days=40, customers=700, products=80, orders_per_day=12))


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> CleanShop:
    output = tmp_path_factory.mktemp("clean") / "shop"
    feeds = ("orders", "order_lines", "payments", "products", "stock_levels", "reviews", "exposures")
    return CleanShop(
        make_shop(Options(output, days=140, customers=3000, products=150, orders_per_day=260, feeds=feeds, clean=True))
    )


def lines_of(file: Path) -> list[str]:
    """Data lines of a feed's file, without the header."""
    lines = file.read_text().split("\n")[:-1]
    return lines if file.suffix == ".json" else lines[1:]
