"""How far a venue's clock is from ours, and how sure that is."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

_KEPT: Final = 8


class Offset(msgspec.Struct, frozen=True, gc=False):
    """One measurement.

    Attributes:
        offset_ms: The venue's clock less ours; positive where ours is behind.
        uncertainty_ms: How far from the truth that may be.
    """

    offset_ms: float
    uncertainty_ms: float


class ClockOffset:
    """Keeps the surest of the last measurements, since either clock was last stepped.

    Args:
        resolution_ms: The steps in which the venue tells its time.
    """

    def __init__(self, resolution_ms: int = 1) -> None:
        self._resolution_ms = resolution_ms
        self._measured: deque[Offset] = deque(maxlen=_KEPT)

    @property
    def best(self) -> Offset:
        """The measurement with the least uncertainty, the latest of equals; 0 ± 0 before the first."""
        return min(reversed(self._measured), key=lambda each: each.uncertainty_ms, default=Offset(0.0, 0.0))

    def measure(self, venue_ms: float, asked_ms: float, answered_ms: float) -> None:
        """Take up an answer: the venue told its time somewhere between two of ours.

        Args:
            venue_ms: What the venue said, Unix milliseconds.
            asked_ms: When it was asked, by our clock.
            answered_ms: When the answer came, by our clock.
        """
        # A venue that tells whole seconds is, on average, half a second further than it says.
        middle = venue_ms + (self._resolution_ms - 1) / 2
        half_trip_ms = max(answered_ms - asked_ms, 0.0) / 2
        measured = Offset(middle - (asked_ms + answered_ms) / 2, half_trip_ms + self._resolution_ms / 2)
        best = self.best
        if abs(measured.offset_ms - best.offset_ms) > measured.uncertainty_ms + best.uncertainty_ms:
            # They cannot both be right, so a clock was stepped between them: what was measured before is void.
            self._measured.clear()
        self._measured.append(measured)

    def beyond(self, limit_ms: float) -> bool:
        """Return whether the clocks are surely further apart than a limit."""
        best = self.best
        return abs(best.offset_ms) - best.uncertainty_ms > limit_ms
