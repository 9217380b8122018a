"""Day by day: who orders what, what the stock allows, how each order ends, and who only looks.

Demand is drawn first and then cut by the stock, so that the true demand is known beside the sold quantity.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from synthetic.base import DAY_SECONDS, Bools, Floats, Ints, pick
from synthetic.catalog import wanted
from synthetic.parameters import COUNTRIES, PLANTED
from synthetic.people import experiment_factors, order_rates
from synthetic.stock import Stock
from synthetic.world import World

CHUNK_DAYS = 30
HOUR = 3600
FIRST_SECOND = 600
"""Nobody orders in the first ten minutes of a day: the day's price changes are made then."""
HOURLY = np.array([2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 10, 10, 11, 10, 9, 9, 10, 12, 14, 16, 17, 15, 10, 5], dtype=np.float64)
VOUCHER_CENTS = 500
VOUCHER_FROM_CENTS = 3000
FREE_SHIPPING_FROM_CENTS = 5000
SHIPPING_CENTS = 495


@dataclass(frozen=True)
class Chunk:
    """Some days of the shop's life. Times are seconds since 1970 (-1: never), money is in cents.

    `orders` has one row an order, `lines` one an order line, `views` one a product view of a session without an
    order, `stock` one a product and day (with the true demand).
    """

    number: int
    first_day: int
    end_day: int
    orders: pl.DataFrame
    lines: pl.DataFrame
    views: pl.DataFrame
    stock: pl.DataFrame


@dataclass
class _Counters:
    orders: int = 0
    visits: int = 0


@dataclass(frozen=True)
class _Baskets:
    """One day's demand: customers and seconds by order; order, product and quantity by line, in order of time."""

    customer: Ints
    second: Ints
    order: Ints
    product: Ints
    quantity: Ints


def chunks(world: World) -> Iterator[Chunk]:
    """Live the shop's days in chunks of about a month."""
    options = world.options
    stock, counters = Stock(world), _Counters()
    for number, first in enumerate(range(0, options.days, CHUNK_DAYS)):
        end = min(first + CHUNK_DAYS, options.days)
        days = [_live(world, stock, counters, day) for day in range(first, end)]
        orders, lines, views, levels = (pl.concat([parts[table] for parts in days]) for table in range(4))
        yield Chunk(number, first, end, orders, lines, views, levels)


def _live(world: World, stock: Stock, counters: _Counters, day: int) -> tuple[pl.DataFrame, ...]:
    """One day: orders, lines, views and stock levels."""
    rng = world.options.rng("demand", day)
    stock.receive(day)
    factor = wanted(world.catalog, world.market, day)
    cumulative = np.cumsum(world.catalog.taste * factor, axis=1)
    rates = order_rates(world.people, day)
    baskets = _baskets(world, rng, day, rates, factor, cumulative)
    demand = np.bincount(baskets.product, baskets.quantity, len(factor)).astype(np.int64)
    baskets, oversold, unserved = _serve(rng, stock, baskets)
    orders, lines = _orders(world, rng, day, baskets, oversold, counters)
    stock.give_back(day, orders, lines, unserved)
    views = _views(world, day, rates, cumulative, len(orders), counters)
    sold = np.bincount(baskets.product, baskets.quantity, len(factor)).astype(np.int64)
    unserved_units = np.bincount(baskets.product, baskets.quantity * unserved, len(factor)).astype(np.int64)
    levels = stock.close(day, demand, sold, unserved_units)
    return orders, lines, views, levels


def _baskets(
    world: World, rng: np.random.Generator, day: int, rates: Floats, factor: Floats, cumulative: Floats
) -> _Baskets:
    """Draw the day's demand: how many orders in each country, by whom, and for which products."""
    people = world.people
    boosted = rates * experiment_factors(people, day, PLANTED.experiment_conversion)
    customer = _customers(world, rng, day, rates, boosted)
    second = np.sort(_seconds(rng, len(customer)))
    size = experiment_factors(people, day, PLANTED.experiment_basket)[customer]
    listed = world.catalog.taste[:, (world.catalog.listed <= day) & (world.catalog.delisted > day)].sum(axis=1)
    pull = float((cumulative[:, -1] / listed).mean())
    more = rng.poisson(np.maximum(0.0, PLANTED.lines_per_order * pull - 1) * size)
    order = np.repeat(np.arange(len(customer)), 1 + more)
    product = _products(rng, people.taste[customer[order]], cumulative)
    order, product = _with_rules(world, rng, order, product, factor)
    chances = rng.random(len(order))
    quantity = 1 + (chances < PLANTED.more_units[0]) + (chances < PLANTED.more_units[1]).astype(np.int64)
    return _Baskets(customer, second, order, product, quantity)


