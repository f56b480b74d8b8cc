"""What the ledger refuses to book, whatever the state of its disk."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Final

from orchestrator.money.chain import PENDING, POSTED, parse_id
from streams.booking import Book, BookingRejected, Posting, Resolution
from streams.money import ASSETS, MAX_UNITS
from streams.transfers import is_internal

ACCOUNT_KINDS: Final = frozenset({"income", "cost", "asset", "liability", "equity"})
"""The first part of an account's name says which of these it is."""

EARNING_KINDS: Final = frozenset({"income", "cost"})
"""Those that say what was earned; the others say where it is."""

BOOKS: Final = frozenset({"paper", "live"})
STEPS: Final = frozenset({"posted", "voided", "expired", "settled", "reversed"})

COMES_TO_NOTHING: Final = frozenset({"voided", "expired"})
"""Steps without postings."""

MAX_KEY_CHARS: Final = 512
MAX_TEXT_CHARS: Final = 512
MAX_NAME_CHARS: Final = 128
MAX_ARTEFACT_BYTES: Final = 256 * 1024
MAX_POSTINGS: Final = 256
MAX_METERS: Final = 64

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_ACCOUNT: Final = re.compile(r"([a-z]+)(?::[A-Za-z0-9_.@+-]+)+")
# Control characters, line and paragraph separators, surrogates, and what Unicode says is no character. They
# would break a line of a log, a terminal or an encoder.
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff\U0010ffff]")


def check(booking: Book) -> None:
    """Check everything about a booking that needs no look into the books.

    Raises:
        BookingRejected: It can never be booked as it stands; the text says what is wrong with it.
    """
    if booking.book not in BOOKS:
        raise BookingRejected(f"there is no book {booking.book!r}, only paper and live")
    _check_text("key", booking.key, MAX_KEY_CHARS)
    _check_names(booking.kind, booking.stream, booking.instance, booking.evidence.kind)
    step = booking.resolves
    if step is None or step.outcome not in COMES_TO_NOTHING:
        _check_postings(booking.postings)
    _check_instant("occurred_at", booking.occurred_at)
    _check_evidence(booking)
    if booking.memo:
        _check_text("memo", booking.memo, MAX_TEXT_CHARS)
    if booking.meters:
        _check_meters(booking)
    if booking.corrects is not None:
        if parse_id(booking.corrects.transaction) is None:
            raise BookingRejected(f"{booking.corrects.transaction!r} is not the id of a transaction to correct")
        _check_text("reason of the correction", booking.corrects.reason, MAX_TEXT_CHARS)
    if booking.state != POSTED or booking.expires_at is not None:
        _check_pending(booking)
    if step is not None:
        _check_step(booking, step)


@lru_cache(maxsize=65_536)
def account_kind(name: str) -> str:
    """Return the kind that an account's name begins with.

    Raises:
        BookingRejected: The name is not well formed.
    """
    match = _ACCOUNT.fullmatch(name) if len(name) <= MAX_NAME_CHARS else None
    if match is None or match[1] not in ACCOUNT_KINDS:
        raise BookingRejected(
            f"account {name[:MAX_NAME_CHARS]!r} is not one of {', '.join(sorted(ACCOUNT_KINDS))} followed by "
            f"`:` and parts of letters, digits and _.@+- (at most {MAX_NAME_CHARS} characters in all)"
        )
    return match[1]


@lru_cache(maxsize=65_536)
def _is_internal(account: str) -> bool:
    account_kind(account)
    return is_internal(account)


def _check_text(what: str, text: str, max_chars: int) -> None:
    if type(text) is not str or not text or len(text) > max_chars:
        raise BookingRejected(f"the {what} must be text of 1 to {max_chars} characters")
    if not text.isprintable() and (unfit := _UNFIT.search(text)):
        raise BookingRejected(f"the {what} contains the character {unfit[0]!r}")


@lru_cache(maxsize=16_384)
def _check_names(kind: str, stream: str, instance: str, evidence_kind: str) -> None:
    names = {"kind": kind, "stream": stream, "instance": instance, "kind of the evidence": evidence_kind}
    for what, name in names.items():
        if type(name) is not str or len(name) > MAX_NAME_CHARS or not _NAME.fullmatch(name):
            raise BookingRejected(
                f"the {what} {str(name)[:MAX_NAME_CHARS]!r} is not a name of letters, digits and _.- "
                f"(at most {MAX_NAME_CHARS} characters, the first a letter or digit)"
            )


