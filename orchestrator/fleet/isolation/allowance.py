"""An allowance: so much a second, and a second's worth in advance."""

from __future__ import annotations


class Allowance:
    """Counts what is taken.

    Args:
        per_s: How much may be taken a second.
        now_s: Monotonic seconds at which it is full.
    """

    def __init__(self, per_s: float, now_s: float) -> None:
        self._per_s = per_s
        self._left = per_s
        self._at_s = now_s

    def take(self, amount: float, now_s: float) -> float:
        """Take an amount, whether it is there or not; returns for how long to wait until it is, seconds."""
        self._fill(now_s)
        self._left -= amount
        return max(0.0, -self._left / self._per_s)

    def take_if_there(self, amount: float, now_s: float) -> bool:
        """Take an amount if it is there; whether it was."""
        self._fill(now_s)
        if self._left < amount:
            return False
        self._left -= amount
        return True

    def _fill(self, now_s: float) -> None:
        self._left = min(self._per_s, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
