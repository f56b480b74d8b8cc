"""What a key may still use: calls in a period, and credit.

Check and reservation are one step without an await, so that no number of concurrent calls overshoots. A
reservation is then either committed (the call was booked) or released (it was not).
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from streams.metering.refusal import OutOfCredit, QuotaExceeded


class Period(msgspec.Struct, frozen=True):
    """A calendar month, UTC.

    Attributes:
        name: `2026-11`.
        starts: Its first moment.
        ends: The next month's first moment.
    """

    name: str
    starts: datetime
    ends: datetime


def period_at(now: datetime) -> Period:
    """Return the period that a moment belongs to."""
    utc = now.astimezone(UTC)
    starts = utc.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    ends = starts.replace(year=starts.year + starts.month // 12, month=starts.month % 12 + 1)
    return Period(name=f"{starts.year:04d}-{starts.month:02d}", starts=starts, ends=ends)


class Allowance:
    """The counters of one key.

    Attributes:
        quota: Calls per period; None for no limit.
        credit: Units that may be spent in all; None for no limit.
        period: The period that `calls` belongs to. It only moves on: a clock set back reopens no quota.
        calls: Calls delivered in the period.
        unbooked: Those of them that cost nothing and so stand in no ledger.
        spent: Units spent since the key was made.
        reserved_calls: Calls of the period that are being worked on.
        reserved_units: Units that are being worked on.
    """

    __slots__ = (
        "calls",
        "credit",
        "period",
        "quota",
        "reserved_calls",
        "reserved_units",
        "spent",
        "unbooked",
    )

    def __init__(self, quota: int | None, credit: int | None, period: Period, calls: int = 0, spent: int = 0) -> None:
        self.quota = quota
        self.credit = credit
        self.period = period
        self.calls = calls
        self.unbooked = 0
        self.spent = spent
        self.reserved_calls = 0
        self.reserved_units = 0

    def roll(self, now: datetime) -> None:
        """Begin a new period when the current one has ended."""
        if now >= self.period.ends:
            self.period = period_at(now)
            self.calls = 0
            self.unbooked = 0
            self.reserved_calls = 0

    def reserve(self, units: int, now: datetime) -> Reservation:
        """Set one call and its price aside.

        Raises:
            QuotaExceeded: The period's calls are used up or set aside.
            OutOfCredit: What is left of the credit does not cover the price.
        """
        self.roll(now)
        if self.quota is not None and self.calls + self.reserved_calls >= self.quota:
            # A call that is set aside may yet be released; one that was delivered will not.
            wait_s = (self.period.ends - now).total_seconds() if self.calls >= self.quota else 1.0
            raise QuotaExceeded(self.quota, self.period.name, wait_s)
        if self.credit is not None and self.spent + self.reserved_units + units > self.credit:
            raise OutOfCredit
        self.reserved_calls += 1
        self.reserved_units += units
        return Reservation(self, units, self.period)

    def remaining_calls(self) -> int | None:
        """Return how many more calls the period allows now; None for no limit."""
        return None if self.quota is None else max(0, self.quota - self.calls - self.reserved_calls)


class Reservation:
    """One call that is set aside. Settled once; settling it again changes nothing.

    Attributes:
        units: Its price.
        period: The period that it counts in, also when it is settled in the next.
    """

    __slots__ = ("_allowance", "_open", "period", "units")

    def __init__(self, allowance: Allowance, units: int, period: Period) -> None:
        self._allowance = allowance
        self._open = True
        self.units = units
        self.period = period

    def commit(self, *, booked: bool) -> None:
        """Count the call as delivered."""
        if self._close():
            allowance = self._allowance
            allowance.spent += self.units
            if allowance.period is self.period:
                allowance.calls += 1
                allowance.unbooked += not booked

    def release(self) -> None:
        """Give the call back."""
        self._close()

    def refund(self) -> None:
        """Take a committed call back."""
        allowance = self._allowance
        allowance.spent -= self.units
        if allowance.period is self.period:
            allowance.calls -= 1

    def _close(self) -> bool:
        if not self._open:
            return False
        self._open = False
        allowance = self._allowance
        allowance.reserved_units -= self.units
        if allowance.period is self.period:
            allowance.reserved_calls -= 1
        return True