def _customers(world: World, rng: np.random.Generator, day: int, rates: Floats, boosted: Floats) -> Ints:
    """Who orders: Poisson many in each country, drawn by rate; experiments raise the number by what they add."""
    drawn = []
    for country in range(len(COUNTRIES)):
        members = world.people_in(country)
        undisturbed, weight = rates[members].sum(), boosted[members]
        if undisturbed > 0:
            count = rng.poisson(world.market.expected[day, country] * weight.sum() / undisturbed)
            drawn.append(members[pick(rng, weight, count)])
    return rng.permutation(np.concatenate(drawn)) if drawn else np.zeros(0, dtype=np.int64)


def _seconds(rng: np.random.Generator, count: int) -> Ints:
    """Seconds of the day by the shop's hourly profile."""
    seconds = pick(rng, HOURLY, count) * HOUR + rng.integers(0, HOUR, count)
    return np.asarray(np.maximum(FIRST_SECOND, seconds), dtype=np.int64)


def _products(rng: np.random.Generator, taste: Floats, cumulative: Floats) -> Ints:
    """One product a row: a taste factor by the row's mixture, then a product by the factor's demand today."""
    factor = (rng.random(len(taste))[:, None] > np.cumsum(taste, axis=1)).sum(axis=1)
    factor = np.minimum(factor, len(cumulative) - 1)
    product = np.zeros(len(taste), dtype=np.int64)
    chance = rng.random(len(taste))
    for number, row in enumerate(cumulative):
        mine = factor == number
        product[mine] = np.searchsorted(row, chance[mine] * row[-1], side="right")
    return product


def _with_rules(
    world: World, rng: np.random.Generator, order: Ints, product: Ints, factor: Floats
) -> tuple[Ints, Ints]:
    """Add what the basket rules attach; a product stands once in an order."""
    rules = world.catalog.rules
    extra_order, extra_product = [order], [product]
    for first, second, attach in zip(rules.first, rules.second, rules.attach, strict=True):
        having = np.unique(order[product == first])
        added = having[rng.random(len(having)) < attach * (factor[second] > 0)]
        extra_order.append(added)
        extra_product.append(np.full(len(added), second))
    order, product = np.concatenate(extra_order), np.concatenate(extra_product)
    _, kept = np.unique(order * world.options.products + product, return_index=True)
    kept = np.sort(kept)
    kept = kept[np.argsort(order[kept], kind="stable")]
    return order[kept], product[kept]


def _serve(rng: np.random.Generator, stock: Stock, baskets: _Baskets) -> tuple[_Baskets, Bools, Bools]:
    """Cut the demand by the stock. Gives the taken baskets, the oversold orders, and the lines without goods.

    An order with a sold-out line loses that line (or is not placed at all), unless the shop oversells it.
    """
    served = stock.take(baskets.product, baskets.quantity)
    count = len(baskets.customer)
    short = np.bincount(baskets.order[~served], minlength=count) > 0
    oversold = short & (rng.random(count) < PLANTED.oversold)
    kept = served | oversold[baskets.order]
    placed = np.bincount(baskets.order[kept], minlength=count) > 0
    number = np.cumsum(placed) - 1
    taken = _Baskets(
        baskets.customer[placed],
        baskets.second[placed],
        number[baskets.order[kept]],
        baskets.product[kept],
        baskets.quantity[kept],
    )
    return taken, oversold[placed], ~served[kept]


