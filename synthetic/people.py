"""The customers: tastes, order rates, churn, changes of address and consent, and their place in the experiments."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from synthetic import words
from synthetic.base import DAY_SECONDS, NEVER, Bools, Floats, Ints, Options, pick
from synthetic.catalog import numbered
from synthetic.columns import text
from synthetic.parameters import COUNTRIES, EXPERIMENTS, PLANTED

CUSTOMER_WIDTH = 7


@dataclass(frozen=True)
class People:
    """Customers by position. Days are day numbers (negative before the shop's first file)."""

    country: Ints
    registered: Ints
    taste: Floats
    rate: Floats
    decay_from: Ints
    churned: Ints
    treated: Bools
    exposed: Ints
    ids: pl.Series
    versions: pl.DataFrame


def make_people(options: Options) -> People:
    """Draw every customer who will ever be in the period."""
    rng = options.rng("people")
    count = options.customers
    country = pick(rng, np.array(PLANTED.country_shares), count)
    registered = np.where(rng.random(count) < 0.85, -rng.integers(1, 1000, count), rng.integers(0, options.days, count))
    decay_from, churned = _churn(rng, registered)
    windows = np.floor(np.array(PLANTED.experiment_window) * options.days).astype(np.int64)
    return People(
        country=country,
        registered=registered,
        taste=rng.dirichlet(np.full(PLANTED.tastes, PLANTED.customer_taste_concentration), count),
        rate=rng.gamma(PLANTED.rate_shape, 1.0, count),
        decay_from=decay_from,
        churned=churned,
        treated=rng.random((len(EXPERIMENTS), count)) < 0.5,
        exposed=_exposed(rng, windows, registered, churned),
        ids=numbered("C", count, CUSTOMER_WIDTH),
        versions=_versions(options, country, registered),
    )


def order_rates(people: People, day: int) -> Floats:
    """Each customer's relative order rate on a day, before any experiment: zero when unknown yet or gone."""
    fading = np.exp(-np.maximum(0, day - people.decay_from) / PLANTED.churn_decay_days)
    known = (people.registered < day) & (people.churned > day)
    return np.asarray(people.rate * fading * known, dtype=np.float64)


def experiment_factors(people: People, day: int, effects: tuple[float, ...]) -> Floats:
    """One plus the sum of the effects of the experiments in which each customer is treated; from the day after
    exposure on.
    """
    treated = people.treated & (people.exposed < day)
    return 1.0 + np.array(effects) @ treated


def _churn(rng: np.random.Generator, registered: Ints) -> tuple[Ints, Ints]:
    """Start of the decay and churn day; some customers of the first day are gone already."""
    count = len(registered)
    decay_from = np.maximum(registered, 0) + rng.geometric(PLANTED.churn_hazard, count)
    gone = (registered < 0) & (rng.random(count) < PLANTED.churned_before)
    decay_from = np.where(gone, -PLANTED.churn_after_days - 1, decay_from)
    return decay_from, decay_from + PLANTED.churn_after_days


def _exposed(rng: np.random.Generator, windows: Ints, registered: Ints, churned: Ints) -> Ints:
    """Experiments x customers: day of first contact, drawn without regard to the variant; NEVER for the others."""
    starts = np.maximum(windows[:, :1], registered + 1)
    day = starts + rng.geometric(0.2, (len(windows), len(registered))) - 1
    return np.where((day < windows[:, 1:]) & (day < churned), day, NEVER)


def _versions(options: Options, country: Ints, registered: Ints) -> pl.DataFrame:
    """Every state of every customer: the first at registration, then one at each move or change of consent."""
    rng = options.rng("customers")
    count, days = options.customers, options.days
    moves = rng.poisson(PLANTED.moves_per_year * days / 365 * count)
    consents = rng.poisson(PLANTED.consent_changes_per_year * days / 365 * count)
    customer = np.concatenate([np.arange(count), rng.integers(0, count, moves + consents)])
    day = np.concatenate([registered, rng.integers(1, max(2, days), moves + consents)])
    is_move = np.arange(len(day)) < count + moves
    size = len(day)
    frame = pl.DataFrame(
        {
            "customer": customer,
            "day": day,
            "second": rng.integers(0, DAY_SECONDS, size),
            "street": np.where(is_move, rng.integers(0, len(words.STREETS), size), -1),
            "house": rng.integers(1, 200, size),
            "city": rng.integers(0, 4, size),
            "consent": np.where(np.arange(size) < count, rng.random(size) < 0.55, ~is_move).astype(np.int64),
            "is_update": np.arange(size) >= count,
        }
    )
    # A change before or on the day of registration, and a second one on the same day, did not happen.
    frame = frame.filter(~pl.col("is_update") | (pl.col("day") > pl.Series(registered[customer])))
    frame = frame.unique(["customer", "day"], keep="first", maintain_order=True).sort("customer", "day")
    address = [
        pl.when(pl.col("street") >= 0).then(pl.col(name)).forward_fill().over("customer")
        for name in ("house", "city", "street")
    ]
    consent = (pl.col("consent").cum_sum().over("customer") % 2) == 1
    frame = frame.with_columns(address).with_columns(consent=consent)
    return _with_texts(rng, frame, country).filter(pl.col("day") < days)


def _with_texts(rng: np.random.Generator, versions: pl.DataFrame, country: Ints) -> pl.DataFrame:
    """Add the fixed personal texts and the address texts."""
    count = len(country)
    first, last = rng.integers(0, len(words.FIRST_NAMES), count), rng.integers(0, len(words.LAST_NAMES), count)
    people = pl.DataFrame(
        {
            "customer": np.arange(count),
            "first_name": pl.Series(words.FIRST_NAMES).gather(first),
            "last_name": pl.Series(words.LAST_NAMES).gather(last),
            "dial_code": pl.Series(words.DIAL_CODES).gather(country),
            "number": rng.integers(10**8, 10**9, count),
            "birth_date": pl.Series(rng.integers(-9000, 13500, count)).cast(pl.Int32).cast(pl.Date),
            "country": pl.Series(COUNTRIES).gather(country),
            "acquisition_channel": pl.Series(words.ACQUISITION).gather(rng.integers(0, 6, count)),
            "country_number": country,
        }
    )
    cities = pl.Series([name for places in words.CITIES for name, _ in places])
    postcodes = pl.Series([code for places in words.CITIES for _, code in places])
    frame = versions.join(people, on="customer", how="left", maintain_order="left")
    place = frame["country_number"] * 4 + frame["city"]
    flat = pl.when(pl.col("house") % 9 == 0).then(text(", Apt {}", pl.col("house") // 9)).otherwise(pl.lit(""))
    return frame.with_columns(
        phone=text("{}{}", "dial_code", "number"),
        city=cities.gather(place),
        postcode=postcodes.gather(place),
        street=pl.concat_str(
            pl.Series(words.STREETS).gather(frame["street"]), pl.lit(" "), pl.col("house").cast(str), flat
        ),
        email=text(
            "{}.{}.{}@example.com",
            pl.lit(pl.Series(_plain(words.FIRST_NAMES))).gather(pl.Series(first).gather(frame["customer"])),
            pl.lit(pl.Series(_plain(words.LAST_NAMES))).gather(pl.Series(last).gather(frame["customer"])),
            pl.col("customer") + 1,
        ),
    )


def _plain(names: list[str]) -> list[str]:
    """Names as they stand in an e-mail address: lower-case ASCII."""
    return [name.lower().translate(str.maketrans("üéèíó", "ueeio")) for name in names]
