"""The trial: a small fleet that runs until every instance has booked something, and books that are verified.

It is the daemon itself, in the sandbox, with customers in a hurry; nothing of the home's configuration is changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from time import monotonic
from typing import Final

import msgspec

from actors import ActorError
from config import ConfigStore, Paths, Settings
from config.fleet import multipliers_of
from orchestrator.daemon import Running, run
from orchestrator.fleet.messages import ListInstances
from orchestrator.fleet.view import InstanceRow
from orchestrator.money.messages import VerifyLedger
from orchestrator.money.report import VerifyReport
from streams.booking import Book, Receipt
from streams.catalog import Catalog
from streams.money import format_amount
from streams.transfers import is_internal

INSTANCES: Final = 5
LIMIT_S: Final = 60.0

CALLS_PER_MINUTE: Final = 120.0
"""A customer's first call comes within half a second then."""

_LOOK_EVERY_S: Final = 0.5
_ASK_S: Final = 10.0
_VERIFY_S: Final = 600.0


class Row(msgspec.Struct, frozen=True):
    """What one instance did.

    Attributes:
        instance: Its id.
        stream: Its stream.
        port: Where it listens.
        bookings: How often it booked.
        amounts: Income less cost by asset, exact decimal text; without what is pending, or is earned of each other.
        first_after_s: Seconds from the trial's start to its first booking; None where there is none.
    """

    instance: str
    stream: str
    port: int
    bookings: int
    amounts: dict[str, str]
    first_after_s: float | None


class Result(msgspec.Struct, frozen=True):
    """How a trial went.

    Attributes:
        rows: The instances, in order of their ports.
        transactions: Those in the ledger that were verified; 0 where it did not come to that.
        problem: Why it failed, one line; None where it did not.
        interrupted: Whether it was asked to stop before it was done.
    """

    rows: tuple[Row, ...]
    transactions: int
    problem: str | None
    interrupted: bool


def conduct(paths: Paths, limit_s: float = LIMIT_S) -> Result:
    """Run a trial in this process, and return how it went.

    Args:
        paths: The home; it becomes what a first start makes of it, and the books are its own.
        limit_s: How long instances may take to book something.

    Raises:
        The same as `orchestrator.daemon.run`.
    """
    store = ConfigStore(paths, multipliers_of(Catalog()))
    counts = spread(store.validate().fleet.streams)
    trial = Trial(sum(counts.values()), limit_s)
    status = run(paths, adjust=hurried, counts=counts, work=trial.work, on_booked=trial.note)
    result = trial.result()
    if status and result.problem is None and not result.interrupted:
        return msgspec.structs.replace(result, problem="the daemon did not stop within its deadline; the log says why")
    return result


def spread(streams: Iterable[str], instances: int = INSTANCES) -> dict[str, int]:
    """Return how many instances of each stream there are, as evenly as can be; one of each at least."""
    names = sorted(streams)
    if not names:
        return {}
    share, rest = divmod(max(instances, len(names)), len(names))
    return {name: share + (place < rest) for place, name in enumerate(names)}


def hurried(settings: Settings) -> Settings:
    """Return the settings in the sandbox, with customers who call often."""
    fleet = msgspec.structs.replace(settings.fleet, mode="sandbox", sandbox_calls_per_minute=CALLS_PER_MINUTE)
    return msgspec.structs.replace(settings, fleet=fleet)


class Trial:
    """One trial.

    Args:
        wanted: Instances that are to book something.
        limit_s: How long they may take.
    """

    def __init__(self, wanted: int, limit_s: float) -> None:
        self._wanted = wanted
        self._limit_s = limit_s
        self._began = monotonic()
        self._instances: tuple[InstanceRow, ...] = ()
        self._bookings: dict[str, int] = {}
        self._units: dict[str, dict[str, int]] = {}
        self._first_after_s: dict[str, float] = {}
        self._report: VerifyReport | None = None
        self._problem: str | None = None
        self._interrupted = False
        self._counting = True

    def note(self, booked: tuple[tuple[Book, Receipt], ...]) -> None:
        """Take note of the bookings of one commit, until the ledger is verified."""
        if not self._counting:
            return
        for booking, _ in booked:
            if all(is_internal(posting.account) for posting in booking.postings):
                continue  # a transfer between instances: nobody from outside has paid
            instance = booking.instance
            self._bookings[instance] = self._bookings.get(instance, 0) + 1
            self._first_after_s.setdefault(instance, monotonic() - self._began)
            units = self._units.setdefault(instance, {})
            for posting in booking.postings if booking.state == "posted" else ():
                if posting.account.startswith(("income:", "cost:")):
                    units[posting.asset] = units.get(posting.asset, 0) - posting.units

    async def work(self, running: Running) -> int:
        """Wait for the bookings, then verify the ledger; return the exit status."""
        trying = asyncio.ensure_future(self._try(running))
        stopping = asyncio.ensure_future(running.stopping.wait())
        try:
            await asyncio.wait((trying, stopping), return_when=asyncio.FIRST_COMPLETED)
            if trying.done():
                self._problem = trying.result()
            else:
                self._interrupted = True
        finally:
            for task in (trying, stopping):
                task.cancel()
            await asyncio.gather(trying, stopping, return_exceptions=True)
        return int(self._interrupted or self._problem is not None)

    def result(self) -> Result:
        """Return how it went."""
        return Result(
            tuple(map(self._row, self._instances)),
            self._report.transactions if self._report is not None else 0,
            self._problem,
            self._interrupted,
        )

    async def _try(self, running: Running) -> str | None:
        """Return why it failed, None where it did not."""
        if not self._wanted:
            return "no stream is configured; name one in fleet_config.json"
        try:
            problem = await self._wait_for_bookings(running)
            self._counting = False
            self._report = await running.tree.ledger.ask(VerifyLedger(), _VERIFY_S)
        except ActorError as error:
            return str(error)
        if problem is None and not self._report.ok:
            first = self._report.problems[0].what
            problem = f"the ledger has {self._report.problem_count} problems, the first: {first}"
        return problem

    async def _wait_for_bookings(self, running: Running) -> str | None:
        while True:
            page = await running.tree.fleet.ask(ListInstances(limit=1000), _ASK_S)
            self._instances = page.items
            missing = [row for row in self._instances if row.id not in self._bookings]
            if len(self._instances) >= self._wanted and not missing:
                return None
            failed = next((row for row in missing if row.state == "failed"), None)
            if failed is not None:
                return f"{failed.id} gave up: {failed.last_failure}"
            if monotonic() - self._began > self._limit_s:
                return self._overdue(missing)
            await asyncio.sleep(_LOOK_EVERY_S)

    def _overdue(self, missing: list[InstanceRow]) -> str:
        if len(self._instances) < self._wanted:
            return (
                f"{self._wanted} instances were to run, but there are {len(self._instances)}; "
                "the log says why (fleet.stream_refused)"
            )
        told = ", ".join(f"{row.id} ({row.last_failure or row.state})" for row in missing)
        return f"within {self._limit_s:g} s nothing was booked by {told}"

    def _row(self, row: InstanceRow) -> Row:
        amounts = {asset: format_amount(units, asset) for asset, units in self._units.get(row.id, {}).items()}
        bookings = self._bookings.get(row.id, 0)
        return Row(row.id, row.stream, row.port, bookings, amounts, self._first_after_s.get(row.id))
