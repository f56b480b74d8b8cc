"""The generic cell rate algorithm: a token bucket that is one integer.

The state of a limiter is its *theoretical arrival time*: when the bucket would be full again, in nanoseconds of a
monotonic clock. Integers, because the promise is exact: in any span of t seconds never more than
`burst + per_s * t` are admitted.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

NANOSECONDS: Final = 1_000_000_000


class Rate(msgspec.Struct, frozen=True):
    """How fast a limiter admits.

    Attributes:
        interval_ns: Time that one admission costs.
        burst: How many may come at once after a rest.
    """

    interval_ns: int
    burst: int

    @classmethod
    def per_second(cls, per_s: float, burst: int) -> Rate:
        """Return the rate that admits `per_s` a second.

        Raises:
            ValueError: The rate is not a positive finite number, or the burst is less than one.
        """
        if not (math.isfinite(per_s) and per_s > 0):
            raise ValueError(f"a rate is a positive number of calls a second, not {per_s!r}")
        if burst < 1:
            raise ValueError(f"a burst is at least 1, not {burst!r}")
        # Rounded up: a limiter may be slower than it says by less than a nanosecond a call, never faster.
        return cls(interval_ns=math.ceil(NANOSECONDS / per_s), burst=burst)

    @property
    def window_s(self) -> int:
        """Seconds in which an empty bucket fills up, rounded up."""
        return -(-self.interval_ns * self.burst // NANOSECONDS)


class RateDecision(msgspec.Struct, frozen=True):
    """Whether one call is admitted, and what its caller is told.

    Attributes:
        allowed: Whether it is admitted.
        remaining: How many more would be admitted at this moment.
        reset_s: Seconds until the full burst is there again.
        retry_after_s: Seconds until the next one is admitted; 0 where one would be admitted now.
        arrival_ns: The limiter's next state.
    """

    allowed: bool
    remaining: int
    reset_s: float
    retry_after_s: float
    arrival_ns: int


def decide(rate: Rate, arrival_ns: int, now_s: float) -> RateDecision:
    """Decide on one call at `now_s` of a monotonic clock, given the state that the last decision left.

    A fresh limiter's state is 0.
    """
    now_ns = int(now_s * NANOSECONDS)
    capacity_ns = rate.interval_ns * rate.burst
    after_ns = max(arrival_ns, now_ns) + rate.interval_ns
    room_ns = now_ns + capacity_ns - after_ns
    if room_ns < 0:
        return RateDecision(
            allowed=False,
            remaining=0,
            reset_s=(arrival_ns - now_ns) / NANOSECONDS,
            retry_after_s=-room_ns / NANOSECONDS,
            arrival_ns=arrival_ns,
        )
    remaining = room_ns // rate.interval_ns
    return RateDecision(
        allowed=True,
        remaining=remaining,
        reset_s=(after_ns - now_ns) / NANOSECONDS,
        retry_after_s=0.0 if remaining else (rate.interval_ns - room_ns) / NANOSECONDS,
        arrival_ns=after_ns,
    )
