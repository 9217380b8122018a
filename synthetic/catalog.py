"""The products, their prices, promotions, basket rules, and how strongly each is wanted on each day."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from synthetic import words
from synthetic.base import NEVER, Floats, Int32s, Ints, Options
from synthetic.market import YEAR, Market
from synthetic.parameters import CATEGORIES, PLANTED

PROMOTION_KINDS = ("percent_off", "flash_sale")


@dataclass(frozen=True)
class Promotions:
    """Price promotions; days are day numbers, `end` is the last day, `uplift` multiplies the product's demand."""

    product: Ints
    kind: Ints
    percent: Ints
    announced: Ints
    start: Ints
    end: Ints
    uplift: Floats


@dataclass(frozen=True)
class Rules:
    """Basket rules: a basket with `first` gets `second` added with chance `attach`."""

    first: Ints
    second: Ints
    attach: Floats


@dataclass(frozen=True)
class Catalog:
    """Products by position. `price` is cents by day and product; `taste` is factors x products, its rows sum to 1."""

    category: Ints
    texts: pl.DataFrame
    taste: Floats
    quality: Floats
    supplier: Ints
    lead_time: Ints
    listed: Ints
    delisted: Ints
    base_price: Ints
    cost: Ints
    price: Int32s
    rewritten: pl.DataFrame
    promotions: Promotions
    promotion_of: Int32s
    rules: Rules

    @cached_property
    def ids(self) -> pl.Series:
        """Product ids by position."""
        return numbered("P", len(self.category), 5)

    @cached_property
    def popularity(self) -> Floats:
        """Share of undisturbed demand, by product, over all customers alike."""
        return np.asarray(self.taste.mean(axis=0), dtype=np.float64)


def numbered(prefix: str, count: int, width: int) -> pl.Series:
    """Ids from prefix and running number from 1, with leading zeros."""
    return pl.Series([f"{prefix}{number:0{width}d}" for number in range(1, count + 1)], dtype=pl.String)


def make_catalog(options: Options) -> Catalog:
    """Draw the catalogue with everything that will happen to it in the period."""
    rng = options.rng("catalog")
    count = options.products
    category = rng.integers(0, len(CATEGORIES), count)
    taste = _taste(rng, category)
    listed = np.where(rng.random(count) < 0.93, -rng.integers(1, 900, count), rng.integers(1, options.days + 1, count))
    delisted = np.where(rng.random(count) < 0.04, rng.integers(1, options.days + 1, count), NEVER)
    in_rules = np.argsort(-taste.mean(axis=0))[: 4 * PLANTED.rules]
    listed[in_rules], delisted[in_rules] = -rng.integers(1, 900, len(in_rules)), NEVER
    delisted[delisted <= listed + 7] = NEVER
    base_price = _base_prices(rng, category)
    supplier = rng.integers(0, max(3, count // 40), count)
    rules = _rules(rng, taste)
    promotions = _promotions(options, rng, category, taste, listed, delisted, rules)
    return Catalog(
        category=category,
        texts=_texts(rng, category),
        taste=taste,
        quality=rng.normal(0, 1, count),
        supplier=supplier,
        lead_time=3 + (supplier * 7) % 12,
        listed=listed,
        delisted=delisted,
        base_price=base_price,
        cost=np.rint(base_price * rng.uniform(0.45, 0.65, count)).astype(np.int64),
        price=_prices(options, rng, base_price),
        rewritten=_rewritten(options, rng),
        promotions=promotions,
        promotion_of=_promotion_of(options, promotions),
        rules=rules,
    )


def wanted(catalog: Catalog, market: Market, day: int) -> Floats:
    """The multiplier of each product's demand on a day: listed or not, season, price against reference, promotion."""
    active = (catalog.listed <= day) & (catalog.delisted > day)
    angle = 2 * np.pi * (market.year_day[day] - np.array(PLANTED.category_peak)) / YEAR
    season = (1 + np.array(PLANTED.category_season) * np.cos(angle))[catalog.category]
    elasticity = np.array(PLANTED.elasticity)[catalog.category]
    price = (catalog.price[day] / catalog.base_price) ** elasticity
    promotion = catalog.promotion_of[day]
    uplift = np.where(promotion >= 0, catalog.promotions.uplift[promotion], 1.0)
    return np.asarray(active * season * price * uplift, dtype=np.float64)


def _taste(rng: np.random.Generator, category: Ints) -> Floats:
    """Factors x products: a long-tailed popularity, bent by factor for whole categories and for single products."""
    factors, count = PLANTED.tastes, len(category)
    popularity = 1.0 / (rng.permutation(count) + 5.0) ** 0.8
    by_category = rng.normal(0, 1.2, (factors, len(CATEGORIES)))[:, category]
    weight = popularity * np.exp(by_category + rng.normal(0, 0.6, (factors, count)))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True), dtype=np.float64)


