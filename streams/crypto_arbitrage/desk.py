"""One venue's account, shared by all instances that trade there: one client, one poll for everybody, one inventory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from streams.commons import Common
from streams.crypto_arbitrage.clock_offset import ClockOffset
from streams.crypto_arbitrage.gates import Sighting
from streams.crypto_arbitrage.inventory import Inventory
from streams.crypto_arbitrage.market import Market
from streams.crypto_arbitrage.order import Order, OrderReport
from streams.crypto_arbitrage.order_book import OrderBook
from streams.crypto_arbitrage.venue import OrderRefused, Venue, VenueUnavailable, Wallet
from streams.crypto_arbitrage.watchers import Watchers

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_UPKEEP_S: Final = 30.0
_BUSY_S: Final = 1.0
"""Until balances are asked for again where orders were on their way."""

_ON_ITS_WAY_S: Final = 60.0
"""How long an order that nobody ends keeps balances from being taken up."""

_LONGEST_PAUSE_S: Final = 10.0
_FAILURES_TO_START_ANEW: Final = 6
_REMEASURE_ROUNDS: Final = 2


class DeskState(msgspec.Struct):
    """What outlives a desk that fails and is made anew.

    Attributes:
        inventory: Balances and reservations.
        watchers: Who wants to know what.
    """

    inventory: Inventory
    watchers: Watchers


class VenueDesk(Common):
    """Polls one venue for all, tells what changed, and keeps its account's inventory.

    Args:
        venue: The venue.
        state: What outlives it.
        pace_ms: The least time between two calls; None for ccxt's own.
        poll_s: How often best prices are asked for where no watcher says how often; longer while the venue fails.
        depth_levels: How many levels of a book are asked for where no watcher says how many.
        now: The time, aware UTC.
        monotonic: Seconds for intervals.
        log: The desk's logger.
    """

    def __init__(
        self,
        venue: Venue,
        state: DeskState,
        *,
        pace_ms: int | None,
        poll_s: float,
        depth_levels: int,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        log: FilteringBoundLogger,
    ) -> None:
        self._venue = venue
        self.inventory = state.inventory
        self.watchers = state.watchers
        self.clock = ClockOffset(venue.time_resolution_ms)
        self.pace_ms = pace_ms
        self._poll_s = poll_s
        self._depth_levels = depth_levels
        self._now = now
        self._monotonic = monotonic
        self._log = log
        self._markets: Mapping[str, Market] = {}
        self._wallets: Mapping[str, Wallet] = {}
        self._seen: dict[str, tuple[OrderBook, float]] = {}
        self._asked: dict[str, asyncio.Task[OrderBook]] = {}
        self._traded_s: dict[str, float] = {}
        self._failures_to_start_anew = _FAILURES_TO_START_ANEW
        self.heard_s = monotonic()
        self.polls = self.failures = 0

    @property
    def markets(self) -> Mapping[str, Market]:
        """The venue's spot markets, by symbol."""
        return self._markets

    async def start(self) -> None:
        """Connect, and learn markets, wallets, balances and the venue's time.

        Raises:
            CcxtMissing: The extra is not installed.
            NoSuchVenue: ccxt does not know the venue.
            VenueUnavailable: It does not answer, or does not know the account.
        """
        await self._venue.open()
        self._markets = await self._venue.markets()
        self._wallets = await self._venue.wallets()
        await self.read_balances()
        for _ in range(_REMEASURE_ROUNDS):
            await self._measure_clock()
        self.heard_s = self._monotonic()

    async def run(self) -> None:
        """Poll, and look after balances and the clock, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._poll_for_ever(), name=f"poll {self._venue.name}")
            tasks.create_task(self._upkeep_for_ever(), name=f"upkeep {self._venue.name}")

    async def stop(self) -> None:
        """Disconnect."""
        asked = list(self._asked.values())
        for task in asked:
            task.cancel()
        if asked:
            await asyncio.wait(asked)
        await self._venue.close()

    def wallet(self, asset: str) -> Wallet:
        """Return whether an asset can come and go."""
        return self._wallets.get(asset, Wallet())

    def sighting(self, symbol: str) -> Sighting | None:
        """Return the best prices that were last seen of a market."""
        seen = self._seen.get(symbol)
        return None if seen is None else Sighting(seen[0], seen[1], self.clock)

    async def look(self, symbol: str) -> Sighting:
        """Return a market's book as it is now; those who ask at once share an answer.

        Raises:
            VenueUnavailable: The venue does not answer.
        """
        task = self._asked.get(symbol)
        if task is None:
            task = self._asked[symbol] = asyncio.create_task(
                self._venue.depth(symbol, self.watchers.depth_levels(self._depth_levels)), name=f"depth {symbol}"
            )
            task.add_done_callback(lambda done: self._answered(symbol, done))
        # Whoever gives up does not take the answer from the others.
        await asyncio.wait((task,))
        if task.cancelled():
            raise VenueUnavailable(f"the desk of {self._venue.name} is closing")
        book = task.result()
        seen = self._seen.get(symbol)
        return Sighting(book, book.received_s if seen is None else seen[1], self.clock)

    def traded_since(self, symbol: str, received_s: float) -> bool:
        """Return whether one of our own orders has met this market since a book was received."""
        return self._traded_s.get(symbol, float("-inf")) >= received_s

    async def place(self, order: Order) -> OrderReport:
        """Send an order; see `Venue.place`."""
        self._traded_s[order.market.symbol] = float("inf")
        self.inventory.sent(order.client_id, self._monotonic())
        try:
            return await self._venue.place(order)
        except OrderRefused:
            self.inventory.gone(order.client_id)
            raise
        finally:
            self._traded_s[order.market.symbol] = self._monotonic()

    async def find(self, order: Order) -> OrderReport | None:
        """Ask what came of an order; see `Venue.find`."""
        return await self._venue.find(order)

    async def read_balances(self) -> bool:
        """Take up what the venue says lies on the account, and return whether no order came between.

        Raises:
            VenueUnavailable: It does not answer.
        """
        self.inventory.forget(self._monotonic() - _ON_ITS_WAY_S)
        moves = self.inventory.moves
        return self.inventory.read(await self._venue.balances(), moves)

    def _answered(self, symbol: str, task: asyncio.Task[OrderBook]) -> None:
        del self._asked[symbol]
        if not task.cancelled():
            task.exception()  # whoever still waits raises it; nobody may

    async def _poll_for_ever(self) -> None:
        failed = 0
        while True:
            began_s = self._monotonic()
            wanted = self.watchers.symbols() & self._markets.keys()
            try:
                if wanted:
                    self._take(await self._venue.tops(sorted(wanted)))
                self.heard_s = self._monotonic()
                failed = 0
            except VenueUnavailable as error:
                failed += 1
                self.failures += 1
                if failed == 1:
                    self._log.warning("venue.unavailable", reason=str(error))
                if failed >= self._failures_to_start_anew:
                    raise
            pause_s = min(self.watchers.poll_s(self._poll_s) * 2**failed, _LONGEST_PAUSE_S)
            await asyncio.sleep(max(pause_s - (self._monotonic() - began_s), pause_s / 4))

    def _take(self, books: list[OrderBook]) -> None:
        self.polls += 1
        changed = set()
        for book in books:
            before = self._seen.get(book.symbol)
            if before is not None and before[0].same_state(book):
                self._seen[book.symbol] = (book, before[1])
            else:
                self._seen[book.symbol] = (book, book.received_s)
                changed.add(book.symbol)
        if changed:
            self.watchers.tell(changed)

    async def _upkeep_for_ever(self) -> None:
        pause_s = _UPKEEP_S
        while True:
            await asyncio.sleep(pause_s)
            try:
                pause_s = _UPKEEP_S if await self.read_balances() else _BUSY_S
                await self._measure_clock()
            except VenueUnavailable as error:
                self._log.debug("venue.upkeep_failed", reason=str(error))

    async def _measure_clock(self) -> None:
        asked_ms = self._now().timestamp() * 1e3
        venue_ms = await self._venue.time_ms()
        self.clock.measure(venue_ms, asked_ms, self._now().timestamp() * 1e3)
