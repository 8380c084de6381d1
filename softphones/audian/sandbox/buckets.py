"""The API's own rate limit: token buckets per client address and account (audian-api.md section 8)."""

import threading
from collections.abc import Callable

CAPACITY = 100
FILL_PER_SECOND = 10
CALL_COST = 1
LOGIN_COST = 35


class TokenBuckets:
    """Buckets of 100 tokens that fill by 10 a second.

    `enabled=False` is Kazoo with `token_costs: 0`: nothing is consumed and nobody is refused.
    """

    def __init__(self, *, enabled: bool, clock: Callable[[], float]):
        self.enabled = enabled
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def consume(self, key: str, cost: int) -> tuple[bool, dict[str, int]]:
        """Take `cost` tokens. Answers whether there were enough, and the `tokens` object of the envelope."""
        if not self.enabled:
            return True, {"consumed": 0, "remaining": CAPACITY}
        with self._lock:
            tokens, now = self._level(key)
            enough = tokens >= cost
            tokens -= cost if enough else 0
            self._buckets[key] = (tokens, now)
            return enough, {"consumed": cost if enough else 0, "remaining": int(tokens)}

    def empty(self, key: str) -> None:
        """Take all there is: the price of a failed log-in."""
        with self._lock:
            self._buckets[key] = (0.0, self._clock())

    def _level(self, key: str) -> tuple[float, float]:
        now = self._clock()
        tokens, at = self._buckets.get(key, (float(CAPACITY), now))
        return min(CAPACITY, tokens + (now - at) * FILL_PER_SECOND), now