def _base_prices(rng: np.random.Generator, category: Ints) -> Ints:
    """Reference prices in cents that end in 49 or 99."""
    typical = np.array([4500, 8000, 3500, 9000, 4000, 1800])[category]
    return (np.maximum(8, np.rint(typical * rng.lognormal(0, 0.45, len(category)) / 50)) * 50 - 1).astype(np.int64)


def _prices(options: Options, rng: np.random.Generator, base_price: Ints) -> Int32s:
    """Shelf price by day and product: each price changes about every two months by up to 15 %."""
    changes = rng.poisson(options.days * len(base_price) / 60)
    steps = np.zeros((options.days, len(base_price)), dtype=np.float32)
    day, product = rng.integers(1, max(2, options.days), changes), rng.integers(0, len(base_price), changes)
    inside = day < options.days
    np.add.at(steps, (day[inside], product[inside]), rng.uniform(-0.15, 0.15, changes)[inside])
    drift = np.clip(np.cumsum(steps, axis=0), -0.4, 0.4)
    return np.rint(base_price * np.exp(drift)).astype(np.int32)


def _texts(rng: np.random.Generator, category: Ints) -> pl.DataFrame:
    """Name parts by product; the description itself is written with the feed, because it changes."""
    subcategory = [words.SUBCATEGORIES[c][n % len(words.SUBCATEGORIES[c])] for c, n in _with_number(rng, category)]
    material = [words.MATERIALS[c][n % len(words.MATERIALS[c])] for c, n in _with_number(rng, category)]
    brand = [words.BRANDS[n % len(words.BRANDS)] for _, n in _with_number(rng, category)]
    color = [words.COLORS[n % len(words.COLORS)] for _, n in _with_number(rng, category)]
    use = [words.USES[n % len(words.USES)] for _, n in _with_number(rng, category)]
    return pl.DataFrame(
        {"subcategory": subcategory, "material": material, "brand": brand, "color": color, "use": use}
    ).with_columns(category=pl.Series([CATEGORIES[c] for c in category]))


def _with_number(rng: np.random.Generator, category: Ints) -> list[tuple[int, int]]:
    return list(zip(category.tolist(), rng.integers(0, 1000, len(category)).tolist(), strict=True))


def _rewritten(options: Options, rng: np.random.Generator) -> pl.DataFrame:
    """Days on which a product's description is rewritten, about once in half a year."""
    changes = rng.poisson(options.days * options.products / 180)
    day, product = rng.integers(1, max(2, options.days), changes), rng.integers(0, options.products, changes)
    frame = pl.DataFrame({"day": day, "product": product}).filter(pl.col("day") < options.days)
    return frame.unique().sort("day", "product")


def _rules(rng: np.random.Generator, taste: Floats) -> Rules:
    """Popular products bring along middling ones; no product is in two rules, so that the lifts stay known."""
    by_popularity = np.argsort(-taste.mean(axis=0))
    first = by_popularity[: PLANTED.rules]
    second = rng.permutation(by_popularity[PLANTED.rules : 4 * PLANTED.rules])[: len(first)]
    return Rules(first[: len(second)], second, rng.uniform(PLANTED.rule_attach[0], PLANTED.rule_attach[1], len(second)))


def _promotions(
    options: Options,
    rng: np.random.Generator,
    category: Ints,
    taste: Floats,
    listed: Ints,
    delisted: Ints,
    rules: Rules,
) -> Promotions:
    """Draw promotions of always-listed products outside the basket rules, at most one at a time for a product."""
    count = max(16, round(options.products * options.days / 30 * 0.07))
    weight = np.sqrt(taste.mean(axis=0)) * ((listed < 0) & (delisted == NEVER))
    weight[np.concatenate([rules.first, rules.second])] = 0
    product = rng.choice(len(weight), size=count, p=weight / weight.sum())
    start = rng.integers(1, options.days + 15, count)
    order = np.lexsort((start, product))
    product, start = product[order], start[order]
    end = start + rng.integers(4, 10, count)
    kind, percent = rng.integers(0, 2, count), rng.choice([10, 15, 20, 25, 30], count)
    announced = np.maximum(0, start - rng.integers(7, 15, count))
    free = np.ones(count, dtype=bool)
    free[1:] = (product[1:] != product[:-1]) | (start[1:] > end[:-1])
    order = np.flatnonzero(free)[np.lexsort((product[free], announced[free]))]
    elasticity = np.array(PLANTED.elasticity)[category[product]]
    uplift = (1 - percent / 100) ** elasticity * np.array(PLANTED.promotion_bonus)[kind]
    return Promotions(
        product=product[order],
        kind=kind[order],
        percent=percent[order],
        announced=announced[order],
        start=start[order],
        end=end[order],
        uplift=uplift[order],
    )


def _promotion_of(options: Options, promotions: Promotions) -> Int32s:
    """Days x products: the running promotion's position, or -1."""
    running = np.full((options.days, options.products), -1, dtype=np.int32)
    for position, product in enumerate(promotions.product):
        running[promotions.start[position] : promotions.end[position] + 1, product] = position
    return running
