"""What the fleet asks of a stream that sells by key."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, runtime_checkable

import msgspec

from streams.booking import BookName
from streams.metering.key_journal import KeyRecord
from streams.money import format_amount


class NewKey(msgspec.Struct, frozen=True):
    """A key that was just made.

    Attributes:
        id: Its public name, for `revoke_key`.
        key: The key itself. It is shown this once and kept nowhere.
    """

    id: str
    key: str


class KeyInfo(msgspec.Struct, frozen=True):
    """What people may know of a key.

    Attributes:
        id: Its public name.
        display: Its first characters.
        label: What its owner calls it.
        plan: The plan that it was made on.
        book: The book that its calls are booked in.
        rate_per_s: Calls a second that it may make.
        burst: Calls that it may make at once after a rest.
        quota: Calls per calendar month, UTC; None for no limit.
        credit: What it may spend in all, decimal text; None for no limit.
        asset: What the credit is counted in.
        own: Whether it is the daemon's own, and never billed.
        created_at: When it was made.
        revoked_at: When it was put out of force; None while it is in force.
    """

    id: str
    display: str
    label: str
    plan: str
    book: BookName
    rate_per_s: float
    burst: int
    quota: int | None
    credit: str | None
    asset: str
    own: bool
    created_at: datetime
    revoked_at: datetime | None


@runtime_checkable
class SellsByKey(Protocol):
    """A stream whose customers hold keys. What it refuses, it refuses with a `Refusal`."""

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
        """Make a key; it is durable when this returns.

        Args:
            plan: One of the instance's plans; None for its default. Its terms hold where nothing else is said.
            quota: Calls per calendar month, UTC.
            rate: Calls a second; a second's worth of it may come at once.
            credit: What it may spend in all, decimal text.
            label: What its owner calls it.
            book: The book that its calls are booked in; None for the instance's. In a paper instance every key is.
            own: Whether it is the daemon's own, and never billed.

        Raises:
            KeyRefused: It cannot be made as asked.
            KeyJournalUnwritable: It could not be stored.
        """
        ...

    def list_keys(self) -> tuple[KeyInfo, ...]:
        """Return all keys, oldest first; those in force and those revoked."""
        ...

    async def revoke_key(self, key_id: str) -> None:
        """Put a key out of force for ever; doing it again changes nothing.

        Args:
            key_id: Its id, or the key itself.

        Raises:
            NoSuchKey: There is no such key.
            KeyJournalUnwritable: It could not be stored; the key is still in force.
        """
        ...


def key_info(record: KeyRecord, revoked_at: datetime | None, asset: str) -> KeyInfo:
    """Return what people may know of a key."""
    return KeyInfo(
        id=record.id,
        display=record.display,
        label=record.label,
        plan=record.plan,
        book=record.book,
        rate_per_s=record.rate_per_s,
        burst=record.burst,
        quota=record.quota,
        credit=None if record.credit is None else format_amount(record.credit, asset),
        asset=asset,
        own=record.own,
        created_at=record.created_at,
        revoked_at=revoked_at,
    )