def _orders(
    world: World, rng: np.random.Generator, day: int, baskets: _Baskets, oversold: Bools, counters: _Counters
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Price the baskets and decide how each order ends."""
    count = len(baskets.customer)
    numbers = counters.orders + 1 + np.arange(count)
    counters.orders += count
    ordered_at = world.options.epoch + day * DAY_SECONDS + baskets.second
    lines = _lines(world, day, baskets, numbers, ordered_at)
    gross = lines["quantity"].to_numpy() * lines["unit_price"].to_numpy()
    items = np.bincount(baskets.order, gross, count).astype(np.int64)
    discount = np.bincount(baskets.order, lines["discount"].to_numpy(), count).astype(np.int64)
    net = items - discount
    voucher = np.where((rng.random(count) < 0.06) & (net >= VOUCHER_FROM_CENTS), VOUCHER_CENTS, 0)
    orders = pl.DataFrame(
        {
            "number": numbers,
            "day": np.full(count, day),
            "ordered_at": ordered_at,
            "customer": baskets.customer,
            "country": world.people.country[baskets.customer],
            "channel": pick(rng, np.array([0.55, 0.38, 0.07]), count),
            "items_total": items,
            "discount_total": discount + voucher,
            "voucher": voucher,
            "voucher_kind": rng.integers(0, 3, count),
            "shipping_fee": np.where(net >= FREE_SHIPPING_FROM_CENTS, 0, SHIPPING_CENTS),
            "reason_missing": rng.random(count) < PLANTED.reason_missing,
            **_endings(world, rng, day, baskets, ordered_at, oversold),
        }
    )
    return orders, lines


def _lines(world: World, day: int, baskets: _Baskets, numbers: Ints, ordered_at: Ints) -> pl.DataFrame:
    """Order lines with the shelf price of the day and the discount of the running promotion, in cents."""
    price = world.catalog.price[day, baskets.product].astype(np.int64)
    promotion = world.catalog.promotion_of[day, baskets.product].astype(np.int64)
    percent = np.where(promotion >= 0, world.catalog.promotions.percent[promotion], 0)
    start = np.searchsorted(baskets.order, baskets.order, side="left")
    return pl.DataFrame(
        {
            "number": numbers[baskets.order],
            "line_no": np.arange(len(baskets.order)) - start + 1,
            "day": np.full(len(baskets.order), day),
            "ordered_at": ordered_at[baskets.order],
            "customer": baskets.customer[baskets.order],
            "product": baskets.product,
            "quantity": baskets.quantity,
            "unit_price": price,
            "discount": (baskets.quantity * price * percent + 50) // 100,
            "promotion": promotion,
        }
    )


def _endings(
    world: World, rng: np.random.Generator, day: int, baskets: _Baskets, ordered_at: Ints, oversold: Bools
) -> dict[str, Ints]:
    """Promise, payment method, cause of cancellation and the times at which the order changes its status."""
    count = len(ordered_at)
    method = pick(rng, np.array([0.46, 0.30, 0.18, 0.06]), count)
    transit = np.array([1, 2, 1, 3, 3, 2])[world.people.country[baskets.customer]]
    promised = 2 + transit + rng.poisson(world.backlog[day], count)
    a, b = PLANTED.late_promise
    draws = rng.random((3, count))
    causes = [
        draws[0] < np.array(PLANTED.payment_failure)[method],
        oversold,
        draws[1] < np.minimum(0.5, a * np.exp(b * (promised - 3))),
        draws[2] < PLANTED.change_of_mind,
    ]
    cause = np.select(causes, [1, 2, 3, 4], 0)
    later = ordered_at + rng.integers(1 * HOUR, 11 * HOUR, count)
    cancelled_at = np.select([cause == 0, cause <= 2], [np.full(count, -1), ordered_at], later)
    shipped_at = ordered_at + rng.integers(12 * HOUR, 48 * HOUR, count)
    under_way = transit * DAY_SECONDS * rng.gamma(9.0, 1 / 9.0, count) + world.backlog[day] * DAY_SECONDS * 0.6
    delivered_at = shipped_at + under_way.astype(np.int64) + 6 * HOUR
    risk = np.zeros(count)
    np.maximum.at(risk, baskets.order, np.array(PLANTED.return_rate)[world.catalog.category[baskets.product]])
    returned_at = delivered_at + rng.integers(3 * DAY_SECONDS, 20 * DAY_SECONDS, count)
    sent = cause == 0
    return {
        "method": method,
        "cause": cause,
        "promised_day": day + promised,
        "cancelled_at": cancelled_at,
        "shipped_at": np.where(sent, shipped_at, -1),
        "delivered_at": np.where(sent, delivered_at, -1),
        "returned_at": np.where(sent & (rng.random(count) < risk), returned_at, -1),
    }


def _views(world: World, day: int, rates: Floats, cumulative: Floats, orders: int, counters: _Counters) -> pl.DataFrame:
    """Product views of the tracked sessions that do not buy; about four in ten visitors are known customers."""
    rng = world.options.rng("views", day)
    visits = rng.poisson(orders * (1 / PLANTED.conversion - 1) * world.tracked_share)
    customer = pick(rng, rates, visits) if rates.sum() > 0 else rng.integers(0, len(rates), visits)
    known = rng.random(visits) < 0.4
    views = rng.geometric(0.4, visits)
    visit = np.repeat(np.arange(visits), views)
    frame = {
        "visit": counters.visits + 1 + visit,
        "customer": np.where(known, customer, -1)[visit],
        "country": world.people.country[customer][visit],
        "start": world.options.epoch + day * DAY_SECONDS + _seconds(rng, visits)[visit],
        "product": _products(rng, world.people.taste[customer[visit]], cumulative),
    }
    counters.visits += visits
    return pl.DataFrame({"day": np.full(len(visit), day), **frame})
