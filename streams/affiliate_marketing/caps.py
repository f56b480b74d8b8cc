"""How many clicks an offer takes: per UTC day, and in all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec


class Cap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A limit on the clicks of an offer.

    Attributes:
        day: Clicks per UTC day; None for no limit.
        total: Clicks in all; None for no limit.
    """

    day: int | None = None
    total: int | None = None


class OfferCount(msgspec.Struct):
    """Clicks of one offer.

    Attributes:
        day: The UTC day that `today` is of, days since 1970.
        today: Clicks on that day.
        total: Clicks in all.
    """

    day: int = 0
    today: int = 0
    total: int = 0


class CapCounter:
    """Counts clicks against caps.

    There is no await in it: on one loop, a look and a count that follow each other are one decision, and no
    number of clicks at a time gets past a cap.
    """

    def __init__(self, caps: Mapping[str, Cap]) -> None:
        self._caps = dict(caps)
        self._counts = {offer: OfferCount() for offer in caps}

    def never_full(self, offers: Iterable[str]) -> bool:
        """Tell whether none of the offers has a cap."""
        return all(self._caps[offer] == Cap() for offer in offers)

    def has_room(self, offer: str, day: int) -> bool:
        """Tell whether the offer takes one more click on that day."""
        cap, count = self._caps[offer], self._counts[offer]
        if cap.total is not None and count.total >= cap.total:
            return False
        return cap.day is None or day > count.day or count.today < cap.day

    def count(self, offer: str, day: int) -> None:
        """Count a click. One of a day that is over (the clock was set back) counts on the latest day."""
        count = self._counts.setdefault(offer, OfferCount())
        if day > count.day:
            count.day, count.today = day, 0
        count.today += 1
        count.total += 1

    def take_back(self, offer: str) -> None:
        """Uncount a click that did not come about."""
        count = self._counts[offer]
        count.today = max(0, count.today - 1)
        count.total -= 1

    def counts(self) -> dict[str, OfferCount]:
        """Return the counts by offer; those of offers that are no longer configured as well."""
        return self._counts

    def counts_without(self, offers: Iterable[str]) -> dict[str, OfferCount]:
        """Return a copy of the counts without some of the latest clicks."""
        without = CapCounter({})
        without.restore(self._counts)
        for offer in offers:
            without.take_back(offer)
        return without.counts()

    def restore(self, counts: Mapping[str, OfferCount]) -> None:
        """Take up former counts."""
        self._counts.update({offer: OfferCount(each.day, each.today, each.total) for offer, each in counts.items()})
