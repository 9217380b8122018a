"""How many orders to expect on each day in each country: season, holidays and the planted response to advertising."""

from dataclasses import dataclass
from datetime import date

import holidays
import numpy as np

from synthetic.base import Bools, Floats, Ints, Options
from synthetic.parameters import AD_CHANNELS, CAMPAIGNS, COUNTRIES, PLANTED

YEAR = 365.25


@dataclass(frozen=True)
class Market:
    """Day-wise truth; arrays have one row a day. Spend is in cents, the factors are multipliers around 1."""

    year_day: Ints
    weekly: Floats
    yearly: Floats
    holiday: Floats
    spend: Ints
    adstock: Floats
    half: Floats
    response: Floats
    ads: Floats
    level: float
    expected: Floats


def make_market(options: Options) -> Market:
    """Draw the advertising plan and multiply season, holidays and advertising into expected orders."""
    dates = [options.date(day) for day in range(options.days)]
    year_day = np.array([day.timetuple().tm_yday for day in dates], dtype=np.int64)
    weekly = np.array([PLANTED.weekly[day.weekday()] for day in dates])
    yearly = 1 + PLANTED.yearly_amplitude * np.cos(2 * np.pi * (year_day - 340) / YEAR)
    yearly[_is_peak_season(dates)] *= PLANTED.peak_season
    holiday = np.where(_is_holiday(dates), PLANTED.holiday, 1.0)
    spend = _spend(options)
    adstock = carry_over(spend.sum(axis=(2, 3)) / 100)
    half = np.array(PLANTED.saturation_half) * np.array(PLANTED.spend_per_order) * options.orders_per_day
    response = np.array(PLANTED.ad_strength) * saturate(adstock, half)
    ads = 1 + response.sum(axis=1)
    shape = (weekly * yearly * ads)[:, None] * holiday * np.array(PLANTED.country_shares)
    level = options.orders_per_day / shape.sum(axis=1).mean()
    return Market(year_day, weekly, yearly, holiday, spend, adstock, half, response, ads, level, level * shape)


def carry_over(spend: Floats) -> Floats:
    """Geometric adstock of daily spend (days x channels), starting from nothing before the first day."""
    stock = np.zeros_like(spend)
    carried = np.zeros(spend.shape[1])
    for day, row in enumerate(spend):
        carried = row + np.array(PLANTED.adstock) * carried
        stock[day] = carried
    return stock


def saturate(adstock: Floats, half: Floats) -> Floats:
    """Hill saturation: 0 without adstock, one half at `half`, towards 1 above it."""
    shape = np.array(PLANTED.saturation_shape)
    return np.asarray(adstock**shape / (adstock**shape + half**shape), dtype=np.float64)


def _is_peak_season(dates: list[date]) -> Bools:
    return np.array([(11, 20) <= (day.month, day.day) <= (12, 20) for day in dates])


def _is_holiday(dates: list[date]) -> Bools:
    years = range(dates[0].year, dates[-1].year + 1)
    calendars = [holidays.country_holidays(country, years=years) for country in COUNTRIES]
    return np.array([[day in calendar for calendar in calendars] for day in dates])


def _spend(options: Options) -> Ints:
    """Cents by day, channel, campaign and country: flights of one to two weeks at varied pressure, so that the
    response can be told from season.
    """
    rng = options.rng("spend")
    channels, campaigns, countries = len(AD_CHANNELS), len(CAMPAIGNS), len(COUNTRIES)
    flights = options.days // 10 + 1
    pressure = rng.choice([0.15, 0.6, 1.0, 1.4, 2.2], size=(flights, channels)).repeat(10, axis=0)[: options.days]
    mean = np.array(PLANTED.spend_per_order) * options.orders_per_day * 100
    share = np.multiply.outer(np.array([0.35, 0.65]), np.array(PLANTED.country_shares))
    noise = rng.lognormal(0, 0.25, size=(options.days, channels, campaigns, countries))
    cents = (pressure * mean)[:, :, None, None] * share * noise
    return np.asarray(np.maximum(1, np.rint(cents)), dtype=np.int64)
