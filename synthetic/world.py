"""The planted world as a whole: the market, the catalogue, the people, and what follows from them together."""

from dataclasses import dataclass

import numpy as np

from synthetic.base import Floats, Ints, Options
from synthetic.catalog import Catalog, make_catalog
from synthetic.market import Market, make_market
from synthetic.parameters import PLANTED
from synthetic.people import People, make_people


@dataclass(frozen=True)
class World:
    """Everything that is fixed before the first day begins.

    `backlog` is the mean of extra days in the delivery promise, by day; `rule_units` the units a day that basket
    rules add, by product; `tracked_share` the share of sessions in page_events.
    """

    options: Options
    market: Market
    catalog: Catalog
    people: People
    members: tuple[Ints, ...]
    backlog: Floats
    rule_units: Floats
    tracked_share: float

    def people_in(self, country: int) -> Ints:
        """Positions of a country's customers."""
        return self.members[country]


def make_world(options: Options) -> World:
    """Plant the world of a seed and size."""
    market = make_market(options)
    catalog, people = make_catalog(options), make_people(options)
    sessions = options.orders_per_day / PLANTED.conversion
    return World(
        options=options,
        market=market,
        catalog=catalog,
        people=people,
        members=tuple(np.flatnonzero(people.country == country) for country in range(len(PLANTED.country_shares))),
        backlog=_backlog(options),
        rule_units=_rule_units(options, catalog),
        tracked_share=min(1.0, PLANTED.tracked_sessions / sessions),
    )


def basket_chance(catalog: Catalog) -> Floats:
    """Chance that an undisturbed basket holds each product, before rules add anything."""
    return 1 - np.exp(-PLANTED.lines_per_order * catalog.popularity)


def rule_lift(catalog: Catalog) -> Floats:
    """Lift of each rule, P(second | first) / P(second), that follows from its attach chance and the popularities."""
    chance, rules = basket_chance(catalog), catalog.rules
    second, gain = chance[rules.second], rules.attach * (1 - chance[rules.second])
    return np.asarray((second + gain) / (second + chance[rules.first] * gain), dtype=np.float64)


def _backlog(options: Options) -> Floats:
    """Waves of some weeks in the warehouse's backlog, in days."""
    rng = options.rng("backlog")
    weeks = rng.gamma(1.2, 0.6, options.days // 7 + 2)
    return np.interp(np.arange(options.days) / 7, np.arange(len(weeks)), weeks)


def _rule_units(options: Options, catalog: Catalog) -> Floats:
    rules = catalog.rules
    units = np.zeros(options.products)
    units[rules.second] = basket_chance(catalog)[rules.first] * rules.attach * options.orders_per_day
    return units
