"""How often somebody may ask: a token bucket each."""

from __future__ import annotations

import time
from collections.abc import Callable

_MOST = 10_000


class Limiter:
    """Lets each asker have `burst` requests at once and `rate` a second in the long run."""

    def __init__(self, rate: float, burst: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._now = rate, burst, now
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, asker: str) -> float:
        """Take a request: 0 if it may be had, else the seconds until one may."""
        now = self._now()
        left = self._left(asker, now)
        if left < 1:
            return (1 - left) / self._rate
        if len(self._buckets) >= _MOST:
            self._forget(now)
        self._buckets[asker] = (left - 1, now)
        return 0.0

    def peek(self, asker: str) -> float:
        """What `wait` would say, without taking a request."""
        return max(0.0, 1 - self._left(asker, self._now())) / self._rate

    def _left(self, asker: str, now: float) -> float:
        left, at = self._buckets.get(asker, (self._burst, now))
        return min(self._burst, left + (now - at) * self._rate)

    def _forget(self, now: float) -> None:
        """Whose bucket is full again is as good as never seen."""
        full = self._burst / self._rate
        self._buckets = {asker: bucket for asker, bucket in self._buckets.items() if now - bucket[1] < full}
