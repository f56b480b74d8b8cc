"""Statements: what a contract owes for what was delivered, and the booking that is made of one."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from streams.booking import Book, BookName, Evidence, Posting
from streams.content_monetization.terms import Terms

EVIDENCE_KIND: Final = "contract.statement"

_ENCODER: Final = msgspec.json.Encoder(order="sorted")


class Statement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a contract owes for a time; the artefact of its booking.

    Attributes:
        journal: The journal that counted it.
        number: Its number within journal and contract, from 1.
        terms: The contract's terms.
        terms_digest: Their digest; of those in force when the period began, for a fixed contract.
        since: The first moment of what it counts.
        until: The last one.
        gross: Every claim of an impression in that time, as far as the process that made the statement saw.
        filtered: Those that are not billable, by reason.
        views: Billable impressions.
        clicks: Billable clicks.
        milli: What they cost, milliunits.
        carried_in_milli: What was less than a unit before.
        units: What is owed: whole units of `milli` and `carried_in_milli`.
        carried_out_milli: What is less than a unit now.
        tokens: The nonces of what is paid for by the piece.
        digest: SHA-256 over the nonces of a fixed contract's period, see `PeriodShown`.
    """

    journal: str
    number: int
    terms: Terms
    terms_digest: str
    since: datetime
    until: datetime
    gross: int = 0
    filtered: dict[str, int] = {}
    views: int = 0
    clicks: int = 0
    milli: int
    carried_in_milli: int = 0
    units: int
    carried_out_milli: int = 0
    tokens: tuple[str, ...] = ()
    digest: str = ""


def booking_of(statement: Statement, book: BookName, stream: str, instance: str) -> Book:
    """Return the booking of a statement: the same for the same statement, whenever and however often it is made."""
    terms = statement.terms
    subject = f"{stream}:{instance}"
    name = f"{statement.journal}/{terms.contract}/{statement.number}"
    return Book(
        key=f"{instance}/statement/{name}",
        book=book,
        kind="content.statement",
        stream=stream,
        instance=instance,
        occurred_at=statement.until,
        postings=(
            Posting(f"asset:receivable:{subject}", terms.asset, statement.units),
            Posting(f"income:{subject}", terms.asset, -statement.units),
        ),
        evidence=Evidence(EVIDENCE_KIND, name, _ENCODER.encode(statement)),
        memo=f"{terms.sponsor}, {terms.contract}: {statement.views} impressions, {statement.clicks} clicks",
    )
