"""How income grows: a period of whole hours beside the one before it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import msgspec

from orchestrator.money.instants import hour_of, to_us

_ONE: Final = timedelta(hours=1)
_TENTH: Final = Decimal("0.1")


class UnitChange(msgspec.Struct, frozen=True):
    """What one period had, and the one before it, in units.

    Attributes:
        current: The later one's.
        previous: The earlier one's.
        percent: By how much the later one is more, in percent of the earlier one, `-12.5`; None where that earned
            nothing, for nothing can be said then.
    """

    current: int
    previous: int
    percent: str | None


class Growth(msgspec.Struct, frozen=True):
    """How income grows.

    Attributes:
        hour: The last whole hour beside the one before.
        day: The last 24 whole hours beside the 24 before.
        week: The last seven times 24 whole hours beside as many before.
        today: The whole hours since midnight, UTC, beside the same hours of yesterday.
    """

    hour: UnitChange
    day: UnitChange
    week: UnitChange
    today: UnitChange


def growth_of(income: Mapping[str, int], now: datetime) -> Growth:
    """Return the growth of income.

    Args:
        income: Units by UTC hour, `2026-01-31T14`; an hour that is absent earned nothing.
        now: The present. The hour that is under way is left out, for it is not over.
    """
    end = now.replace(minute=0, second=0, microsecond=0)

    def change(hours: int, apart: int | None = None) -> UnitChange:
        current = _sum(income, end, hours)
        previous = _sum(income, end - (hours if apart is None else apart) * _ONE, hours)
        return UnitChange(current, previous, percent_more(current, previous))

    return Growth(change(1), change(24), change(24 * 7), change(end.hour, apart=24))


def percent_more(current: int, previous: int) -> str | None:
    """Return by how much one number is more than another, in percent; None where that says nothing."""
    if previous <= 0:
        return None
    percent = Decimal(100 * (current - previous)) / previous
    return str(percent.quantize(_TENTH, ROUND_HALF_EVEN))


def _sum(income: Mapping[str, int], end: datetime, hours: int) -> int:
    return sum(income.get(hour_of(to_us(end - back * _ONE)), 0) for back in range(1, hours + 1))
