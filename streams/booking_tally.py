"""How many bookings of each instance were made, and how many were refused, since the daemon's start."""

from __future__ import annotations

from collections.abc import Iterable

from streams.booking import Book, BookingRejected, KeyConflict, Receipt


class BookingTally:
    """Counts at the ledger's door, whoever comes there. For the loop's thread."""

    def __init__(self) -> None:
        self._booked: dict[str, int] = {}
        self._rejected: dict[str, int] = {}

    def booked(self, instance: str) -> int:
        """Return how many bookings of an instance were made."""
        return self._booked.get(instance, 0)

    def rejected(self, instance: str) -> int:
        """Return how many bookings of an instance can never be made as they stand."""
        return self._rejected.get(instance, 0)

    def note_booked(self, group: Iterable[tuple[Book, Receipt]]) -> None:
        """Count bookings that were made."""
        counts = self._booked
        for booking, _ in group:
            counts[booking.instance] = counts.get(booking.instance, 0) + 1

    def note_rejected(self, booking: Book, rejection: BookingRejected) -> None:
        """Count one that was refused, unless its key was taken: with that, a customer may have begun."""
        if not isinstance(rejection, KeyConflict) and isinstance(booking.instance, str):
            self.note_refused(booking.instance)

    def note_refused(self, instance: str) -> None:
        """Count one of an instance's that was refused before it came to the ledger."""
        self._rejected[instance] = self._rejected.get(instance, 0) + 1
