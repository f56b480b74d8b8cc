"""The real ccxt clients on the sandbox's venues: exact numbers, orders, lost answers, and a kill between two legs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import msgspec
import pytest
import structlog

from actors import ActorSystem, ChildSpec
from streams.commons import Commons
from streams.crypto_arbitrage.access import access_of
from streams.crypto_arbitrage.amounts import down_to, read_amount, up_to
from streams.crypto_arbitrage.ccxt_venue import CcxtVenue
from streams.crypto_arbitrage.costing import Accounts, Holding
from streams.crypto_arbitrage.desk import DeskState, VenueDesk
from streams.crypto_arbitrage.funnel import Funnel
from streams.crypto_arbitrage.inventory import Inventory
from streams.crypto_arbitrage.journal import Journal
from streams.crypto_arbitrage.market import Market, Side
from streams.crypto_arbitrage.order import Order, OrderReport, changes_of
from streams.crypto_arbitrage.plan import Leg, Plan
from streams.crypto_arbitrage.settings import CryptoArbitrageSettings
from streams.crypto_arbitrage.stream import CryptoArbitrage
from streams.crypto_arbitrage.trader import Patience, Trader, TraderHooks
from streams.crypto_arbitrage.venue import OrderRefused, OutcomeUnknown, VenueUnavailable
from streams.crypto_arbitrage.watchers import Watchers
from streams.far_sides import FarSides
from streams.sandbox.venues.world import VenuesWorld
from streams.sandbox.world import Ground
from tests.streams.contexts import context_for, open_commons
from tests.streams.ledgers import open_ledger

pytest.importorskip("ccxt", reason="the extra `arbitrage` is not installed")

VENUES = ("binance", "kraken")


class World:
    """Both venues, and who comes to them."""

    def __init__(self, far_sides: FarSides, http: aiohttp.ClientSession, commons: Commons) -> None:
        self.far_sides = far_sides
        self.http = http
        self.commons = commons

    def venue(self, name: str) -> CcxtVenue:
        """Return a client of a venue."""
        access = access_of(name, "default", 20, "paper", self.far_sides, lambda _: None)
        return CcxtVenue(access, lambda: self.http, time.monotonic)

    @asynccontextmanager
    async def open(self, name: str) -> AsyncIterator[CcxtVenue]:
        """Connect to a venue."""
        venue = self.venue(name)
        await venue.open()
        try:
            yield venue
        finally:
            await venue.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    far_sides = FarSides()
    async with (
        aiohttp.ClientSession() as http,
        ActorSystem("venues") as system,
        open_commons() as commons,
    ):
        ground = Ground(
            directory=tmp_path / "world",
            host="127.0.0.1",
            seed=3,
            visits_per_minute=15.0,
            http=lambda: http,
            now=lambda: datetime.now(UTC),
            monotonic=time.monotonic,
            far_sides=far_sides,
        )
        for name, make in VenuesWorld(ground).servers().items():
            await system.spawn(ChildSpec(name, lambda make=make: make(0)))  # type: ignore[misc]
        yield World(far_sides, http, commons)


def taking(market: Market, side: Side, price: int, usd: int, number: int) -> Order:
    """Return an order of some size that takes what is there, a percent around a price."""
    limit = (
        up_to(price * 101 // 100, market.price_tick) if side == "buy" else down_to(price * 99 // 100, market.price_tick)
    )
    amount = down_to(usd * 10**8 * 10**16 // price, market.amount_step)
    return Order(f"{number:032x}", market, side, amount, limit)


@pytest.mark.parametrize("name", VENUES)
async def test_orders_move_the_account_by_exactly_what_is_reported(world: World, name: str) -> None:
    async with world.open(name) as venue:
        market = (await venue.markets())["BTC/USDT"]
        assert market.fee_ppm == {"binance": 1000, "kraken": 2600}[name]
        assert market.base_id == {"binance": "BTC", "kraken": "XXBT"}[name]
        before = await venue.balances()
        (top,) = await venue.tops(["BTC/USDT"])
        book = await venue.depth("BTC/USDT", 20)
        assert len(book.asks) == len(book.bids) == 20
        assert not book.crossed
        assert list(book.asks) == sorted(book.asks)
        assert abs(top.asks[0][0] - book.asks[0][0]) < book.asks[0][0] // 50
        assert abs(await venue.time_ms() - time.time() * 1e3) < 2_500

        # The larger ones take several levels, at prices whose average no tick can express.
        sizes: tuple[tuple[Side, int], ...] = (("buy", 150), ("sell", 150), ("buy", 2_500), ("sell", 2_500))
        orders = [taking(market, side, book.asks[0][0], usd, number) for number, (side, usd) in enumerate(sizes, 1)]
        after = dict(before)
        for order in orders:
            report = await _placed(venue, order)
            assert report.filled > 0
            assert msgspec.json.decode(report.artefact)
            found = await venue.find(order)
            assert found is not None
            assert (found.order_id, found.filled, found.cost, found.fees) == (
                report.order_id,
                report.filled,
                report.cost,
                report.fees,
            )
            for asset, units in changes_of(market, order.side, report).items():
                after[asset] += units
        assert await venue.balances() == after


async def test_an_order_is_over_only_where_the_venue_says_so(world: World) -> None:
    async with world.open("binance") as venue:
        market = (await venue.markets())["BTC/USDT"]
        order = taking(market, "buy", market.price_tick, 1, 1)
        said = {"id": "1", "info": {"executedQty": "0", "cummulativeQuoteQty": "0"}}
        assert await venue._over(order, said | {"status": None}) is None
        assert await venue._over(order, said | {"status": "open"}) is None
        over = await venue._over(order, said | {"status": "expired"})
        assert over is not None
        assert over.filled == 0


async def test_a_halted_market_does_not_hide_the_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        ("BTC/USDT", "0.00000000", "0.00000000", "0.00000000", "0.00000000"),
        ("ETH/USDT", "3000", "1", "3001", "2"),
    ]

    async def tops(client: object, symbols: object) -> list[tuple[str, ...]]:
        return rows

    async with world.open("binance") as venue:
        monkeypatch.setattr(venue._dialect, "tops", tops)
        halted, traded = await venue.tops(["BTC/USDT", "ETH/USDT"])
    assert not halted.bids
    assert not halted.asks
    assert traded.two_sided


@pytest.mark.parametrize("name", VENUES)
async def test_what_a_venue_refuses_and_what_it_does_not_know(world: World, name: str) -> None:
    async with world.open(name) as venue:
        market = (await venue.markets())["BTC/USDT"]
        book = await venue.depth("BTC/USDT", 1)
        too_much = taking(market, "buy", book.asks[0][0], 90_000_000, 7)
        with pytest.raises(OrderRefused):
            await venue.place(too_much)
        assert await venue.find(too_much) is None
        far_away = msgspec.structs.replace(
            taking(market, "buy", book.asks[0][0], 100, 8), limit=down_to(book.asks[0][0] * 9 // 10, market.price_tick)
        )
        report = await _placed(venue, far_away)
        assert (report.filled, report.cost, report.fees) == (0, 0, ())


async def _placed(venue: CcxtVenue, order: Order) -> OrderReport:
    """Place an order; one that the venue was too busy for, or whose answer was lost, is asked about."""
    for _ in range(20):
        try:
            return await venue.place(order)
        except OutcomeUnknown:
            found = await venue.find(order)
            if found is not None:
                return found
    raise AssertionError("the venue takes no order")


async def test_a_venue_that_is_not_there_is_unavailable(world: World) -> None:
    async with world.open("binance") as venue:
        venue._client.urls["api"] = dict.fromkeys(venue._client.urls["api"], "http://127.0.0.1:9")
        with pytest.raises(VenueUnavailable):
            await venue.depth("BTC/USDT", 5)


class Halfway:
    """A desk that never answers after an order of its own has been executed, from a number on."""

    def __init__(self, desk: VenueDesk, hang_at: int) -> None:
        self._desk = desk
        self._left = hang_at
        self.reached = asyncio.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._desk, name)

    async def place(self, order: Order) -> OrderReport:
        report = await self._desk.place(order)
        self._left -= 1
        if self._left < 0 and report.filled:
            self.reached.set()
            await asyncio.Event().wait()
        return report


async def test_killed_between_two_legs_the_next_life_finds_out_and_unwinds(world: World, tmp_path: Path) -> None:
    """The venue has executed leg 1; nobody here has learnt of it. Then the process is gone."""
    directory = tmp_path / "instance"
    directory.mkdir()
    states = {name: DeskState(Inventory(name), Watchers()) for name in VENUES}
    desks = {name: _desk(world, name, states[name]) for name in VENUES}
    for desk in desks.values():
        await desk.start()
    try:
        before = {name: await _balances(desk) for name, desk in desks.items()}
        buy, sell = (desks[name].markets["ETH/USDT"] for name in VENUES)
        price = (await desks["binance"].look("ETH/USDT")).book.asks[0][0]
        plan = Plan(
            id="f" * 32,
            route="buy ETH/USDT on binance, sell on kraken",
            home="USDT",
            legs=(
                Leg(
                    buy, "buy", down_to(read_amount("0.05"), buy.amount_step), up_to(price * 102 // 100, buy.price_tick)
                ),
                # Nobody pays that: it is left over, and has to be unwound.
                Leg(
                    sell,
                    "sell",
                    down_to(read_amount("0.0499"), sell.amount_step),
                    up_to(price * 11 // 10, sell.price_tick),
                ),
            ),
            spend=read_amount("300"),
            expected=0,
            made_at=datetime.now(UTC),
            unwind_s=10.0,
        )
        journal = await _opened(directory)
        halfway = Halfway(desks["binance"], hang_at=0)
        first = _trader(journal, lambda name: halfway if name == "binance" else desks[name])  # type: ignore[arg-type, return-value]
        life = asyncio.create_task(first.make(plan))
        async with asyncio.timeout(10):
            await halfway.reached.wait()
        life.cancel()
        await asyncio.wait((life,))

        journal = await _opened(directory)
        assert journal.memory.plan == plan
        assert [answer for _, answer in journal.memory.orders] == [None]
        for state in states.values():
            state.inventory.release(plan.id)  # a new process begins without reservations
        second = _trader(journal, desks.__getitem__)
        async with asyncio.timeout(30):
            assert await second.resume() == "unwound"
        assert (await _opened(directory)).memory.plan is None

        after = {name: await _balances(desk) for name, desk in desks.items()}
        assert {name: desk.inventory.balances() for name, desk in desks.items()} == after
        moved = sum(after[name]["USDT"] - before[name]["USDT"] for name in VENUES)
        left = sum(after[name]["ETH"] - before[name]["ETH"] for name in VENUES)
        assert moved < 0
        assert left == journal.memory.holdings["USDT"].get("ETH", Holding()).units
        # What the books say came of it is what is gone, less what the coins that are left have cost.
        day = datetime.now(UTC).date().isoformat()
        carried = journal.memory.holdings["USDT"].get("ETH", Holding()).basis * 100
        assert -500 <= journal.memory.result_of(day, "USDT") * 100 - (moved + carried) <= 0
    finally:
        for desk in desks.values():
            await desk.stop()


async def test_an_instance_trades_on_the_sandbox_as_it_would_live(world: World, tmp_path: Path) -> None:
    settings = msgspec.convert(
        msgspec.to_builtins(CryptoArbitrage.blueprint(1)[0]) | {"poll_s": 0.25, "rate_limits_ms": {"kraken": 20}},
        CryptoArbitrageSettings,
    )
    async with open_ledger(tmp_path) as bench:
        directory = tmp_path / "instances" / "crypto_arbitrage-001"
        context = context_for(
            settings,
            directory,
            bench.ref,
            world.commons,
            stream="crypto_arbitrage",
            http=lambda: world.http,
            far_sides=world.far_sides,
        )
        instance = CryptoArbitrage(context)
        await instance.start()
        running = asyncio.create_task(instance.run())
        try:
            async with asyncio.timeout(10):
                while instance.funnel()["evaluated"] < 50:
                    await asyncio.sleep(0.05)
            assert instance.health().ready
            routes = instance.describe()["ways"]
            assert len(routes["across"]) == 18
            assert routes["round"] == {"binance": 12, "kraken": 14}
            assert not routes["left_out"]
        finally:
            running.cancel()
            await asyncio.wait((running,))
            await instance.stop()


def _desk(world: World, name: str, state: DeskState) -> VenueDesk:
    return VenueDesk(
        world.venue(name),
        state,
        pace_ms=None,
        poll_s=1.0,
        depth_levels=20,
        now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
        log=structlog.get_logger(),
    )


async def _balances(desk: VenueDesk) -> dict[str, int]:
    await desk.read_balances()
    return desk.inventory.balances()


async def _opened(directory: Path) -> Journal:
    journal = Journal(directory)
    await journal.load()
    return journal


def _trader(journal: Journal, desk_of: Callable[[str], VenueDesk]) -> Trader:
    return Trader(
        journal,
        desk_of,
        Accounts("crypto_arbitrage", "crypto_arbitrage-001"),
        max_unwind_loss_ppm=50_000,
        patience=Patience(look_every_s=0.1, first_question_s=0.05, longest_pause_s=0.2),
        funnel=Funnel(),
        hooks=TraderHooks(lambda: None, lambda _: None),
        now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
        log=structlog.get_logger(),
    )
