"""The desk at which an instance's keys are made, listed and revoked, on the terms of its plans."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from streams.booking import BookName
from streams.metering.key_store import KeyRefused, KeyStore, KeyTerms
from streams.metering.plan import Plan
from streams.metering.selling import KeyInfo, NewKey, key_info
from streams.money import AmountError, parse_amount

KEYS_FILE: Final = "keys.jsonl"
"""Where an instance keeps its keys, in its own directory."""

_MAX_RATE_PER_S: Final = 1_000_000.0


class KeyDesk:
    """Sells the keys of one instance; what a stream needs to satisfy `SellsByKey`.

    Args:
        keys: The instance's keys.
        plans: Its plans, by name.
        default_plan: The plan of a key that is made without naming one.
        asset: What credits are counted in.
        book: The book that the instance books in.
    """

    def __init__(
        self, keys: KeyStore, plans: Mapping[str, Plan], default_plan: str, asset: str, book: BookName
    ) -> None:
        self._keys = keys
        self._plans = plans
        self._default_plan = default_plan
        self._asset = asset
        self._book: BookName = book

    async def create_key(
        self,
        *,
        plan: str | None = None,
        quota: int | None = None,
        rate: float | None = None,
        credit: str | None = None,
        label: str = "",
        book: BookName | None = None,
        own: bool = False,
    ) -> NewKey:
        """Make a key; see `SellsByKey`."""
        plan_name = self._default_plan if plan is None else plan
        terms = self._plans.get(plan_name)
        if terms is None:
            raise KeyRefused(f"there is no plan {plan_name!r} here; there are {', '.join(self._plans)}")
        if book == "live" and self._book == "paper":
            raise KeyRefused("this instance books in paper: it makes no live keys")
        key, record = await self._keys.create(
            KeyTerms(
                book=self._book if book is None else book,
                plan=plan_name,
                label=label,
                rate_per_s=_rate(terms, rate),
                burst=terms.burst if rate is None else max(1, math.ceil(rate)),
                quota=_quota(terms, quota),
                credit=_credit(terms, credit, self._asset),
                own=own,
            )
        )
        return NewKey(id=record.id, key=key)

    def list_keys(self) -> tuple[KeyInfo, ...]:
        """Return all keys, oldest first; those in force and those revoked."""
        return tuple(key_info(record, revoked_at, self._asset) for record, revoked_at in self._keys.all())

    async def revoke_key(self, key_id: str) -> None:
        """Put a key out of force for ever; see `SellsByKey`."""
        await self._keys.revoke(key_id)


class SellsAtDesk:
    """What makes a stream one that sells by key (`SellsByKey`): it has a desk.

    Attributes:
        desk: The instance's desk; set by the stream's constructor.
    """

    desk: KeyDesk

    async def create_key(
        self,
        *,
        plan: str | None = None,
        quota: int | None = None,
        rate: float | None = None,
        credit: str | None = None,
        label: str = "",
        book: BookName | None = None,
        own: bool = False,
    ) -> NewKey:
        """Make a key; see `SellsByKey`."""
        return await self.desk.create_key(
            plan=plan, quota=quota, rate=rate, credit=credit, label=label, book=book, own=own
        )

    def list_keys(self) -> tuple[KeyInfo, ...]:
        """Return all keys, oldest first; those in force and those revoked."""
        return self.desk.list_keys()

    async def revoke_key(self, key_id: str) -> None:
        """Put a key out of force for ever; see `SellsByKey`."""
        await self.desk.revoke_key(key_id)


def _rate(plan: Plan, rate: float | None) -> float:
    if rate is None:
        return plan.rate_per_s
    if not 0 < rate <= _MAX_RATE_PER_S:
        raise KeyRefused(f"a rate is above 0 and at most {_MAX_RATE_PER_S:g} calls a second, not {rate!r}")
    return rate


def _quota(plan: Plan, quota: int | None) -> int | None:
    if quota is None:
        return plan.quota
    if quota < 0:
        raise KeyRefused(f"a quota is 0 or more calls a month, not {quota}")
    return quota


def _credit(plan: Plan, credit: str | None, asset: str) -> int | None:
    if credit is None:
        return plan.credit_units(asset)
    try:
        units = parse_amount(credit, asset)
    except AmountError as error:
        raise KeyRefused(f"credit: {error}") from None
    if units < 0:
        raise KeyRefused(f"a credit is 0 or more, not {credit}")
    return units
