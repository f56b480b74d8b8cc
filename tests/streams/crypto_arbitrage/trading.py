"""One or more instances on scripted venues, with the real ledger, the real desks and the real journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

from streams.commons import Commons
from streams.crypto_arbitrage.access import Access
from streams.crypto_arbitrage.settings import CryptoArbitrageSettings
from streams.crypto_arbitrage.stream import CryptoArbitrage
from streams.crypto_arbitrage.trader import Patience
from streams.crypto_arbitrage.venue import Venue
from streams.far_sides import FarSide, FarSides
from streams.money import format_amount, parse_amount
from tests.streams.contexts import context_for, open_commons
from tests.streams.crypto_arbitrage.markets import market
from tests.streams.crypto_arbitrage.scripted_venue import ScriptedVenue
from tests.streams.ledgers import LedgerBench, open_ledger

ACROSS = CryptoArbitrageSettings(
    title="Test",
    budgets={"USDT": "600"},
    symbols=("BTC/USDT",),
    min_profit_bps=1.0,
    max_daily_loss={"USDT": "50"},
    unwind_s=0.15,
    pause_s=60.0,  # one trip a test, unless it asks for more
    poll_s=0.01,
)
WAIT_S = 5.0


class Trading(CryptoArbitrage):
    """An instance whose venues are those of the test."""

    venues: ClassVar[dict[str, ScriptedVenue]] = {}
    patience = Patience(
        look_every_s=0.02, first_question_s=0.01, longest_pause_s=0.02, not_there_after_s=0.05, finish_within_s=0.05
    )

    def make_venue(self, access: Access) -> Venue:
        return self.venues[access.venue]


class Floor:
    """Where instances trade.

    Attributes:
        binance: The venue where coins are cheap.
        kraken: The venue where they are dear.
        bench: The ledger.
    """

    def __init__(self, directory: Path, bench: LedgerBench, commons: Commons) -> None:
        self.directory = directory
        self.bench = bench
        self.commons = commons
        self.binance = ScriptedVenue("binance", [market("binance")], {"USDT": "10000", "BTC": "1"})
        self.kraken = ScriptedVenue("kraken", [market("kraken")], {"USDT": "10000", "BTC": "1"})
        Trading.venues = {"binance": self.binance, "kraken": self.kraken}
        self.far_sides = FarSides()
        for name in Trading.venues:
            self.far_sides.add(FarSide(f"venue.{name}", "http://127.0.0.1:1", {"apiKey": "k", "secret": "s"}))
        self._running: list[tuple[CryptoArbitrage, asyncio.Task[None]]] = []

    def calm(self) -> None:
        """Let nothing pay."""
        for venue in (self.binance, self.kraken):
            venue.offer("BTC/USDT", [("59990", "1")], [("60000", "1")])

    def dislocate(self, binance_bid: str = "59990") -> None:
        """Let Kraken pay a percent more for a little."""
        self.binance.offer("BTC/USDT", [(binance_bid, "1")], [("60000", "1")])
        self.kraken.offer("BTC/USDT", [("60600", "0.0099")], [("60700", "1")])

    async def start(
        self, settings: CryptoArbitrageSettings = ACROSS, number: int = 1, checkpoint: bytes = b""
    ) -> Trading:
        """Start an instance, new or old."""
        name = f"crypto_arbitrage-{number:03d}"
        directory = self.directory / "instances" / name
        context = context_for(
            settings,
            directory,
            self.bench.ref,
            self.commons,
            stream="crypto_arbitrage",
            instance=name,
            far_sides=self.far_sides,
            monotonic=asyncio.get_running_loop().time,
        )
        instance = Trading(context)
        instance.restore(checkpoint)
        try:
            await instance.start()
        except BaseException:
            await instance.stop()
            raise
        self._running.append((instance, asyncio.create_task(instance.run())))
        return instance

    async def kill(self, instance: Trading) -> None:
        """End an instance where it stands, as if the machine had lost its power: it writes nothing more."""
        (running,) = [each for each in self._running if each[0] is instance]
        self._running.remove(running)
        running[1].cancel()
        await asyncio.wait((running[1],))
        await instance.stop()

    async def stop(self) -> None:
        """End all instances; a failure of one is the test's."""
        for instance, task in self._running:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await instance.stop()

    async def until(self, holds: Callable[[], bool | Awaitable[bool]]) -> None:
        """Wait for something to be so."""
        async with asyncio.timeout(WAIT_S):
            while True:
                for _, task in self._running:
                    if task.done():
                        task.result()
                held = holds()
                if held if isinstance(held, bool) else await held:
                    return
                await asyncio.sleep(0.005)

    async def until_over(self, instance: Trading, trips: int = 1) -> None:
        """Wait for trips to be over and booked."""
        over = ("done", "missed", "unwound", "residual")

        async def settled() -> bool:
            decided = [each for each in instance.describe()["decisions"] if each["verdict"] in over]
            return len(decided) >= trips and instance.describe()["unbooked"] == 0

        await self.until(settled)

    async def books(self) -> dict[str, str]:
        """Return the sums of all postings, by the first part of the account, the venue if there is one, and asset."""
        sums: dict[tuple[str, str], int] = {}
        for entry in await self.bench.entries():
            for posting in entry.postings:
                kind, *rest = posting.account.split(":")
                name = f"{kind}:{rest[1]}" if kind == "asset" else kind
                place = (name, posting.asset)
                sums[place] = sums.get(place, 0) + parse_amount(posting.amount, posting.asset)
        return {f"{name} {asset}": format_amount(units, asset) for (name, asset), units in sums.items() if units}

    async def assert_books_match_the_accounts(self) -> None:
        """What the ledger says moved is what really moved on the venues, to the ledger's unit a posting."""
        booked = await self.books()
        roundings = 3 * len(await self.bench.entries())
        for venue in (self.binance, self.kraken):
            for asset, scale in (("USDT", 100), ("BTC", 1)):
                moved = venue.account[asset] - 10_000 * 10**8 * (asset == "USDT") - 10**8 * (asset == "BTC")
                units = parse_amount(booked.get(f"asset:{venue.name} {asset}", "0"), asset)
                assert -roundings * scale <= units * scale - moved <= 0, (venue.name, asset)


@asynccontextmanager
async def open_floor(directory: Path) -> AsyncIterator[Floor]:
    """Open the venues and the ledger."""
    async with open_ledger(directory) as bench, open_commons() as commons:
        floor = Floor(directory, bench, commons)
        floor.calm()
        try:
            yield floor
        finally:
            await floor.stop()


def found(funnel: dict[str, int], *names: str) -> tuple[Any, ...]:
    """Return some counts."""
    return tuple(funnel.get(name, 0) for name in names)
