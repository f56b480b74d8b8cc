"""Who gets a slot: the highest priority that may stand there, and equals in turn by their weights."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from typing import Final

import msgspec

from streams.content_monetization.contract import SlotName, SponsorContract
from streams.content_monetization.contract_account import ContractAccount
from streams.content_monetization.terms import MILLI, Terms

AHEAD: Final = timedelta(minutes=30)
"""How far an evenly paced contract may be ahead: without it, the first reader of a day would see none."""

_DAY: Final = timedelta(days=1)


class Placement(msgspec.Struct, frozen=True):
    """A contract that is in the settings."""

    contract: SponsorContract
    terms: Terms


class Rotation:
    """Keeps whose turn it is, by slot: smooth weighted round robin, so that shares are exact and not by chance.

    Args:
        placements: The contracts.
    """

    def __init__(self, placements: Sequence[Placement]) -> None:
        self._placements = tuple(placements)
        self._turns: dict[SlotName, dict[str, int]] = {}

    def candidates(self, slot: SlotName) -> list[Placement]:
        """Return those that may stand in a slot, by their contracts."""
        return [placement for placement in self._placements if slot in placement.contract.slots]

    def next(self, slot: SlotName, eligible: Collection[Placement]) -> Placement:
        """Return whose turn it is among those that are eligible now, and take the turn; there is at least one."""
        highest = max(placement.contract.priority for placement in eligible)
        group = [placement.contract for placement in eligible if placement.contract.priority == highest]
        turns = self._turns.setdefault(slot, {})
        for contract in group:
            turns[contract.id] = turns.get(contract.id, 0) + contract.weight
        first = max(group, key=lambda contract: turns[contract.id])
        turns[first.id] -= sum(contract.weight for contract in group)
        return next(placement for placement in eligible if placement.contract.id == first.id)


def is_in_pace(placement: Placement, account: ContractAccount, now: datetime) -> bool:
    """Return whether a contract's spending is where an even spread has it by now, or behind."""
    terms = placement.terms
    if placement.contract.pacing == "none":
        return True
    if terms.budget is not None and terms.ends is not None:
        share = _elapsed(now - terms.starts, terms.ends - terms.starts)
        if account.spent_milli > terms.budget * MILLI * share:
            return False
    if terms.daily_budget is not None:
        midnight = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
        if account.spent_on(now) > terms.daily_budget * MILLI * _elapsed(now - midnight, _DAY):
            return False
    return True


def _elapsed(passed: timedelta, length: timedelta) -> Fraction:
    microsecond = timedelta(microseconds=1)
    return Fraction(min(passed + AHEAD, length) // microsecond, length // microsecond)
