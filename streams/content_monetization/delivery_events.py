"""What happened to contracts, as it is journaled: state is what these events, applied in order, come to."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

import msgspec

from streams.content_monetization.statement import Statement
from streams.content_monetization.terms import Terms


class Opened(msgspec.Struct, frozen=True, tag="opened", tag_field="event"):
    """The journal's first line.

    Attributes:
        journal: Its name: numbers of statements are unique within it.
        at: When it was begun.
    """

    journal: str
    at: datetime


class Signed(msgspec.Struct, frozen=True, tag="signed", tag_field="event"):
    """A contract has these terms from here on."""

    contract: str
    terms: Terms
    at: datetime


class Delivered(msgspec.Struct, frozen=True, tag="delivered", tag_field="event", omit_defaults=True, gc=False):
    """A billable impression or click.

    Attributes:
        contract: Whose.
        nonce: Of its token.
        at: When.
        milli: What it costs, milliunits, by the terms of that moment.
        click: Whether it is a click.
    """

    contract: str
    nonce: str
    at: datetime
    milli: int = 0
    click: bool = False


class Ended(msgspec.Struct, frozen=True, tag="ended", tag_field="event"):
    """A contract was ended by hand."""

    contract: str
    at: datetime


class Stated(msgspec.Struct, frozen=True, tag="stated", tag_field="event"):
    """A statement was made: from here on it is the truth about what it counts, and its booking is owed."""

    statement: Statement


class Entered(msgspec.Struct, frozen=True, tag="entered", tag_field="event"):
    """A statement was booked.

    Attributes:
        contract: Whose.
        number: The statement's.
        transaction: The receipt's id.
    """

    contract: str
    number: int
    transaction: str


class PeriodShown(msgspec.Struct, frozen=True):
    """A period of a fixed contract in which readers saw it.

    Attributes:
        starts: Its first moment.
        ends: The next one's first moment.
        rate: The price when it began, units.
        terms: The digest of the terms when it began.
        views: Billable impressions in it.
        clicks: Billable clicks in it.
        digest: SHA-256 over the former digest and the nonce of each of them, hexadecimal.
    """

    starts: datetime
    ends: datetime
    rate: int
    terms: str
    views: int = 0
    clicks: int = 0
    digest: str = ""


class SpentNonce(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A token that has become an impression; it cannot become another one."""

    nonce: str
    at: datetime
    clicked: bool = False


class Carried(msgspec.Struct, frozen=True, tag="carried", tag_field="event", kw_only=True, omit_defaults=True):
    """How a contract stood when the journal was written anew.

    Attributes:
        contract: The contract's id.
        terms: Its terms.
        statements: How many statements were made.
        carry_milli: What was less than a unit in them.
        spent_milli: What it has cost in all.
        day: The last day on which something was delivered, `2026-11-25`.
        day_milli: What it cost on that day.
        open: What no statement has counted yet.
        periods: Periods of a fixed contract that no statement has counted yet.
        stated_until: Up to when a fixed contract's periods are stated.
        ended_at: When it was ended by hand.
        views: Billable impressions in all.
        clicks: Billable clicks in all.
        booked_units: What was booked in all.
        unbooked: Statements whose booking is owed.
        spent: Tokens that must not count again.
    """

    contract: str
    terms: Terms
    statements: int = 0
    carry_milli: int = 0
    spent_milli: int = 0
    day: str = ""
    day_milli: int = 0
    open: tuple[Delivered, ...] = ()
    periods: tuple[PeriodShown, ...] = ()
    stated_until: datetime | None = None
    ended_at: datetime | None = None
    views: int = 0
    clicks: int = 0
    booked_units: int = 0
    unbooked: tuple[Statement, ...] = ()
    spent: tuple[SpentNonce, ...] = ()


Event: TypeAlias = Opened | Signed | Delivered | Ended | Stated | Entered | Carried
