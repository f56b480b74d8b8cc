"""What a contract's money depends on, in whole units; and what is owed on it.

What is owed for a single impression may be less than a unit (a price per 1,000 need not be divisible by 1,000), so
sums are kept in *milliunits*, a thousandth of a unit. They are whole numbers, and what is less than a unit is carried
from statement to statement: nothing is ever rounded.
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Final

import msgspec

from streams.content_monetization.contract import Kind, Period, SponsorContract
from streams.money import parse_amount

MILLI: Final = 1000

_LENGTHS: Final = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}
_ENCODER: Final = msgspec.json.Encoder(order="sorted")


class Terms(msgspec.Struct, frozen=True, dict=True):
    """The terms that a statement is made on; they are written into it.

    Attributes:
        contract: The contract's id.
        sponsor: Who pays.
        kind: What is paid for.
        asset: What amounts are counted in.
        rate: Units per period, per 1,000 impressions, or per click.
        period: What a fixed contract pays for.
        starts: From when it holds, UTC.
        ends: Until when; None until it is ended.
        budget: The most that it pays in all, units; None for no limit.
        daily_budget: The most that it pays in a day, units; None for no limit.
    """

    contract: str
    sponsor: str
    kind: Kind
    asset: str
    rate: int
    period: Period
    starts: datetime
    ends: datetime | None = None
    budget: int | None = None
    daily_budget: int | None = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the terms, hexadecimal."""
        return sha256(_ENCODER.encode(self)).hexdigest()

    @property
    def view_milli(self) -> int:
        """What an impression costs, milliunits."""
        return self.rate if self.kind == "cpm" else 0

    @property
    def click_milli(self) -> int:
        """What a click costs, milliunits."""
        return self.rate * MILLI if self.kind == "cpc" else 0

    def holds_at(self, now: datetime) -> bool:
        """Return whether the contract has begun and has not ended."""
        return self.starts <= now and (self.ends is None or now < self.ends)

    def period_of(self, moment: datetime) -> int:
        """Return the number of the period, from 0, that a moment falls into."""
        if self.period != "month":
            return (moment - self.starts) // _LENGTHS[self.period]
        months = (moment.year - self.starts.year) * 12 + moment.month - self.starts.month
        return months if self.period_start(months) <= moment else months - 1

    def period_start(self, number: int) -> datetime:
        """Return the first moment of a period; the first one of the next is its end."""
        if self.period != "month":
            return self.starts + number * _LENGTHS[self.period]
        # The 31st becomes the last day of a shorter month, and is the 31st again in the next that has one.
        year, month = divmod(self.starts.month - 1 + number, 12)
        year += self.starts.year
        day = min(self.starts.day, calendar.monthrange(year, month + 1)[1])
        return self.starts.replace(year=year, month=month + 1, day=day)


def terms_of(contract: SponsorContract, asset: str) -> Terms:
    """Return the terms of a contract."""
    return Terms(
        contract=contract.id,
        sponsor=contract.sponsor,
        kind=contract.kind,
        asset=asset,
        rate=parse_amount(contract.rate, asset),
        period=contract.period,
        starts=contract.starts.astimezone(UTC),
        ends=None if contract.ends is None else contract.ends.astimezone(UTC),
        budget=_units(contract.budget, asset),
        daily_budget=_units(contract.daily_budget, asset),
    )


def _units(amount: str | None, asset: str) -> int | None:
    return None if amount is None else parse_amount(amount, asset)
