"""Requests that an instance which sells by key answers: key administration."""

from __future__ import annotations

from actors import Request
from streams.metering.selling import KeyInfo, NewKey


class CreateKey(Request[NewKey], frozen=True):
    """Make a key; see `SellsByKey.create_key`."""

    plan: str | None = None
    quota: int | None = None
    rate: float | None = None
    credit: str | None = None
    label: str = ""
    own: bool = False


class ListKeys(Request[tuple[KeyInfo, ...]], frozen=True):
    """All keys, oldest first."""


class RevokeKey(Request[None], frozen=True):
    """Put a key out of force for ever.

    Attributes:
        id: Its id, or the key itself as it was shown.
    """

    id: str
