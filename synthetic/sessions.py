"""Sessions of the web shop as clicks: funnels that end in an order, and visits that do not."""

import numpy as np
import polars as pl

from synthetic.base import DAY_SECONDS, pick
from synthetic.columns import text
from synthetic.demand import Chunk
from synthetic.world import World

SEARCH_SHARE = 0.30
ABANDONED_CART = 0.15
"""Chance that a product view of a session without an order is put into the cart; some are taken out again."""
TAKEN_OUT = 0.40
STEPS_PER_LINE = 4
LAST_STEPS = 10_000
NOTHING = pl.lit(None, pl.Int64)
DEVICES = ("mobile", "desktop", "tablet")
SOURCES = (None, "paid_search", "social", "display", "affiliate", "newsletter")
REFERRERS = (
    None,
    "https://search.example",
    "https://social.example",
    "https://news.example",
    "https://blog.example",
    "https://mail.example",
)
SOURCE_SHARES = np.array([0.45, 0.22, 0.13, 0.06, 0.06, 0.08])


def draw_events(world: World, chunk: Chunk) -> pl.DataFrame:
    """One row a click, in the order of each session: session, position, time, type, product and the visit's source."""
    rng = world.options.rng("events", chunk.number)
    buying, looking = _buying(world, rng, chunk), _looking(rng, chunk)
    steps = pl.concat([buying, looking]).sort("session", "step")
    size = pl.len().over("session")
    steps = steps.with_columns(position=pl.int_range(1, pl.len() + 1).over("session"), size=size)
    steps = steps.with_columns(gap=pl.Series(rng.integers(8, 75, len(steps))))
    since_start = pl.col("gap").cum_sum().over("session")
    until_end = pl.col("gap").sum().over("session") - since_start
    midnight = pl.col("anchor") - (pl.col("anchor") - world.options.epoch) % DAY_SECONDS
    # A session with an order ends at its time; one without starts at its own. Neither crosses midnight.
    at = (
        pl.when(pl.col("ends"))
        .then(pl.max_horizontal(pl.col("anchor") - until_end, midnight))
        .otherwise(pl.min_horizontal(pl.col("anchor") + since_start, midnight + DAY_SECONDS - 1))
    )
    return _with_visit(rng, world, steps.with_columns(at=at))


def _buying(world: World, rng: np.random.Generator, chunk: Chunk) -> pl.DataFrame:
    """View and cart for each line of a tracked order, sometimes a search before, then checkout and purchase."""
    tracked = chunk.orders.filter(pl.Series(rng.random(len(chunk.orders)) < world.tracked_share))
    heads = tracked.select("number", "customer", "country", session=2 * pl.col("number"), anchor="ordered_at")
    lines = heads.join(chunk.lines.select("number", "line_no", "product"), on="number", maintain_order="left")
    lines = lines.with_columns(step=pl.col("line_no") * STEPS_PER_LINE).drop("line_no")
    searched = lines.filter(pl.Series(rng.random(len(lines)) < SEARCH_SHARE))
    steps = [
        _step(searched, "search", -1),
        _step(lines, "view", 0),
        _step(lines, "add_to_cart", 1),
        _step(heads.with_columns(product=NOTHING, step=pl.lit(LAST_STEPS, pl.Int64)), "checkout", 0),
        _step(heads.with_columns(product=NOTHING, step=pl.lit(LAST_STEPS, pl.Int64)), "purchase", 1),
    ]
    return pl.concat(steps).with_columns(ends=pl.lit(value=True))


def _looking(rng: np.random.Generator, chunk: Chunk) -> pl.DataFrame:
    """Views, searches, carts and a few checkouts of sessions that do not buy."""
    views = chunk.views.select(
        number=NOTHING,
        customer="customer",
        country="country",
        session=2 * pl.col("visit") + 1,
        anchor="start",
        product="product",
        step=pl.int_range(1, pl.len() + 1).over("visit") * STEPS_PER_LINE,
    )
    carted = views.filter(pl.Series(rng.random(len(views)) < ABANDONED_CART))
    removed = carted.filter(pl.Series(rng.random(len(carted)) < TAKEN_OUT))
    kept = carted.join(removed.select("session"), on="session", how="anti", maintain_order="left")
    reached = kept.unique("session", keep="last", maintain_order=True)
    reached = reached.filter(pl.Series(rng.random(len(reached)) < SEARCH_SHARE))
    checkout = reached.with_columns(product=NOTHING, step=pl.lit(LAST_STEPS, pl.Int64))
    searched = views.filter(pl.Series(rng.random(len(views)) < SEARCH_SHARE))
    steps = [
        _step(searched, "search", -1),
        _step(views, "view", 0),
        _step(carted, "add_to_cart", 1),
        _step(removed, "remove_from_cart", 2),
        _step(checkout, "checkout", 0),
    ]
    return pl.concat(steps).with_columns(ends=pl.lit(value=False))


def _step(frame: pl.DataFrame, event_type: str, offset: int) -> pl.DataFrame:
    return frame.select(
        "session",
        "number",
        "customer",
        "country",
        "anchor",
        "product",
        pl.col("step") + offset,
        event_type=pl.lit(event_type),
    )


def _with_visit(rng: np.random.Generator, world: World, steps: pl.DataFrame) -> pl.DataFrame:
    """Add what holds for a whole session (visitor, device, source), and the product's texts."""
    sessions = steps.select("session").unique(maintain_order=True)
    count = len(sessions)
    source = pick(rng, SOURCE_SHARES, count)
    sessions = sessions.with_columns(
        anonymous=pl.Series(world.options.customers + 1 + rng.integers(0, 10 * world.options.customers, count)),
        device=pl.Series(DEVICES).gather(pick(rng, np.array([0.58, 0.35, 0.07]), count)),
        utm_source=pl.Series(SOURCES).gather(source),
        referrer=pl.Series(REFERRERS).gather(source),
        utm_campaign=pl.Series(["brand", "prospecting"]).gather(rng.integers(0, 2, count)),
    )
    steps = steps.join(sessions, on="session", how="left", maintain_order="left")
    texts = world.catalog.texts.with_columns(
        product=pl.int_range(pl.len(), dtype=pl.Int64), product_id=world.catalog.ids
    )
    searching = pl.col("event_type") == "search"
    return steps.join(texts, on="product", how="left", maintain_order="left").with_columns(
        visitor=pl.when(pl.col("customer") >= 0).then(pl.col("customer") + 1).otherwise("anonymous"),
        search_query=pl.when(searching).then(text("{} {}", "color", "subcategory")),
        product_id=pl.when(~searching).then("product_id"),
        utm_campaign=pl.when(pl.col("utm_source").is_not_null()).then("utm_campaign"),
    )
