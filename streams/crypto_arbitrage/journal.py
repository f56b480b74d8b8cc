"""What an instance has done and not finished, on disk before it is done: the memory that a kill cannot take.

One JSON object a line. A line that was not written whole is the last, and what it tells of was not begun. At a
start the lines are read into a `Memory`, which is written back as few lines.
"""

from __future__ import annotations

import asyncio
import os
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from config.saving import write_atomically
from streams.booking import Posting
from streams.crypto_arbitrage.costing import Holdings
from streams.crypto_arbitrage.order import Order, OrderReport
from streams.crypto_arbitrage.plan import Plan
from streams.crypto_arbitrage.trip import Outcome
from streams.to_its_end import to_its_end

JOURNAL_FILE: Final = "trips.jsonl"

_COMPACT_BYTES: Final = 512 * 1024
_KEPT_DAYS: Final = 2


class Planned(msgspec.Struct, frozen=True, tag="planned"):
    """A trip begins."""

    plan: Plan


class Sending(msgspec.Struct, frozen=True, tag="sending"):
    """An order is about to be sent: from here on it may exist."""

    plan: str
    order: Order
    at: datetime


class Settled(msgspec.Struct, frozen=True, tag="settled"):
    """An order is over, and what it means for the books is decided: only this is ever booked for it.

    Attributes:
        report: What came of it.
        home: The asset that costs are counted in.
        order: The order.
        postings: What has to be booked; empty where nothing was filled.
        holdings: What is on the way after it.
        result: Income less fees; ledger units of the home asset.
    """

    report: OrderReport
    home: str
    order: Order
    postings: tuple[Posting, ...]
    holdings: Holdings
    result: int


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """An order surely does not exist."""

    client_id: str
    reason: str


class Booked(msgspec.Struct, frozen=True, tag="booked"):
    """The ledger has it."""

    client_id: str


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """A trip is over."""

    plan: str
    outcome: Outcome


class Kept(msgspec.Struct, frozen=True, tag="kept"):
    """What all older lines amount to; see `Memory`."""

    plan: Plan | None
    orders: tuple[tuple[Sending, Settled | Refused | None], ...]
    unbooked: tuple[Settled, ...]
    holdings: dict[str, Holdings]
    results: dict[str, dict[str, int]]


Line: TypeAlias = Planned | Sending | Settled | Refused | Booked | Finished | Kept


class Memory:
    """What the lines amount to.

    Attributes:
        plan: The trip that is not over; None where none is.
        orders: Its orders, in the order in which they were sent, with when, and what came of them: None where that
            is not known.
        unbooked: What the ledger may not have yet, by client id.
        holdings: What is on the way, by home asset.
        results: Income less fees by UTC day and home asset; ledger units.
    """

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.orders: list[tuple[Sending, Settled | Refused | None]] = []
        self.unbooked: dict[str, Settled] = {}
        self.holdings: dict[str, Holdings] = {}
        self.results: dict[str, dict[str, int]] = {}

    def take(self, line: Line) -> None:
        """Take up a line."""
        match line:
            case Planned():
                self.plan, self.orders = line.plan, []
            case Sending():
                self.orders.append((line, None))
            case Settled():
                self._answer(line.report.client_id, line)
                self.holdings[line.home] = dict(line.holdings)
                if line.postings:
                    self.unbooked[line.report.client_id] = line
                    day = self.results.setdefault(line.report.at.date().isoformat(), {})
                    day[line.home] = day.get(line.home, 0) + line.result
            case Refused():
                self._answer(line.client_id, line)
            case Booked():
                self.unbooked.pop(line.client_id, None)
            case Finished():
                self.plan, self.orders = None, []
            case Kept():
                self.plan, self.orders = line.plan, list(line.orders)
                self.unbooked = {settled.report.client_id: settled for settled in line.unbooked}
                self.holdings = {home: dict(held) for home, held in line.holdings.items()}
                self.results = {day: dict(result) for day, result in line.results.items()}

    def result_of(self, day: str, home: str) -> int:
        """Return income less fees of a UTC day; ledger units of the home asset."""
        return self.results.get(day, {}).get(home, 0)

    def kept(self) -> Kept:
        """Return a line that amounts to the same; results of the last days are enough."""
        days = sorted(self.results)[-_KEPT_DAYS:]
        return Kept(
            self.plan,
            tuple(self.orders),
            tuple(self.unbooked.values()),
            self.holdings,
            {day: self.results[day] for day in days},
        )

    def _answer(self, client_id: str, answer: Settled | Refused) -> None:
        self.orders = [
            (sending, answer if sending.order.client_id == client_id else known) for sending, known in self.orders
        ]


class JournalDamaged(Exception):
    """A line, other than the last, cannot be read: what happened is not known, so nothing is traded."""

    def __init__(self, file: Path, number: int, reason: str) -> None:
        super().__init__(
            f"{file}, line {number}: {reason}. Compare the venues' orders with the ledger, then move the file away"
        )


class Journal:
    """The file, and the memory that it is of.

    Args:
        directory: The instance's directory.
    """

    def __init__(self, directory: Path) -> None:
        self._file = directory / JOURNAL_FILE
        self._turn = asyncio.Lock()
        self._size_bytes = 0
        self.memory = Memory()

    async def load(self) -> None:
        """Read what is there, and write it back as one line.

        Raises:
            JournalDamaged: A line before the last cannot be read.
            OSError: The file cannot be read or written.
        """
        self.memory = await asyncio.to_thread(self._read)
        await self._compact()

    async def write(self, *lines: Line) -> None:
        """Take up lines, and return when they are on the disk.

        Raises:
            OSError: They cannot be written; none was taken up.
        """
        async with self._turn:
            # To the end even when cancelled: memory and file must not part.
            await to_its_end(self._append_and_take(lines))
        if self._size_bytes > _COMPACT_BYTES and self.memory.plan is None:
            await self._compact()

    async def _compact(self) -> None:
        async with self._turn:
            data = _encode(self.memory.kept())
            await to_its_end(asyncio.to_thread(write_atomically, self._file, data))
            self._size_bytes = len(data)

    async def _append_and_take(self, lines: tuple[Line, ...]) -> None:
        await asyncio.to_thread(self._append, b"".join(_encode(line) for line in lines))
        for line in lines:
            self.memory.take(line)

    def _append(self, data: bytes) -> None:
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            before = os.fstat(descriptor).st_size
            try:
                written = os.write(descriptor, data)
                if written != len(data):
                    raise OSError(f"only {written} of {len(data)} bytes were written to {self._file}")
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, before)
                raise
            self._size_bytes = before + len(data)
        finally:
            os.close(descriptor)

    def _read(self) -> Memory:
        memory = Memory()
        try:
            rows = self._file.read_bytes().split(b"\n")
        except FileNotFoundError:
            return memory
        # A whole line ends with a line feed, so what follows the last one was cut off.
        for number, row in enumerate(rows[:-1], 1):
            try:
                memory.take(_DECODER.decode(row))
            except msgspec.MsgspecError as error:
                raise JournalDamaged(self._file, number, str(error)) from error
        return memory


def _encode(line: Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"


_DECODER: Final = msgspec.json.Decoder(Line)
