"""Group commit: bookings of the event loop gather while a thread writes the group before them."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final, TypeAlias

import structlog

from orchestrator.money.group import Outcome
from orchestrator.money.preparation import Prepared, prepare
from orchestrator.money.store import Store
from streams.booking import Book, BookingRejected, LedgerUnavailable, Receipt

OnCommitted: TypeAlias = Callable[[tuple[tuple[Book, Receipt], ...]], None]
OnRejected: TypeAlias = Callable[[Book, BookingRejected], None]

MAX_WAITING: Final = 50_000
"""Bookings that may wait; beyond, a new one is refused at once rather than answered too late."""

MAX_GROUP: Final = 2048
"""A group takes no more once it has so many. Larger ones share an fsync among more, and answer later."""

RETRY_AFTER_S: Final = 5.0
_IDLE_S: Final = 2.0

_Ticket: TypeAlias = tuple[Prepared, "asyncio.Future[Receipt]"]
_Answer: TypeAlias = "Outcome | LedgerUnavailable | OutcomeUnknown"
_log = structlog.get_logger(__name__)


class OutcomeUnknown(Exception):
    """The writer broke off in the middle of a group: a booking may have been made or not. Asking again tells."""


class GroupWriter:
    """The loop's side of the store: takes bookings, and answers each when its group is on disk.

    Bookings are written in the order they came. All methods are to be called on the event loop.

    Args:
        store: The store; the writer's thread opens, uses and closes it.
        on_committed: Called on the loop with what each group booked for the first time.
        on_rejected: Called on the loop with each booking that can never be made as it stands, and why.
    """

    def __init__(
        self, store: Store, on_committed: OnCommitted | None = None, on_rejected: OnRejected | None = None
    ) -> None:
        self._store = store
        self._on_committed = on_committed
        self._on_rejected = on_rejected
        self._tickets: queue.SimpleQueue[list[_Ticket] | None] = queue.SimpleQueue()
        self._gathered: list[_Ticket] = []
        self._begun: list[_Ticket] = []
        self._taken = 0
        self._answered = 0
        self._watched: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._closing = False
        self._failing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._finished: asyncio.Future[None] | None = None

    @property
    def waiting(self) -> int:
        """Bookings that have no answer yet."""
        return self._taken - self._answered

    async def start(self) -> None:
        """Open the store in a thread of its own; bookings are taken when this returns.

        Raises:
            LedgerFileError, OSError, sqlite3.Error: The store cannot be opened.
        """
        self._loop = loop = asyncio.get_running_loop()
        opened, self._finished = loop.create_future(), loop.create_future()
        threading.Thread(
            target=self._run, args=(loop, opened, self._finished), name="ledger-writer", daemon=True
        ).start()
        await asyncio.shield(opened)

    def submit(self, booking: Book) -> asyncio.Future[Receipt]:
        """Take a booking; the future has its receipt once it is on disk.

        A booking is made even if its future is cancelled meanwhile; asking again under the same key tells.

        Raises:
            BookingRejected: It can never be booked as it stands. The future may be answered so, too.
            LedgerUnavailable: Too many wait, or the writer is not running. The future may be answered so, too.
            OutcomeUnknown: Only from the future: the writer broke off while it had the booking.
        """
        if self._loop is None or self._closing:
            raise LedgerUnavailable("it is not open", RETRY_AFTER_S)
        if self.waiting >= MAX_WAITING:
            raise LedgerUnavailable(f"{self.waiting} bookings are waiting already", RETRY_AFTER_S)
        try:
            prepared = prepare(booking)
        except BookingRejected as rejection:
            self._tell_rejected(booking, rejection)
            raise
        future: asyncio.Future[Receipt] = self._loop.create_future()
        if not self._gathered:
            # Handed over at the end of this turn of the loop: what comes together is written together.
            self._loop.call_soon(self._hand_over)
        self._gathered.append((prepared, future))
        self._taken += 1
        return future

    def answered(self) -> asyncio.Future[None]:
        """Return a future that is done when every booking taken so far has its answer, on disk or refused."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.waiting:
            self._watched.append((self._taken, future))
        else:
            future.set_result(None)
        return future

    async def finished(self) -> None:
        """Wait until the thread has ended.

        Raises:
            BaseException: What ended it, where it was not `close`.
        """
        if self._finished is not None:
            await asyncio.shield(self._finished)

    async def close(self) -> None:
        """Write what waits, close the store, and end the thread. Does nothing when it is not running.

        What went wrong, if something did, is for `finished` to tell.
        """
        if self._finished is None:
            return
        if not self._closing:
            self._closing = True
            self._hand_over()
            self._tickets.put(None)
        await asyncio.wait([self._finished])
        self._finished.exception()  # told by `finished` to whoever watches; here it only must not be forgotten

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        for start in range(0, len(gathered), MAX_GROUP):
            self._tickets.put(gathered[start : start + MAX_GROUP])

    def _answer(self, group: list[_Ticket], outcomes: Sequence[_Answer]) -> None:
        self._answered += len(group)
        booked = []
        for (prepared, future), outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, Receipt):
                if not outcome.replayed:
                    booked.append((prepared.booking, outcome))
                if not future.done():
                    future.set_result(outcome)
                continue
            if isinstance(outcome, BookingRejected):
                self._tell_rejected(prepared.booking, outcome)
            if not future.done():
                future.set_exception(outcome)
        while self._watched and self._watched[0][0] <= self._answered:
            _settle(self._watched.popleft()[1], None)
        if booked and self._on_committed is not None:
            self._on_committed(tuple(booked))

    def _tell_rejected(self, booking: Book, rejection: BookingRejected) -> None:
        if self._on_rejected is not None:
            self._on_rejected(booking, rejection)

    def _end(self, finished: asyncio.Future[None], failure: BaseException | None) -> None:
        self._closing = True
        begun, self._begun = self._begun, []
        self._answer(
            begun, [OutcomeUnknown(f"the ledger's writer ended in the middle of it: {failure}") for _ in begun]
        )
        left, self._gathered = self._gathered, []
        with suppress(queue.Empty):
            while True:
                left += self._tickets.get_nowait() or ()
        self._answer(left, [LedgerUnavailable(f"its writer ended: {failure}", RETRY_AFTER_S) for _ in left])
        _settle(finished, failure)

    # From here on, the thread's side.

    def _run(
        self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None], finished: asyncio.Future[None]
    ) -> None:
        failure: BaseException | None = None
        try:
            self._store.open()
        except BaseException as error:  # noqa: BLE001  raised by `start`
            _call(loop, _settle, opened, error)
        else:
            _call(loop, _settle, opened, None)
            try:
                for group in self._groups():
                    self._begun = group
                    outcomes = self._write([prepared for prepared, _ in group])
                    self._begun = []
                    _call(loop, self._answer, group, outcomes)
                    self._tidy()
            except BaseException as error:  # noqa: BLE001  raised by `finished`
                failure = error
            self._store.close()
        _call(loop, self._end, finished, failure)

    def _groups(self) -> Iterator[list[_Ticket]]:
        while (group := self._wait_for_tickets()) is not None:
            while len(group) < MAX_GROUP:
                try:
                    more = self._tickets.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    self._tickets.put(None)
                    break
                group += more
            yield group

    def _wait_for_tickets(self) -> list[_Ticket] | None:
        try:
            return self._tickets.get(timeout=_IDLE_S)
        except queue.Empty:
            self._tidy(idle=True)
            return self._tickets.get()

    def _write(self, group: list[Prepared]) -> Sequence[Outcome | LedgerUnavailable]:
        outcomes: Sequence[Outcome | LedgerUnavailable]
        try:
            outcomes = self._store.write_group(group)
        except sqlite3.Error as error:
            outcomes = [LedgerUnavailable(str(error), RETRY_AFTER_S) for _ in group]
        refusal = next((outcome for outcome in outcomes if isinstance(outcome, LedgerUnavailable)), None)
        if refusal is not None and not self._failing:
            _log.error("ledger.unavailable", reason=str(refusal), bookings=len(group))
        elif refusal is None and self._failing:
            _log.info("ledger.recovered", bookings=len(group))
        self._failing = refusal is not None
        return outcomes

    def _tidy(self, *, idle: bool = False) -> None:
        try:
            self._store.checkpoint(idle=idle)
        except sqlite3.Error as error:
            _log.warning("ledger.checkpoint_failed", reason=str(error))


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *args: object) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
        loop.call_soon_threadsafe(function, *args)


def _settle(future: asyncio.Future[None], failure: BaseException | None) -> None:
    if future.done():
        return
    if failure is None:
        future.set_result(None)
    else:
        future.set_exception(failure)
