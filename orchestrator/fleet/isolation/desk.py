"""The desk: answers what a child asks of the daemon, in its own name only."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from actors import Refusal
from orchestrator.fleet.instance import Surroundings
from orchestrator.fleet.isolation.channel import ChannelBroken
from orchestrator.fleet.isolation.frames import FOR_DAEMON, Ask, KeepCheckpoint, NeighboursOf, OwnKey
from orchestrator.fleet.record import Record
from streams.booking import Book, BookingRejected, FindBooking, ReadMeters, Receipt
from streams.transfers import Party, is_internal, transfer

_ASK_S: Final = 30.0
_OWNED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*-[0-9]{3,}(?=[:/])")
"""What a key begins with that says which instance it belongs to."""

_SELLERS_KEY: Final = re.compile(r"transfer:(.+):seller", re.DOTALL)


class NotYours(Refusal):
    """A child asks for what is another instance's, or another book's."""

    rpc_code = -32003


class Desk:
    """Serves one child.

    Args:
        record: Whose child it is.
        around: What the daemon has.
        keep_checkpoint: Stores a checkpoint.
        start: Runs an async function and returns the future of its result.
    """

    def __init__(
        self,
        record: Record,
        around: Surroundings,
        keep_checkpoint: Callable[[bytes], Awaitable[None]],
        start: Callable[..., asyncio.Future[Any]],
    ) -> None:
        self._record = record
        self._around = around
        self._keep_checkpoint = keep_checkpoint
        self._start = start
        self._neighbours = around.directory.neighbours_of(record.id)

    def serve(self, ask: Ask) -> asyncio.Future[Any]:
        """Return the future of the answer to a question.

        Raises:
            ChannelBroken: There is no such question.
            Refusal: It must not ask that.
        """
        question = FOR_DAEMON.get(ask.what)
        if question is None:
            raise ChannelBroken(f"it asks {ask.what[:100]!r}, which is no question")
        try:
            message = question.read.decode(ask.body)
        except msgspec.DecodeError as error:
            raise ChannelBroken(f"{ask.what} is not as it should be: {error}") from error
        match message:
            case Book():
                try:
                    return self._book(message)
                except BookingRejected:
                    # Its own, whomever it names: what it says of others tells nothing of them.
                    self._around.tally.note_refused(self._record.id)
                    raise
            case FindBooking():
                self._check_book(message.book)
                self._check_key(message.key)
                return self._around.ledger.ask(message, _ASK_S)
            case ReadMeters():
                self._check_meter(message.prefix)
                return self._around.ledger.ask(message, _ASK_S)
            case NeighboursOf():
                return self._start(self._neighbours.of, message.stream)
            case OwnKey():
                return self._start(self._neighbours.own_key, message.instance)
            case KeepCheckpoint():
                return self._start(self._keep_checkpoint, message.checkpoint)
        raise AssertionError(f"{ask.what} is declared, and not served")

    def _book(self, message: Book) -> asyncio.Future[Receipt]:
        record = self._record
        self._check_book(message.book)
        if (message.instance, message.stream) != (record.id, record.stream):
            buyers = self._buyers_side(message)
            # What it owes is booked first: it can give to others at its own cost, and nothing else.
            return self._start(self._book_both, buyers, message)
        self._check_key(message.key)
        for meter in message.meters:
            self._check_meter(meter.meter)
        for posting in message.postings:
            if is_internal(posting.account) and record.id not in posting.account.split(":"):
                raise BookingRejected(f"{record.id} is no party of {posting.account}")
        return self._around.ledger.ask(message, _ASK_S)

    async def _book_both(self, buyers: Book, sellers: Book) -> Receipt:
        await self._around.ledger.ask(buyers, _ASK_S)
        return await self._around.ledger.ask(sellers, _ASK_S)

    def _buyers_side(self, sellers: Book) -> Book:
        """Return its own side of a transfer whose other side it asks to book.

        Raises:
            BookingRejected: It is not the seller's side of a transfer from this instance.
        """
        record = self._record
        found = _SELLERS_KEY.fullmatch(sellers.key)
        refused = BookingRejected(f"{record.id} cannot book for {sellers.instance} ({sellers.stream})")
        if found is None or len(sellers.postings) != 2:
            raise refused
        due = sellers.postings[0]
        try:
            expected, buyers = transfer(
                found.group(1),
                kind=sellers.kind,
                book=sellers.book,
                seller=Party(sellers.stream, sellers.instance),
                buyer=Party(record.stream, record.id),
                asset=due.asset,
                units=due.units,
                occurred_at=sellers.occurred_at,
                evidence=sellers.evidence,
                memo=sellers.memo,
            )
        except ValueError:
            raise refused from None
        if sellers != expected:
            raise refused
        return buyers

    def _check_book(self, book: str) -> None:
        if book != self._around.book:
            raise BookingRejected(f"{self._record.id} books in {self._around.book!r}, not in {book!r}")

    def _check_key(self, key: str) -> None:
        owner = _OWNED.match(key)
        if owner is not None and owner.group() != self._record.id:
            raise BookingRejected(f"the key {key[:200]!r} is one of {owner.group()}'s, not of {self._record.id}'s")

    def _check_meter(self, name: str) -> None:
        if not name.startswith(f"{self._record.id}/"):
            raise NotYours(f"the meter {name[:200]!r} is not one of {self._record.id}'s")
