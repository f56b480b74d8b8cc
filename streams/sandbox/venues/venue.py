"""One venue at work: its makers, its matching and its file, behind what its dialect asks.

It is harder here than live: an order arrives late and meets the book of that moment, only what is visible fills,
what was taken stays away for a while, and now and then somebody else was faster, or the venue was busy.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from streams.sandbox.venues.balances import Balance
from streams.sandbox.venues.exchange import Exchange, Placed
from streams.sandbox.venues.keeper import Keeper, VenueDown
from streams.sandbox.venues.listings import VenueTerms
from streams.sandbox.venues.market.day import DAY_MS, Day, DaySamples
from streams.sandbox.venues.market.dice import MILLION, Dice
from streams.sandbox.venues.market.fair_prices import FairPrices
from streams.sandbox.venues.market.feed import USUAL_SLOT_STEPS, Feed, Ladders, step_at
from streams.sandbox.venues.order import Journey, NewOrder, Order, Trade
from streams.sandbox.venues.store import OrderQuery, Store
from streams.sandbox.venues.world_time import WorldTime

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


_DAYS_KEPT_S: Final = 30.0


class Venue:
    """Serves one venue's accounts and its public.

    Args:
        terms: How it deals.
        seed: The world's.
        time: The world's; open.
        path: Its file.
        deposits: What each account is given when it is first seen: units by account and asset.
        spared: Accounts that meet no misfortune, but latency and thin books like all.
        slot_steps: How often makers lose their way; see `slot_steps_of`.
    """

    def __init__(
        self,
        terms: VenueTerms,
        seed: int,
        time: WorldTime,
        path: Path,
        deposits: dict[str, dict[str, int]],
        spared: frozenset[str] = frozenset(),
        slot_steps: int = USUAL_SLOT_STEPS,
    ) -> None:
        self.terms = terms
        self.time = time
        self._feed = Feed(seed, terms, FairPrices(seed), slot_steps)
        self._fate = Dice(f"{seed}/{terms.name}/fate")
        self._store = Store(path)
        self._keeper = Keeper(self._store, terms)
        self._deposits = deposits
        self._spared = spared
        self._arrivals = 0
        self._days: tuple[float, dict[str, Day]] = (0.0, {})
        self._samples = DaySamples(FairPrices(seed))

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
        # So that a restarted venue does not draw the same misfortunes again.
        self._arrivals = self.time.elapsed_ms()
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
        return step_at(self.time.elapsed_ms())

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
        now_s = self.time.monotonic()
        if now_s >= until_s:
            volumes = await self._keeper.read(self._store.volumes, self.time.unix_ms() - DAY_MS)
            await self._keeper.read(self._samples.look_back, self.step())
            days = {
                symbol: self._samples.day(listing, self.middle_ticks(symbol), volumes.get(symbol, (0, 0, 0)))
                for symbol, listing in self.terms.listings.items()
            }
            self._days = (now_s + _DAYS_KEPT_S, days)
        return days

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
        arrival = self._arrivals
        latency_ms = self._fate.between(LEAST_LATENCY_MS, GREATEST_LATENCY_MS, f"{arrival}/latency")
        await self.time.sleep(latency_ms / 1000)
        exchange = self._ready()
        # Only what wants to trade at once meets misfortune: who rests can wait for another day.
        hasty = new.account not in self._spared and (new.kind == "market" or new.time_in_force != "gtc")
        if hasty and self._fate.chance(_BUSY_PPM, f"{arrival}/busy"):
            raise VenueBusy
        step, ladders = self._settle(exchange, new.symbol)
        outrun = 0
        if hasty and self._fate.chance(_OUTRUN_PPM, f"{arrival}/outrun"):
            outrun = self._fate.between(1, _GREATEST_OUTRUN_RUNGS, f"{arrival}/rungs")
            exchange.take_away(new.symbol, new.side, ladders.offered_to(new.side), outrun)
        journey = Journey(arrival=arrival, latency_ms=latency_ms, step=step, outrun_rungs=outrun)
        placed = exchange.place(new, ladders, self.time.unix_ms(), journey)
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
        wanted = [
            order
            for each in order_ids
            if (order := exchange.resting.get(each)) is not None and order.account == account
        ]
        ended = [exchange.cancel(account, order.id, self.time.unix_ms()) for order in wanted]
        await self._durable()
        return ended

    async def balances(self, account: str) -> dict[str, Balance]:
        """Return an account's balances of all assets, as they are on the disk."""
        exchange = await self._settled()
        return {asset: exchange.balances.of(account, asset) for asset in self.terms.assets}

    async def open_orders(self, account: str) -> list[Order]:
        """Return an account's open orders, oldest first."""
        return (await self._settled()).resting.of(account)

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
        return bool(exchange.resting.symbols())

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
        if symbol in exchange.resting.symbols():
            exchange.settle(symbol, ladders, self.time.unix_ms())
            self._keeper.submit()
        return step, ladders

    def _settle_all(self, exchange: Exchange) -> None:
        for symbol in exchange.resting.symbols():
            self._settle(exchange, symbol)

    async def _settled(self) -> Exchange:
        """Return the exchange when all that can be seen in it is on the disk: what is shown stays true."""
        self._settle_all(self._ready())
        self._keeper.submit()
        while not self._keeper.is_settled:  # more may have come while this waited
            await self._keeper.settled()
        return self._ready()

    async def _durable(self) -> None:
        self._keeper.submit()
        await self._keeper.settled()
