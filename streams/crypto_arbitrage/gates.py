"""What keeps a price that looks fine from being traded on. Each refusal has a name, which the funnel counts."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streams.crypto_arbitrage.clock_offset import ClockOffset
from streams.crypto_arbitrage.order_book import OrderBook


class GateLimits(msgspec.Struct, frozen=True):
    """How far is too far.

    Attributes:
        max_age_s: How old a book may be, by our own clock since it was received, and by the venue's since it was so.
        max_skew_s: How far apart the books of two legs may have been received.
        max_still_s: How long a venue may answer with a book that does not move.
        max_clock_offset_s: How far a venue's clock may be from ours.
        max_edge_ppm: A profit above it is not believed.
    """

    max_age_s: float
    max_skew_s: float
    max_still_s: float
    max_clock_offset_s: float
    max_edge_ppm: int


class Sighting(msgspec.Struct, frozen=True, gc=False):
    """A book, and what is known about its venue at that moment.

    Attributes:
        book: The book, or its top.
        moved_s: When the venue last said something else about this market, on the own monotonic clock.
        clock: How far the venue's clock is from ours.
    """

    book: OrderBook
    moved_s: float
    clock: ClockOffset

    @classmethod
    def nothing(cls, venue: str, symbol: str) -> Sighting:
        """Return what was seen where no book came: one that no gate lets through."""
        return cls(OrderBook(venue, symbol, (), (), float("-inf")), float("-inf"), ClockOffset())


def refuse_sightings(sightings: Sequence[Sighting], limits: GateLimits, now_s: float, wall_ms: float) -> str:
    """Return why these books cannot be traded on together; empty where they can.

    Args:
        sightings: One of each leg.
        limits: How far is too far.
        now_s: The own monotonic clock.
        wall_ms: Our own time, Unix milliseconds.
    """
    for sighting in sightings:
        reason = _refuse_one(sighting, limits, now_s, wall_ms)
        if reason:
            return reason
    received = [sighting.book.received_s for sighting in sightings]
    return "skew" if max(received) - min(received) > limits.max_skew_s else ""


def _refuse_one(sighting: Sighting, limits: GateLimits, now_s: float, wall_ms: float) -> str:
    book, clock = sighting.book, sighting.clock
    if not book.two_sided:
        return "one_sided"
    if book.crossed:
        return "crossed"
    if now_s - book.received_s > limits.max_age_s:
        return "stale"
    if now_s - sighting.moved_s > limits.max_still_s:
        return "frozen"
    if clock.beyond(limits.max_clock_offset_s * 1e3):
        return "clock"
    if book.venue_time_ms is not None:
        # By the venue's clock now, as far as it is known.
        best = clock.best
        age_ms = wall_ms + best.offset_ms - book.venue_time_ms
        if age_ms - best.uncertainty_ms > limits.max_age_s * 1e3:
            return "stale"
    return ""


def refuse_edge(profit: int, spent: int, min_ppm: int, limits: GateLimits) -> str:
    """Return why a profit is not taken: too small, or too good to be true; empty where it is taken.

    Args:
        profit: After everything; units.
        spent: What it needs; units of the same asset.
        min_ppm: The least that is worth a trip, parts per million of what it needs.
        limits: Which profit is not believed.
    """
    if profit * 1_000_000 < spent * min_ppm or profit <= 0:
        return "thin"
    return "sanity" if profit * 1_000_000 > spent * limits.max_edge_ppm else ""
