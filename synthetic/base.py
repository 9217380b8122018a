"""What every part of the shop maker shares: the options, the random streams, the error and the array types."""

import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from synthetic.layout import FEEDS

Ints = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

DAY_SECONDS = 86_400
NEVER = 10**6
"""A day number after every possible shop: the day of what does not happen."""


class ShopError(ValueError):
    """The shop can't be made as asked; the message says which option is wrong and what would be right."""


@dataclass(frozen=True)
class Options:
    """What the caller asked for: where to, which random seed, and how large a shop."""

    output: Path
    seed: int = 7
    start: date = date(2024, 1, 1)
    days: int = 90
    customers: int = 2000
    products: int = 300
    orders_per_day: int = 60
    feeds: tuple[str, ...] = tuple(FEEDS)
    clean: bool = False

    def __post_init__(self) -> None:
        least = {"seed": 0, "days": 1, "customers": 20, "products": 30, "orders_per_day": 1}
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                option = name.replace("_", "-")
                raise ShopError(f"--{option} is {getattr(self, name)}; it must be at least {smallest}")
        unknown = [feed for feed in self.feeds if feed not in FEEDS]
        if unknown or not self.feeds:
            raise ShopError(f"--feeds: no feed named {', '.join(unknown) or '(nothing)'}; known: {', '.join(FEEDS)}")
        if not 1990 <= self.start.year <= 2080 or self.days > 3660:
            raise ShopError("--start must be between 1990 and 2080, and --days at most 3660")

    def rng(self, *names: str | int) -> np.random.Generator:
        """The random stream of one purpose, independent of every other, so that leaving out a feed changes no other."""
        keys = [name if isinstance(name, int) else zlib.crc32(name.encode()) for name in names]
        return np.random.default_rng([self.seed, *keys])

    def date(self, day: int) -> date:
        """The calendar date of a day number (0 is the first day)."""
        return self.start + timedelta(days=day)

    @property
    def epoch(self) -> int:
        """Midnight UTC of the first day, in seconds since 1970."""
        return int(datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC).timestamp())

    @property
    def change_day(self) -> int:
        """The first day of the new file schemas: half-way, or never in a clean shop."""
        return NEVER if self.clean else (self.days + 1) // 2


def pick(rng: np.random.Generator, shares: Floats, size: int) -> Ints:
    """Draw `size` positions with probabilities proportional to `shares`."""
    cumulative = np.cumsum(shares)
    drawn = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
    return np.asarray(np.minimum(drawn, len(shares) - 1), dtype=np.int64)
