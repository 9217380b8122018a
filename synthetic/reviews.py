"""Reviews: how satisfied a buyer is, what about, in which words, and with how many stars."""

import numpy as np
import polars as pl

from synthetic import words
from synthetic.base import DAY_SECONDS, Floats, Ints
from synthetic.demand import Chunk
from synthetic.parameters import PLANTED, SENTIMENTS, TOPICS
from synthetic.world import World

NEUTRAL_BELOW, POSITIVE_ABOVE = -0.8, -0.1
TOPIC_SHARES = np.array([0.20, 0.35, 0.10, 0.20, 0.15])
FITTED_SHARES = np.array([0.15, 0.25, 0.35, 0.15, 0.10])
"""Topics of reviews of clothing and shoes, which can fit badly."""
LATE_DELIVERY_TOPIC = 0.75
"""Chance that an unhappy buyer with a late parcel writes about the delivery."""
BREAK_SHARE = 0.2
"""Share of the texts with a line break inside."""


def draw_reviews(world: World, chunk: Chunk) -> pl.DataFrame:
    """Reviews of the chunk's orders, with the planted topic and sentiment beside the text."""
    rng = world.options.rng("reviews", chunk.number)
    orders = chunk.orders.select("number", "delivered_at", "promised_day")
    lines = chunk.lines.join(orders, on="number", how="left", maintain_order="left")
    lines = lines.filter(pl.Series(rng.random(len(lines)) < PLANTED.review_rate) & (pl.col("delivered_at") >= 0))
    count, product = len(lines), lines["product"].to_numpy()
    promised_end = world.options.epoch + (lines["promised_day"].to_numpy() + 1) * DAY_SECONDS
    late = lines["delivered_at"].to_numpy() >= promised_end
    satisfaction = 0.8 * world.catalog.quality[product] + rng.normal(0, 1, count) - PLANTED.late_delivery_blow * late
    sentiment = np.searchsorted([NEUTRAL_BELOW, POSITIVE_ABOVE], satisfaction)
    topic = _topics(rng, world, product, late & (sentiment == 0))
    return lines.select("number", "line_no", "product", "customer").with_columns(
        at=lines["delivered_at"] + pl.Series(rng.integers(DAY_SECONDS, 15 * DAY_SECONDS, count)),
        rating=pl.Series(_stars(rng, sentiment, satisfaction)),
        topic=pl.Series(TOPICS).gather(topic),
        sentiment=pl.Series(SENTIMENTS).gather(sentiment),
        **_texts(rng, topic, sentiment),
    )


def _topics(rng: np.random.Generator, world: World, product: Ints, unhappy_late: np.ndarray) -> Ints:
    fitted = world.catalog.category[product] < 2
    shares = np.where(fitted[:, None], FITTED_SHARES, TOPIC_SHARES)
    topic = (rng.random(len(product))[:, None] > np.cumsum(shares, axis=1)).sum(axis=1).clip(max=len(TOPICS) - 1)
    return np.where(unhappy_late & (rng.random(len(product)) < LATE_DELIVERY_TOPIC), 0, topic)


def _stars(rng: np.random.Generator, sentiment: Ints, satisfaction: Floats) -> Ints:
    """One or two stars for negative, three for neutral, four or five for positive; a few turned round by mistake."""
    stars = np.select(
        [sentiment == 0, sentiment == 1],
        [1 + (satisfaction > NEUTRAL_BELOW - 0.6), np.full(len(sentiment), 3)],
        4 + (satisfaction > POSITIVE_ABOVE + 0.6),
    )
    return np.where(rng.random(len(stars)) < PLANTED.star_mistakes, 6 - stars, stars)


def _texts(rng: np.random.Generator, topic: Ints, sentiment: Ints) -> dict[str, pl.Series]:
    """Title and text for each topic and sentiment."""
    count = len(topic)
    kinds = [(name, mood) for name in TOPICS for mood in SENTIMENTS]
    said = _choose(rng, [words.SENTENCES[kind] for kind in kinds], topic * len(SENTIMENTS) + sentiment)
    closing = _choose(rng, [words.CLOSINGS[mood] for mood in SENTIMENTS], sentiment)
    opening = _choose(rng, [words.OPENINGS], np.zeros(count, dtype=np.int64))
    title = _choose(rng, [words.TITLES[mood] for mood in SENTIMENTS], sentiment)
    breaks = pl.Series(np.where(rng.random(count) < BREAK_SHARE, "\n", ""), dtype=pl.String)
    return {"title": title, "text": opening + said + breaks + closing}


def _choose(rng: np.random.Generator, variants: list[tuple[str, ...]], kind: Ints) -> pl.Series:
    """One of the variants of each row's kind."""
    sizes = np.array([len(texts) for texts in variants])
    starts = np.cumsum(sizes) - sizes
    flat = pl.Series([text for texts in variants for text in texts])
    return flat.gather(starts[kind] + (rng.random(len(kind)) * sizes[kind]).astype(np.int64))
