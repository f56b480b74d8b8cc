"""Which step may be taken with a transaction, and with which postings.

The rules are those of `streams.booking.Resolution`. The writer holds every booking to them, and verification holds
the ledger to them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias, cast

import msgspec

from orchestrator.money.chain import PENDING, id_text
from orchestrator.money.instants import from_us
from orchestrator.money.validation import account_kind
from streams.booking import Posting, PresentState, Resolution
from streams.money import format_amount

Sums: TypeAlias = dict[tuple[str, str], int]
"""Units by account and asset."""

RESOLVING: Final = frozenset({"posted", "voided", "expired"})
"""Steps with a pending transaction: it takes one of them, once, and its postings are released."""

_RECEIVABLE: Final = "asset:receivable:"


class Taken(msgspec.Struct, frozen=True, gc=False):
    """A step that was taken.

    Attributes:
        transaction: The id of the transaction that took it.
        units: What that one moved.
    """

    transaction: bytes
    units: Sums


class Target(msgspec.Struct, gc=False):
    """A transaction, as far as it matters for the steps that may be taken with it.

    Attributes:
        id: Its id.
        sequence: Its place in the chain.
        origin: Its book, stream and instance.
        state: What it was booked as.
        hour: The UTC hour that what it moves is kept under.
        expires_at_us: When it expires, where it is pending and does.
        took: The step it took itself, and the id of the transaction it took it with.
        units: What it moved.
        taken: The steps that were taken with it, in their order.
    """

    id: bytes
    sequence: int
    origin: tuple[str, str, str]
    state: str
    hour: str
    expires_at_us: int | None
    took: tuple[str, bytes] | None
    units: Sums
    taken: dict[str, Taken]

    @property
    def present_state(self) -> PresentState:
        """What has become of it."""
        return cast("PresentState", next(reversed(self.taken), self.state))


def sums_of(postings: Iterable[Posting]) -> Sums:
    """Return what postings move on each account."""
    sums: Sums = {}
    for account, asset, units in ((posting.account, posting.asset, posting.units) for posting in postings):
        sums[account, asset] = sums.get((account, asset), 0) + units
    return sums


def step_problem(
    step: Resolution, origin: tuple[str, str, str], units: Sums, target: Target | None, booked_at_us: int
) -> str | None:
    """Return why a booking may not take a step, one line for people; None where it may.

    Args:
        step: The step.
        origin: The booking's book, stream and instance.
        units: What the booking moves.
        target: The transaction that the step names; None where there is none.
        booked_at_us: When the booking is made, microseconds since 1970.
    """
    if target is None or target.origin[0] != origin[0]:
        return f"the book {origin[0]} has no transaction {step.transaction}"
    outcome = step.outcome
    if target.origin != origin:
        problem: str | None = f"it is of {target.origin[2]} ({target.origin[1]}), not of {origin[2]} ({origin[1]})"
    elif outcome in RESOLVING:
        problem = _not_open(target) or _out_of_time(outcome, target, booked_at_us)
        if problem is None and outcome == "posted":
            problem = _more_than_pending(units, target.units)
    else:
        problem = _not_posted(target) or _taken_before(target, outcome)
        if problem is None:
            problem = _not_settling(units, target) if outcome == "settled" else _not_reversing(units, target)
    return None if problem is None else f"{step.transaction} cannot be {outcome}: {problem}"


def _not_open(target: Target) -> str | None:
    if target.state != PENDING:
        return "it was posted at once, and there is nothing to resolve"
    return next((_already(state, taken) for state, taken in target.taken.items()), None)


def _out_of_time(outcome: str, target: Target, booked_at_us: int) -> str | None:
    expires_at_us = target.expires_at_us
    if outcome == "expired":
        if expires_at_us is None:
            return "it is pending and never expires"
        if booked_at_us < expires_at_us:
            return f"it is pending until {from_us(expires_at_us).isoformat()}"
    elif outcome == "posted" and expires_at_us is not None and booked_at_us >= expires_at_us:
        return f"it was pending until {from_us(expires_at_us).isoformat()}, and that has passed"
    return None


def _not_posted(target: Target) -> str | None:
    if target.state == PENDING:
        if (posted := target.taken.get("posted")) is not None:
            return f"it was pending and is posted by {id_text(posted.transaction)}: name that one"
        return f"it is {target.present_state}"
    if target.took is not None and target.took[0] != "posted":
        return f"by it, {id_text(target.took[1])} was {target.took[0]}"
    return None


def _taken_before(target: Target, outcome: str) -> str | None:
    taken = target.taken.get(outcome)
    return None if taken is None else _already(outcome, taken)


def _already(state: str, taken: Taken) -> str:
    return f"it is {state} already, by {id_text(taken.transaction)}"


def _more_than_pending(units: Sums, pending: Sums) -> str | None:
    for place, moved in units.items():
        held = pending.get(place, 0)
        if moved * held < 0 or abs(moved) > abs(held):
            return f"{_told(place, moved)} is to be posted where {_told(place, held)} is pending"
    return None if any(units.values()) else "nothing of it would be posted; void it"


def _not_settling(units: Sums, target: Target) -> str | None:
    taken_back: Mapping[tuple[str, str], int] = target.taken["reversed"].units if "reversed" in target.taken else {}
    took_something = False
    for place, moved in units.items():
        account = place[0]
        kind = account_kind(account)
        if kind in {"income", "equity"}:
            return f"a settlement moves what was due, and does not touch {account}"
        if kind == "cost":
            if moved < 0:
                return f"{_told(place, moved)} lowers a cost, and a settlement only adds to it"
        elif place in target.units:
            due = target.units[place] + taken_back.get(place, 0)
            if moved * due > 0 or abs(moved) > abs(due):
                return f"{_told(place, moved)} is to be moved where {_told(place, due)} is due"
            took_something = took_something or moved != 0
        elif account.startswith(_RECEIVABLE):
            return f"it put nothing on {account}"
    return None if took_something else "nothing that it left due would be moved"


def _not_reversing(units: Sums, target: Target) -> str | None:
    settled: Mapping[tuple[str, str], int] = target.taken["settled"].units if "settled" in target.taken else {}
    for place, moved in units.items():
        booked = target.units[place] if place in target.units else settled.get(place, 0)
        if moved * booked > 0 or abs(moved) > abs(booked):
            return f"{_told(place, moved)} is no inverse of the {_told(place, booked)} that was booked, or of a part"
    return None if any(units.values()) else "nothing of it would be taken back"


def _told(place: tuple[str, str], units: int) -> str:
    account, asset = place
    return f"{format_amount(units, asset)} {asset} on {account}"
