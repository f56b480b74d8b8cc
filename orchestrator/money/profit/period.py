"""A period as it is remembered: what each instance had, and what came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from orchestrator.money.profit.takings import Taking
from streams.booking import BookName


class Had(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one instance had in a period, and what came to it.

    Attributes:
        budget: Its share of the places, on average; 0 where it did not run.
        came: Units that came during the period: those of this period, of the one before, and so on.
    """

    budget: float
    came: tuple[int, ...] = ()


class Period(msgspec.Struct, frozen=True):
    """A period that has ended.

    Attributes:
        id: Its number; later ones are higher.
        book: Of which book.
        asset: In which asset.
        interval_s: How long periods were to be.
        ended_at: When it ended, aware UTC.
        sequence: The last transaction of the ledger that was looked at.
        streams: What each instance had, by stream and id.
        elsewhere: Streams to which something came in other assets, by asset.
        then: The shares that were put in force after it; kept, and not learnt from.
    """

    id: int
    book: BookName
    asset: str
    interval_s: float
    ended_at: datetime
    sequence: int
    streams: dict[str, dict[str, Had]]
    elsewhere: dict[str, tuple[str, ...]] = {}
    then: dict[str, float] = {}

    @property
    def came(self) -> list[int]:
        """What came to all instances, by how many periods before this one it was earned."""
        total: list[int] = []
        for arms in self.streams.values():
            for had in arms.values():
                total.extend([0] * (len(had.came) - len(total)))
                for age, units in enumerate(had.came):
                    total[age] += units
        return total


def gather(
    asset: str, budgets: Mapping[str, Mapping[str, float]], takings: Iterable[Taking]
) -> tuple[dict[str, dict[str, Had]], dict[str, tuple[str, ...]]]:
    """Return what each instance had and what came in an asset, and the streams to which other assets came.

    Args:
        asset: The asset.
        budgets: What each instance of the fleet had, by stream and id. What came to others, which are gone, nobody
            learns from.
        takings: What came.
    """
    came: dict[str, list[int]] = {}
    elsewhere: dict[str, set[str]] = {}
    for each in takings:
        if each.asset != asset:
            elsewhere.setdefault(each.asset, set()).add(each.stream)
            continue
        ages = came.setdefault(each.instance, [])
        ages.extend([0] * (each.age + 1 - len(ages)))
        ages[each.age] += each.units
    streams = {
        stream: {name: Had(budget, tuple(came.get(name, ()))) for name, budget in arms.items()}
        for stream, arms in budgets.items()
    }
    return streams, {code: tuple(sorted(names)) for code, names in sorted(elsewhere.items())}
