"""One venue at work: its makers, its matching and its file, behind what its dialect asks.

It is harder here than live: an order arrives late and meets the book of that moment, only what is visible fills,
what was taken stays away for a while, and now and then somebody else was faster, or the venue was busy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from streams.sandbox.venues.balances import Balance
from streams.sandbox.venues.dice import MILLION, Dice
from streams.sandbox.venues.exchange import Exchange, Placed
from streams.sandbox.venues.fair_prices import STEP_MS, FairPrices
from streams.sandbox.venues.feed import Feed, Ladders, step_at
from streams.sandbox.venues.keeper import Keeper, VenueDown
from streams.sandbox.venues.listings import Listing, VenueTerms
from streams.sandbox.venues.order import NewOrder, Order, Trade
from streams.sandbox.venues.store import OrderQuery, Store

LEAST_LATENCY_MS: Final = 8
GREATEST_LATENCY_MS: Final = 70

_BUSY_PPM: Final = 8_000
_LOST_ANSWER_PPM: Final = 2_000
_OUTRUN_PPM: Final = 40_000
_GREATEST_OUTRUN_RUNGS: Final = 3


class VenueBusy(Exception):
    """The venue did not take the order; nothing has changed."""


class AnswerLost(Exception):
    """The order was taken, or not: the venue does not say. Its owner has to ask."""


class VenueClock(msgspec.Struct, frozen=True):
    """What time it is in the world.

    Attributes:
        began_ms: When the world began, Unix milliseconds.
        now: The time, aware UTC.
        monotonic: Seconds for intervals.
        sleep: Waits for seconds.
    """

    began_ms: int
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def unix_ms(self) -> int:
        """Return Unix milliseconds."""
        return int(self.now().timestamp() * 1000)


class Book(msgspec.Struct, frozen=True):
    """What is offered for a pair, in ticks and lots, best first.

    Attributes:
        bids: What can be sold to.
        asks: What can be bought of.
        step: The moment it is of.
    """

    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
    step: int


class Day(msgspec.Struct, frozen=True):
    """What became of a pair in 24 hours.

    Attributes:
        open_ticks: The makers' price then.
        high_ticks: The greatest of a few moments since then.
        low_ticks: The smallest of them.
        lots: What the venue's accounts traded.
        cost_units: What that cost, in units of the quote asset.
        trades: In how many trades.
    """

    open_ticks: int
    high_ticks: int
    low_ticks: int
    lots: int
    cost_units: int
    trades: int


_DAY_MS: Final = 24 * 60 * 60 * 1000
_SAMPLES: Final = 8
_DAY_KEPT_S: Final = 30.0


class Venue:
    """Serves one venue's accounts and its public.

    Args:
        terms: How it deals.
        seed: The world's.
        clock: The world's time.
        path: Its file.
        deposits: What each account is given when it is first seen: units by account and asset.
        spared: Accounts that meet no misfortune, but latency and thin books like all.
    """

    def __init__(
        self,
        terms: VenueTerms,
        seed: int,
        clock: VenueClock,
        path: Path,
        deposits: dict[str, dict[str, int]],
        spared: frozenset[str] = frozenset(),
    ) -> None:
        self.terms = terms
        self.clock = clock
        self._prices = FairPrices(seed)
        self._feed = Feed(seed, terms, self._prices)
        self._fate = Dice(f"{seed}/{terms.name}/fate")
        self._store = Store(path)
        self._keeper = Keeper(self._store, terms)
        self._deposits = deposits
        self._spared = spared
        self._anchor_s = 0.0
        self._elapsed_ms = 0
        self._arrivals = 0
        self._days: tuple[float, dict[str, Day]] = (0.0, {})
        self._samples: dict[int, dict[str, int]] = {}

    @property
    def nonces(self) -> dict[str, int]:
        """The last nonce of each account; what is put here is stored with the next change."""
        return self._keeper.nonces

    # -- life -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the file, take up what is in it, and give new accounts what they begin with.

        Raises:
            OSError: The file cannot be made.
            sqlite3.Error: The file cannot be read.
            VenueDown: The file cannot be written.
        """
        self._anchor_s = self.clock.monotonic()
        self._elapsed_ms = max(self.clock.unix_ms() - self.clock.began_ms, 0)
        # So that a restarted venue does not draw the same misfortunes again.
        self._arrivals = self._elapsed_ms
        await self._keeper.open()
        exchange = self._ready()
        known = {account for account, _, _ in exchange.balances.rows()}
        for account, assets in self._deposits.items():
            if account not in known:
                for asset, units in assets.items():
                    exchange.deposit(account, asset, units)
        await self._durable()

    async def stop(self) -> None:
        """Write what is left to write, and close. Safe to call again."""
        await self._keeper.close()

    # -- the public -----------------------------------------------------------------------------------------------

    def step(self) -> int:
        """Return the step that it is."""
        return step_at(self._elapsed_ms + int((self.clock.monotonic() - self._anchor_s) * 1000))

    def listing(self, symbol: str) -> Listing | None:
        """Return what is known of a pair; None where it is not traded."""
        return self.terms.listings.get(symbol)

    def book(self, symbol: str, depth: int) -> Book:
        """Return what is offered for a pair.

        Args:
            symbol: The pair; it must be traded.
            depth: Prices on each side at most.

        Raises:
            VenueDown: See there.
        """
        exchange = self._ready()
        step, ladders = self._settle(exchange, symbol)
        return Book(
            list(islice(exchange.offers(symbol, "sell", ladders.bids), depth)),
            list(islice(exchange.offers(symbol, "buy", ladders.asks), depth)),
            step,
        )

    def middle_ticks(self, symbol: str) -> int:
        """Return the price that makers believe in."""
        return self._feed.middle_ppm_ticks(symbol, self.step()) // MILLION

    async def days(self) -> dict[str, Day]:
        """Return what became of each pair in 24 hours, as it was half a minute ago at most."""
        until_s, days = self._days
        now_s = self.clock.monotonic()
        if now_s >= until_s:
            volumes = await self._keeper.read(self._store.volumes, self.clock.unix_ms() - _DAY_MS)
            days = {symbol: self._day(symbol, volumes.get(symbol, (0, 0, 0))) for symbol in self.terms.listings}
            self._days = (now_s + _DAY_KEPT_S, days)
        return days

    def _day(self, symbol: str, volume: tuple[int, int, int]) -> Day:
        # At full hours of the world, so that most of them are known from the last time.
        apart = _DAY_MS // STEP_MS // _SAMPLES
        newest = self.step() // apart
        for sample in range(max(newest - _SAMPLES, 0), newest + 1):
            self._samples.setdefault(sample, self._prices.at(sample * apart))
        listing = self.terms.listings[symbol]
        kept = sorted(each for each in self._samples if each >= newest - _SAMPLES)
        self._samples = {each: self._samples[each] for each in kept}
        worths = [self._samples[each] for each in kept]
        ticks = [each[listing.base] * 10**listing.price_decimals // each[listing.quote] for each in worths]
        now = self.middle_ticks(symbol)
        return Day(ticks[0], max(*ticks, now), min(*ticks, now), *volume)

    # -- accounts -------------------------------------------------------------------------------------------------

    async def place(self, new: NewOrder) -> Placed:
        """Take an order, after it was a while on its way.

        Raises:
            OrderRefused: It is not taken.
            VenueBusy: Neither.
            AnswerLost: It was taken, or not.
            VenueDown: It may or may not have been taken, as after a crash.
        """
        self._arrivals += 1
        arrival = str(self._arrivals)
        latency_ms = self._fate.between(LEAST_LATENCY_MS, GREATEST_LATENCY_MS, f"{arrival}/latency")
        await self.clock.sleep(latency_ms / 1000)
        exchange = self._ready()
        # Only what wants to trade at once meets misfortune: who rests can wait for another day.
        hasty = new.account not in self._spared and (new.kind == "market" or new.time_in_force != "gtc")
        if hasty and self._fate.chance(_BUSY_PPM, f"{arrival}/busy"):
            raise VenueBusy
        _, ladders = self._settle(exchange, new.symbol)
        if hasty and self._fate.chance(_OUTRUN_PPM, f"{arrival}/outrun"):
            rungs = self._fate.between(1, _GREATEST_OUTRUN_RUNGS, f"{arrival}/rungs")
            exchange.take_away(new.symbol, new.side, ladders.offered_to(new.side), rungs)
        placed = exchange.place(new, ladders, self.clock.unix_ms())
        await self._durable()
        if hasty and self._fate.chance(_LOST_ANSWER_PPM, f"{arrival}/lost"):
            raise AnswerLost
        return placed

    async def cancel(self, account: str, order_ids: list[int]) -> list[Order]:
        """End open orders; returns them as they ended, and leaves out those that were not open (any more).

        Raises:
            VenueDown: See there.
        """
        exchange = self._ready()
        self._settle_all(exchange)
        wanted = [order for each in order_ids if (order := exchange.get(each)) is not None and order.account == account]
        ended = [exchange.cancel(account, order.id, self.clock.unix_ms()) for order in wanted]
        await self._durable()
        return ended

    async def balances(self, account: str) -> dict[str, Balance]:
        """Return an account's balances of all assets, as they are on the disk."""
        exchange = await self._settled()
        return {asset: exchange.balances.of(account, asset) for asset in self.terms.assets}

    async def open_orders(self, account: str) -> list[Order]:
        """Return an account's open orders, oldest first."""
        return (await self._settled()).open_orders(account)

    async def orders(self, query: OrderQuery) -> list[Order]:
        """Return orders, oldest first."""
        await self._settled()
        return await self._keeper.read(self._store.orders, query)

    async def trades(self, query: OrderQuery) -> list[Trade]:
        """Return trades, oldest first."""
        await self._settled()
        return await self._keeper.read(self._store.trades, query)

    async def count(self, table: str, query: OrderQuery) -> int:
        """Return how many `orders` or `trades` a query finds, whatever its limit."""
        return await self._keeper.read(self._store.count, table, query)

    def settle(self) -> bool:
        """Let the makers take what rests where prices have come to it; tells whether anything rests."""
        exchange = self._keeper.exchange
        if exchange is None:
            self._keeper.recover()
            return True
        self._settle_all(exchange)
        return bool(exchange.symbols_with_resting())

    # -- how it is done -------------------------------------------------------------------------------------------

    def _ready(self) -> Exchange:
        exchange = self._keeper.exchange
        if exchange is None:
            self._keeper.recover()
            raise VenueDown
        return exchange

    def _settle(self, exchange: Exchange, symbol: str) -> tuple[int, Ladders]:
        step = self.step()
        ladders = self._feed.ladders(symbol, step)
        if symbol in exchange.symbols_with_resting():
            exchange.settle(symbol, ladders, self.clock.unix_ms())
            self._keeper.submit()
        return step, ladders

    def _settle_all(self, exchange: Exchange) -> None:
        for symbol in exchange.symbols_with_resting():
            self._settle(exchange, symbol)

    async def _settled(self) -> Exchange:
        """Return the exchange when all that can be seen in it is on the disk: what is shown stays true."""
        self._settle_all(self._ready())
        await self._durable()
        return self._ready()

    async def _durable(self) -> None:
        self._keeper.submit()
        await self._keeper.settled()
