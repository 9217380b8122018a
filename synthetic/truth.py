"""The planted truth as files beside the data; no pipeline reads them, tests and benchmarks grade against them."""

import json
from typing import Any

import numpy as np
import polars as pl

from synthetic.base import Options
from synthetic.catalog import PROMOTION_KINDS
from synthetic.columns import date_of, day_of, named, order_id, review_id
from synthetic.demand import Chunk
from synthetic.parameters import AD_CHANNELS, CATEGORIES, CAUSES, COUNTRIES, EXPERIMENTS, PLANTED
from synthetic.reviews import draw_reviews
from synthetic.world import World, rule_lift

MADE_BY = "Shoplake's synthetic shop"

FILES = {
    "world.json": "The parameters of the world, each with one sentence, and the options the shop was made with.",
    "dirt.json": "The planted dirt by feed and kind, and the row and amount ledger of each feed.",
    "days.parquet": "Multipliers by day: week, year, advertising, holiday and expected orders by country.",
    "advertising.parquet": "Spend (EUR), adstock (EUR) and response (extra share of orders) by day and ad channel.",
    "products.parquet": "Taste factors, popularity, quality, elasticity and reference price by product.",
    "customers.parquet": "Taste factors, order rate, start of decay, churn date and experiments by customer.",
    "promotions.parquet": "Promotions with the uplift by which each multiplies its product's demand.",
    "basket_rules.parquet": "Basket rules: chance of attaching, and the lift that follows from it.",
    "demand.parquet": "True demand beside sold units by product and day; sold includes oversold units, whose orders "
    "are cancelled; on_hand is the end of the day's stock.",
    "cancellations.parquet": "The true cause of each cancelled order.",
    "reviews.parquet": "Topic and sentiment of each review's text.",
}
"""What lies in `truth/`, each file with its meaning."""


class Truth:
    """Collects what the days bring, and writes it when they are over."""

    def __init__(self, world: World) -> None:
        self._world, self._folder = world, world.options.output / "truth"
        self._demand: list[pl.DataFrame] = []
        self._cancelled: list[pl.DataFrame] = []
        self._reviews: list[pl.DataFrame] = []

    def add(self, chunk: Chunk) -> None:
        """Keep what a chunk's days have shown."""
        world, last = self._world, self._world.options.days - 1
        self._demand.append(chunk.stock.drop("on_order").with_columns(pl.all().cast(pl.Int32)))
        self._cancelled.append(
            chunk.orders.filter(pl.col("cause") > 0, day_of(world.options, "cancelled_at") <= last).select(
                order_id=order_id(), cause=named(CAUSES, "cause")
            )
        )
        reviews = draw_reviews(world, chunk).filter(day_of(world.options, "at") <= last)
        self._reviews.append(reviews.select("topic", "sentiment", review_id=review_id()))

    def write(self, dirt: dict[str, Any]) -> None:
        """Write every truth file but `world.json`, which was written first."""
        world = self._world
        demand = pl.concat(self._demand)
        ids = world.catalog.ids.gather(demand["product"])
        tables = {
            "days": _days(world),
            "advertising": _advertising(world),
            "products": _products(world),
            "customers": _customers(world),
            "promotions": _promotions(world),
            "basket_rules": _rules(world),
            "demand": demand.select(
                date_of(world.options, "day").alias("date"),
                ids.alias("product_id"),
                "demand",
                "sold",
                "oversold",
                "on_hand",
            ),
            "cancellations": pl.concat(self._cancelled),
            "reviews": pl.concat(self._reviews).select("review_id", "topic", "sentiment"),
        }
        for name, table in tables.items():
            table.write_parquet(self._folder / f"{name}.parquet")
        (self._folder / "dirt.json").write_text(_json(dirt))


def write_world(options: Options) -> None:
    """Write `world.json`: it also marks the folder as a shop made by this tool."""
    folder = options.output / "truth"
    folder.mkdir(parents=True)
    asked = {name: str(value) for name, value in vars(options).items() if name != "output"}
    world = {"made_by": MADE_BY, "options": asked, "parameters": PLANTED.documented(), "files": FILES}
    (folder / "world.json").write_text(_json(world))


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _days(world: World) -> pl.DataFrame:
    market = world.market
    frame = pl.DataFrame(
        {
            "day": np.arange(world.options.days),
            "weekly": market.weekly,
            "yearly": market.yearly,
            "ads": market.ads,
            "backlog_days": world.backlog,
            **{f"holiday_{name}": market.holiday[:, place] for place, name in enumerate(COUNTRIES)},
            **{f"expected_orders_{name}": market.expected[:, place] for place, name in enumerate(COUNTRIES)},
        }
    )
    return frame.with_columns(date_of(world.options, "day").alias("date"))


def _advertising(world: World) -> pl.DataFrame:
    market = world.market
    day, channel = (axis.ravel() for axis in np.indices(market.adstock.shape))
    frame = pl.DataFrame(
        {
            "day": day,
            "channel": np.array(AD_CHANNELS)[channel],
            "spend": market.spend.sum(axis=(2, 3)).ravel() / 100,
            "adstock": market.adstock.ravel(),
            "response": market.response.ravel(),
        }
    )
    return frame.with_columns(date_of(world.options, "day").alias("date"))


def _factors(taste: Any) -> dict[str, Any]:
    return {f"taste_{number + 1}": row for number, row in enumerate(taste)}


def _products(world: World) -> pl.DataFrame:
    catalog = world.catalog
    return pl.DataFrame(
        {
            "product_id": catalog.ids,
            "category": np.array(CATEGORIES)[catalog.category],
            "popularity": catalog.popularity,
            "quality": catalog.quality,
            "elasticity": np.array(PLANTED.elasticity)[catalog.category],
            "reference_price": catalog.base_price / 100,
            **_factors(catalog.taste),
        }
    )


def _customers(world: World) -> pl.DataFrame:
    people = world.people
    days = {"decays_from": people.decay_from, "churned_on": people.churned}
    exposed = {f"exposed_{name}": people.exposed[place] < world.options.days for place, name in enumerate(EXPERIMENTS)}
    treated = {f"treated_{name}": people.treated[place] for place, name in enumerate(EXPERIMENTS)}
    columns = {"customer_id": people.ids, "rate": people.rate, **days, **exposed, **treated}
    frame = pl.DataFrame({**columns, **_factors(people.taste.T)})
    return frame.with_columns(date_of(world.options, name).alias(name) for name in days)


def _promotions(world: World) -> pl.DataFrame:
    planned = world.catalog.promotions
    return pl.DataFrame(
        {
            "promotion_id": [f"PR{number:05d}" for number in range(1, len(planned.product) + 1)],
            "product_id": world.catalog.ids.gather(planned.product),
            "kind": np.array(PROMOTION_KINDS)[planned.kind],
            "discount_pct": planned.percent,
            "starts_on": planned.start,
            "ends_on": planned.end,
            "uplift": planned.uplift,
        }
    ).with_columns(date_of(world.options, name).alias(name) for name in ("starts_on", "ends_on"))


def _rules(world: World) -> pl.DataFrame:
    rules, ids = world.catalog.rules, world.catalog.ids
    return pl.DataFrame(
        {
            "if_product_id": ids.gather(rules.first),
            "then_product_id": ids.gather(rules.second),
            "attach_chance": rules.attach,
            "lift": rule_lift(world.catalog),
        }
    )
