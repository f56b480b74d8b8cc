"""The accounts of an instance's keys: opened when a key is first used, with what the ledger knows of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeAlias

from streams.metering.account import Account
from streams.metering.allowance import Allowance, Period, period_at
from streams.metering.api_key import digest_of
from streams.metering.key_journal import KeyRecord
from streams.metering.key_store import KeyStore

UnbookedCalls: TypeAlias = dict[str, tuple[str, int]]
"""By key: a period, and the calls in it that cost nothing, which no ledger knows."""

_BEARER: Final = b"bearer "
_MAX_CREDENTIAL_BYTES: Final = 128


class Accounts:
    """Finds the account that a caller's credential opens."""

    def __init__(self, keys: KeyStore, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._now = now
        self._period: Period | None = None
        self._open: dict[str, Account] = {}
        self._calls: dict[str, int] = {}
        self._spent: dict[str, int] = {}
        self._unbooked: UnbookedCalls = {}

    def restore(self, period: Period, calls: dict[str, int], spent: dict[str, int]) -> None:
        """Take what the keys have used, before the first account is opened.

        Args:
            period: The current one.
            calls: Calls booked in it, by key.
            spent: Units spent in all, by key.
        """
        self._period = period
        self._calls = calls
        self._spent = spent

    def find(self, authorization: bytes | None) -> Account | None:
        """Return the account that an Authorization header opens; None where there is none in force."""
        if (
            authorization is None
            or len(authorization) > _MAX_CREDENTIAL_BYTES
            or authorization[: len(_BEARER)].lower() != _BEARER
        ):
            return None
        record = self._keys.find(digest_of(authorization[len(_BEARER) :].strip()))
        if record is None:
            return None
        return self._open.get(record.id) or self._open_account(record)

    def unbooked_calls(self) -> UnbookedCalls:
        """Return the calls that cost nothing: a checkpoint's matter."""
        used = {
            key: (account.allowance.period.name, account.allowance.unbooked)
            for key, account in self._open.items()
            if account.allowance.unbooked
        }
        return self._unbooked | used

    def restore_unbooked(self, calls: UnbookedCalls) -> None:
        """Take up a former `unbooked_calls`, before the first account is opened."""
        self._unbooked = dict(calls)

    def _open_account(self, record: KeyRecord) -> Account:
        period = self._period if self._period is not None else period_at(self._now())
        allowance = Allowance(
            record.quota,
            record.credit,
            period,
            calls=self._calls.get(record.id, 0),
            spent=self._spent.get(record.id, 0),
        )
        period_name, unbooked = self._unbooked.pop(record.id, ("", 0))
        if period_name == period.name:
            allowance.calls += unbooked
            allowance.unbooked = unbooked
        account = self._open[record.id] = Account(record, allowance)
        return account
