"""The accounts of all contracts, and the journal beneath them: nothing is booked that is not on the disk first.

An event counts in memory at once, so that caps hold without waiting. It reaches the disk with the next `flush`, which
the stream makes at most a second later and before every statement. What a kill takes with it in that second was not
booked, and is not billed: the error is to the sponsor's favour.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from streams.content_monetization.contract_account import ContractAccount
from streams.content_monetization.delivery_events import (
    Carried,
    Delivered,
    Ended,
    Entered,
    Event,
    Opened,
    Signed,
    SpentNonce,
    Stated,
)
from streams.content_monetization.delivery_journal import append_events, read_events, rewrite_events
from streams.content_monetization.statement import Statement
from streams.content_monetization.terms import Terms

MAX_PENDING: Final = 20_000
"""Events that may wait for a disk that takes none; beyond that nothing more is counted."""

COMPACT_BYTES: Final = 2 * 1024 * 1024


class NotStored(Exception):
    """The journal cannot be written now; what was to be written waits in memory."""


class DeliveryLog:
    """The journal of one instance, and what it comes to.

    Args:
        path: The journal.
        now: The time, aware UTC.
        kept_for: How long a token that has counted must be remembered.
    """

    def __init__(self, path: Path, now: Callable[[], datetime], kept_for: timedelta) -> None:
        self._path = path
        self._now = now
        self._kept_for = kept_for
        self._accounts: dict[str, ContractAccount] = {}
        self._spent: OrderedDict[str, SpentNonce] = OrderedDict()
        self._spent_by: dict[str, str] = {}
        self._pending: list[Event] = []
        self._owed: OrderedDict[tuple[str, int], Statement] = OrderedDict()
        self._writing = asyncio.Lock()
        self._size = 0
        self.name = ""

    async def open(self, contracts: Iterable[Terms]) -> None:
        """Read the journal, and sign the contracts that are new or have other terms than before.

        What was delivered on former terms is stated on them.

        Raises:
            JournalDamaged: The file has a line that is no event.
            NotStored: The file cannot be written.
            OSError: It cannot be read.
        """
        for event in await asyncio.to_thread(read_events, self._path):
            self._apply(event)
        for account in self._accounts.values():
            self._owed |= {(account.terms.contract, number): each for number, each in account.unbooked.items()}
        if not self.name:
            self._add(Opened(os.urandom(5).hex(), self._now()))
        for terms in contracts:
            known = self._accounts.get(terms.contract)
            if known is None or known.terms != terms:
                self._sign(terms, known)
        await self.flush()
        await self._compact()

    def account(self, contract: str) -> ContractAccount:
        """Return a contract's account. Raises KeyError where it was never signed."""
        return self._accounts[contract]

    def accounts(self) -> dict[str, ContractAccount]:
        """Return all accounts by contract; those that are no longer in the settings too."""
        return self._accounts

    @property
    def statements(self) -> int:
        """How many statements were made in all."""
        return sum(account.statements for account in self._accounts.values())

    @property
    def has_room(self) -> bool:
        """Whether something more may be counted."""
        return len(self._pending) < MAX_PENDING

    def spent(self, nonce: str) -> SpentNonce | None:
        """Return what became of a token, if it has counted."""
        return self._spent.get(nonce)

    def deliver(self, event: Delivered) -> None:
        """Count an impression or a click."""
        self._add(event)
        self._forget_old(event.at)

    def end(self, contract: str) -> None:
        """End a contract now."""
        self._add(Ended(contract, self._now()))

    async def state(self) -> None:
        """Make every statement that is due; they are on the disk when this returns.

        Raises:
            NotStored: They are not, nor may any of them be booked.
        """
        # What a statement counts goes to the disk with it, in order: one group, whole or not at all.
        for account in self._accounts.values():
            while (statement := account.next_statement(self.name, self._now())) is not None:
                self._add(Stated(statement))
        await self.flush()

    def unbooked(self) -> list[Statement]:
        """Return the statements whose booking is owed, and which are on the disk."""
        return list(self._owed.values())

    def entered(self, statement: Statement, transaction: str) -> None:
        """Note that a statement is booked. Where that is lost, it is booked again under the same key: once."""
        self._owed.pop((statement.terms.contract, statement.number), None)
        self._add(Entered(statement.terms.contract, statement.number, transaction))

    async def flush(self) -> None:
        """Bring to the disk what is not there yet.

        Raises:
            NotStored: It cannot be; it is kept, and goes with the next flush.
        """
        async with self._writing:
            if self._pending:
                await self._append(list(self._pending))

    async def tidy(self) -> None:
        """Write the journal anew where it has grown large.

        Raises:
            NotStored: It cannot be; the former one stands.
        """
        if self._size > COMPACT_BYTES:
            await self.flush()
            await self._compact()

    async def _append(self, group: list[Event]) -> None:
        async def append() -> None:
            self._size = await asyncio.to_thread(append_events, self._path, group)
            del self._pending[: len(group)]
            for event in group:
                if isinstance(event, Stated) and event.statement.units:
                    self._owed[event.statement.terms.contract, event.statement.number] = event.statement

        await self._finish(append())

    async def _compact(self) -> None:
        async with self._writing:
            if self._pending:
                return
            events: list[Event] = [Opened(self.name, self._now())]
            events += [
                account.carried(tuple(self._spent[nonce] for nonce, by in self._spent_by.items() if by == contract))
                for contract, account in self._accounts.items()
            ]

            async def rewrite() -> None:
                self._size = await asyncio.to_thread(rewrite_events, self._path, events)

            await self._finish(rewrite())

    async def _finish(self, writing: Coroutine[Any, Any, None]) -> None:
        """Wait for a thread that writes. Cancelled, wait on: what it wrote must be known before the next one writes."""
        task = asyncio.ensure_future(writing)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait((task,))
            if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, OSError):
                raise error from None
            raise
        except OSError as error:
            raise NotStored(f"{self._path} cannot be written: {error.strerror or error}") from error

    def _sign(self, terms: Terms, account: ContractAccount | None) -> None:
        while account is not None and (statement := account.next_statement(self.name, self._now(), force=True)):
            self._add(Stated(statement))
        self._add(Signed(terms.contract, terms, self._now()))

    def _add(self, event: Event) -> None:
        self._apply(event)
        self._pending.append(event)

    def _apply(self, event: Event) -> None:
        match event:
            case Opened(journal=journal):
                self.name = journal
                return
            case Stated(statement=statement):
                contract = statement.terms.contract
            case Signed(contract=contract, terms=terms) | Carried(contract=contract, terms=terms):
                if contract not in self._accounts:
                    self._accounts[contract] = ContractAccount(terms)
            case _:
                contract = event.contract
        self._accounts[contract].apply(event)
        if isinstance(event, Carried):
            for spent in event.spent:
                self._spend(spent, contract)
        elif isinstance(event, Delivered):
            self._spend(SpentNonce(event.nonce, event.at, event.click), contract)

    def _spend(self, spent: SpentNonce, contract: str) -> None:
        self._spent[spent.nonce] = spent
        self._spent_by[spent.nonce] = contract

    def _forget_old(self, now: datetime) -> None:
        while self._spent:
            nonce, oldest = next(iter(self._spent.items()))
            if now - oldest.at <= self._kept_for:
                return
            del self._spent[nonce], self._spent_by[nonce]