def _check_postings(postings: tuple[Posting, ...]) -> None:
    if not 2 <= len(postings) <= MAX_POSTINGS:
        raise BookingRejected(f"a booking has 2 to {MAX_POSTINGS} postings, not {len(postings)}")
    sums: dict[str, int] = {}
    between_instances: dict[str, int] | None = None
    for posting in postings:
        if type(posting.account) is not str:
            raise BookingRejected(f"account {posting.account!r} is not text")
        units = posting.units
        if type(units) is not int:
            raise BookingRejected(f"{units!r} on {posting.account} is not a whole number of units")
        if not -MAX_UNITS <= units <= MAX_UNITS:
            raise BookingRejected(f"{units} units on {posting.account} are beyond what a ledger row holds")
        sums[posting.asset] = sums.get(posting.asset, 0) + units
        if _is_internal(posting.account):
            between_instances = between_instances or {}
            between_instances[posting.asset] = between_instances.get(posting.asset, 0) + units
    for asset, units in sums.items():
        if asset not in ASSETS:
            raise BookingRejected(f"no asset {asset!r} is declared; known are {', '.join(sorted(ASSETS))}")
        if units:
            raise BookingRejected(f"the postings in {asset} sum to {units} units, not to zero")
    if between_instances and any(between_instances.values()):
        # They are left out of the fleet's totals, and must leave nothing behind there.
        raise BookingRejected("the postings on accounts between instances (…:internal:…) do not sum to zero")


def _check_instant(what: str, instant: datetime) -> None:
    if instant.utcoffset() is None:
        raise BookingRejected(f"{what} {instant} is not an aware datetime")
    if not 1970 < instant.year < 9999:
        raise BookingRejected(f"{what} {instant} is not in the years 1971 to 9998")


def _check_pending(booking: Book) -> None:
    if booking.state not in {PENDING, POSTED}:
        raise BookingRejected(f"there is no state {booking.state!r} to book in, only pending and posted")
    if booking.expires_at is not None:
        if booking.state != PENDING:
            raise BookingRejected("only what is pending expires")
        _check_instant("expires_at", booking.expires_at)
    if booking.corrects is not None:
        raise BookingRejected("a correction is posted at once, not pending")


def _check_step(booking: Book, step: Resolution) -> None:
    if parse_id(step.transaction) is None:
        raise BookingRejected(f"{step.transaction!r} is not the id of a transaction")
    if step.outcome not in STEPS:
        raise BookingRejected(f"a transaction cannot be {step.outcome!r}, only {', '.join(sorted(STEPS))}")
    if step.reason != "":
        _check_text("reason of the step", step.reason, MAX_TEXT_CHARS)
    if booking.state != POSTED:
        raise BookingRejected("a step with another transaction is not pending itself")
    if booking.corrects is not None:
        raise BookingRejected("a booking corrects another one or takes a step with it, not both")
    if step.outcome in COMES_TO_NOTHING and booking.postings != ():
        raise BookingRejected(f"nothing moves where a transaction is {step.outcome}: there can be no postings")


def _check_evidence(booking: Book) -> None:
    evidence = booking.evidence
    _check_text("external id of the evidence", evidence.external_id, MAX_TEXT_CHARS)
    if type(evidence.artefact) is not bytes or not evidence.artefact:
        raise BookingRejected("the evidence has no artefact: money is booked on proof only")
    if len(evidence.artefact) > MAX_ARTEFACT_BYTES:
        raise BookingRejected(
            f"the evidence's artefact has {len(evidence.artefact)} bytes, at most {MAX_ARTEFACT_BYTES} are kept"
        )


def _check_meters(booking: Book) -> None:
    if len(booking.meters) > MAX_METERS:
        raise BookingRejected(f"a booking moves at most {MAX_METERS} meters, not {len(booking.meters)}")
    for increment in booking.meters:
        meter, amount = increment.meter, increment.amount
        _check_text("name of a meter", meter, MAX_TEXT_CHARS)
        if type(amount) is not int or not -MAX_UNITS <= amount <= MAX_UNITS:
            raise BookingRejected(f"meter {meter} cannot move by {amount!r}")
