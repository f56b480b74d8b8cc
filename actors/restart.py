"""Whether to restart (the budget), and when (the backoff). Pure: the times are given."""

from __future__ import annotations

import random
from typing import Literal, TypeAlias

import msgspec

WhenExhausted: TypeAlias = Literal["escalate", "stop", "delay", "failover"]
"""What a supervisor does when a budget is exhausted.

`escalate`: it fails itself, and its own supervisor decides. `stop`: what failed stays down until somebody
starts it. `delay`: it stays down for `cooldown_s`, then starts with a fresh budget. `failover`: like `delay`,
and the supervisor's `failover` reference is told at once, so that another can take over.
"""


class Backoff(msgspec.Struct, frozen=True):
    """A geometric delay with a cap and full jitter, which keeps a crowd from restarting in step.

    Attributes:
        first_s: The upper bound of the first delay.
        factor: Each further bound is this many times the one before.
        cap_s: No bound is higher.
        reset_after_s: A child that has run this long starts again from `first_s`.
        jitter: With it the delay is uniform between 0 and the bound; without it, the bound itself.
    """

    first_s: float = 0.1
    factor: float = 2.0
    cap_s: float = 10.0
    reset_after_s: float = 60.0
    jitter: bool = True

    def delay_s(self, attempt: int, rng: random.Random) -> float:
        """Return the delay before restart number `attempt`, counted from 1 since the last healthy period."""
        # The exponent is bounded because a float overflows long before an attempt counter does.
        bound = min(self.cap_s, self.first_s * self.factor ** min(attempt - 1, 64))
        return rng.uniform(0.0, bound) if self.jitter else bound


class RestartPolicy(msgspec.Struct, frozen=True):
    """How a supervisor treats failures.

    The window slides: with 3 per 60 s, three restarts succeed and the fourth failure inside 60 s, the sixtieth
    second included, exhausts the budget (OTP's `intensity` and `period`). Choose `max_restarts` for the burst
    that a passing trouble causes, and the window so that a child that keeps failing is not restarted for ever:
    a long window with many restarts only hides a crash loop. Budgets of nested supervisors multiply.

    Attributes:
        max_restarts: Restarts allowed inside the window.
        window_s: The window, seconds on the monotonic clock.
        backoff: The delay before each restart.
        when_exhausted: What happens then.
        cooldown_s: How long `delay` and `failover` wait.
        per_child: Each child has a budget of its own, instead of all children sharing one.
    """

    max_restarts: int = 3
    window_s: float = 60.0
    backoff: Backoff = Backoff()
    when_exhausted: WhenExhausted = "escalate"
    cooldown_s: float = 60.0
    per_child: bool = False


class RestartBudget:
    """The failures inside the sliding window.

    The rule is `supervisor.erl`'s: keep the failures with `t >= now - window`, add this one, and allow it while
    there are no more than `max_restarts`.
    """

    __slots__ = ("_failures", "max_restarts", "window_s")

    def __init__(self, max_restarts: int, window_s: float) -> None:
        self.max_restarts = max_restarts
        self.window_s = window_s
        self._failures: list[tuple[float, str]] = []  # an empty deque is 760 bytes, ten thousand times

    def spend(self, now: float, what: str) -> bool:
        """Count a failure; return whether a restart is allowed."""
        self._forget(now)
        self._failures.append((now, what))
        return len(self._failures) <= self.max_restarts

    def left(self, now: float) -> int:
        """Restarts that are left at this moment."""
        self._forget(now)
        return max(0, self.max_restarts - len(self._failures))

    def history(self) -> tuple[str, ...]:
        """What failed inside the window, oldest first."""
        return tuple(what for _, what in self._failures)

    def renew(self) -> None:
        """Forget all failures."""
        self._failures.clear()

    def _forget(self, now: float) -> None:
        while self._failures and self._failures[0][0] < now - self.window_s:
            del self._failures[0]
