"""The account of one contract: what was delivered, what it costs, and what is stated of it.

An account is what the journal's events come to. Live and after a restart it is reached by the same `apply`.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

import msgspec

from streams.content_monetization.delivery_events import (
    Carried,
    Delivered,
    Ended,
    Entered,
    Event,
    PeriodShown,
    Signed,
    SpentNonce,
    Stated,
)
from streams.content_monetization.statement import Statement
from streams.content_monetization.terms import MILLI, Terms

MAX_STATED: Final = 1000
"""Impressions and clicks that one statement lists."""

GROSS: Final = "gross"


class ContractAccount:
    """What one contract has delivered and owes.

    Attributes:
        terms: Its terms.
        ended_at: When it was ended by hand; None where it was not.
        statements: How many statements were made.
        carry_milli: What was less than a unit in them.
        spent_milli: What it has cost in all.
        views: Billable impressions in all.
        clicks: Billable clicks in all.
        booked_units: What was booked in all.
        unbooked: Statements whose booking is owed, by number.
        noted: Claims since the last statement: `gross`, and each reason that made one not billable.
    """

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.ended_at: datetime | None = None
        self.statements = 0
        self.carry_milli = 0
        self.spent_milli = 0
        self.views = 0
        self.clicks = 0
        self.booked_units = 0
        self.unbooked: dict[int, Statement] = {}
        self.noted: Counter[str] = Counter()
        self._day = ""
        self._day_milli = 0
        self._open: list[Delivered] = []
        self._periods: dict[datetime, PeriodShown] = {}
        self._stated_until: datetime | None = None

    def holds_at(self, now: datetime) -> bool:
        """Return whether the contract is in force."""
        return self.terms.holds_at(now) and (self.ended_at is None or now < self.ended_at)

    def affords(self, milli: int, now: datetime) -> bool:
        """Return whether its budgets cover another cost, exactly."""
        terms = self.terms
        if terms.budget is not None and self.spent_milli + milli > terms.budget * MILLI:
            return False
        return terms.daily_budget is None or self.spent_on(now) + milli <= terms.daily_budget * MILLI

    def spent_on(self, now: datetime) -> int:
        """Return what it has cost today, milliunits. A clock that went back does not begin the day anew."""
        return self._day_milli if now.date().isoformat() <= self._day else 0

    @property
    def open_milli(self) -> int:
        """What was delivered by the piece and is not stated yet, with what was carried, milliunits."""
        return self.carry_milli + sum(each.milli for each in self._open)

    @property
    def has_open(self) -> bool:
        """Whether something was delivered that no statement counts yet."""
        return bool(self._open or self._periods)

    def apply(self, event: Event) -> None:
        """Take an event of this contract into account."""
        match event:
            case Delivered():
                self._deliver(event)
            case Stated(statement=statement):
                self._state(statement)
            case Entered(number=number):
                if (booked := self.unbooked.pop(number, None)) is not None:
                    self.booked_units += booked.units
            case Signed(terms=terms):
                self.terms = terms
            case Ended(at=at):
                self.ended_at = at
            case Carried():
                self._take_up(event)
            case _:
                raise TypeError(f"{type(event).__name__} is not about a contract")

    def next_statement(self, journal: str, now: datetime, *, force: bool = False) -> Statement | None:
        """Return the statement that is due; None where nothing is. It counts once it is applied.

        Args:
            journal: The journal's name.
            now: The time, aware UTC.
            force: Also where less than a unit is owed: before the terms change.
        """
        if self._open:
            return self._state_pieces(journal, force=force)
        return self._state_period(journal, now)

    def carried(self, spent: tuple[SpentNonce, ...]) -> Carried:
        """Return how the contract stands, for a journal that is written anew."""
        return Carried(
            contract=self.terms.contract,
            terms=self.terms,
            statements=self.statements,
            carry_milli=self.carry_milli,
            spent_milli=self.spent_milli,
            day=self._day,
            day_milli=self._day_milli,
            open=tuple(self._open),
            periods=tuple(self._periods.values()),
            stated_until=self._stated_until,
            ended_at=self.ended_at,
            views=self.views,
            clicks=self.clicks,
            booked_units=self.booked_units,
            unbooked=tuple(self.unbooked.values()),
            spent=spent,
        )

    def _deliver(self, event: Delivered) -> None:
        self.spent_milli += event.milli
        if event.click:
            self.clicks += 1
        else:
            self.views += 1
        day = event.at.date().isoformat()
        if day > self._day:
            self._day, self._day_milli = day, 0
        self._day_milli += event.milli
        if event.milli:
            self._open.append(event)
        elif self.terms.kind == "fixed":
            self._show(event)

    def _show(self, event: Delivered) -> None:
        number = self.terms.period_of(event.at)
        starts = self.terms.period_start(number)
        if self._stated_until is not None and starts < self._stated_until:
            return  # the clock went back into a period that is paid for
        period = self._periods.get(starts)
        if period is None:
            if event.click:
                return  # a click alone shows nothing; its impression was in the period before
            period = PeriodShown(starts, self.terms.period_start(number + 1), self.terms.rate, self.terms.digest)
        self._periods[starts] = msgspec.structs.replace(
            period,
            views=period.views + (not event.click),
            clicks=period.clicks + event.click,
            digest=sha256(f"{period.digest}{event.nonce}".encode("ascii")).hexdigest(),
        )

    def _state_pieces(self, journal: str, *, force: bool) -> Statement | None:
        stated = self._open[:MAX_STATED]
        clicks = sum(each.click for each in stated)
        statement = self._statement(
            journal,
            terms_digest=self.terms.digest,
            since=stated[0].at,
            until=stated[-1].at,
            views=len(stated) - clicks,
            clicks=clicks,
            milli=sum(each.milli for each in stated),
            tokens=tuple(each.nonce for each in stated),
        )
        return statement if statement.units or force else None

    def _state_period(self, journal: str, now: datetime) -> Statement | None:
        for period in self._periods.values():
            ends = min(end for end in (period.ends, self.terms.ends, self.ended_at) if end is not None)
            if now < ends:
                continue
            # A contract that ends within a period owes the part of it that has passed.
            # Ended by a clock that had gone back behind its beginning, it owes nothing: never less than that.
            passed = max(_microseconds(ends - period.starts), 0)
            length = _microseconds(period.ends - period.starts)
            return self._statement(
                journal,
                terms_digest=period.terms,
                since=period.starts,
                until=ends,
                views=period.views,
                clicks=period.clicks,
                milli=period.rate * MILLI * passed // length,
                digest=period.digest,
            )
        return None

    def _statement(
        self,
        journal: str,
        *,
        terms_digest: str,
        since: datetime,
        until: datetime,
        views: int,
        clicks: int,
        milli: int,
        tokens: tuple[str, ...] = (),
        digest: str = "",
    ) -> Statement:
        units, carried_out_milli = divmod(self.carry_milli + milli, MILLI)
        return Statement(
            journal=journal,
            number=self.statements + 1,
            terms=self.terms,
            terms_digest=terms_digest,
            since=since,
            until=until,
            gross=self.noted[GROSS],
            filtered={reason: count for reason, count in sorted(self.noted.items()) if reason != GROSS},
            views=views,
            clicks=clicks,
            milli=milli,
            carried_in_milli=self.carry_milli,
            units=units,
            carried_out_milli=carried_out_milli,
            tokens=tokens,
            digest=digest,
        )

    def _state(self, statement: Statement) -> None:
        self.statements = statement.number
        self.carry_milli = statement.carried_out_milli
        if statement.units:
            self.unbooked[statement.number] = statement
        if statement.tokens:
            del self._open[: len(statement.tokens)]
        else:
            self._periods.pop(statement.since, None)
            self._stated_until = statement.until
        self.noted.clear()

    def _take_up(self, carried: Carried) -> None:
        self.terms = carried.terms
        self.statements = carried.statements
        self.carry_milli = carried.carry_milli
        self.spent_milli = carried.spent_milli
        self._day = carried.day
        self._day_milli = carried.day_milli
        self._open = list(carried.open)
        self._periods = {period.starts: period for period in carried.periods}
        self._stated_until = carried.stated_until
        self.ended_at = carried.ended_at
        self.views = carried.views
        self.clicks = carried.clicks
        self.booked_units = carried.booked_units
        self.unbooked = {statement.number: statement for statement in carried.unbooked}


def _microseconds(length: timedelta) -> int:
    return length // timedelta(microseconds=1)
