"""A venue at work: harder than live, and nothing that it told anyone is lost."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from streams.sandbox.venues.customers import FLEET, VISITOR
from streams.sandbox.venues.keeper import VenueDown
from streams.sandbox.venues.listings import BINANCE, KRAKEN
from streams.sandbox.venues.market.fair_prices import FairPrices
from streams.sandbox.venues.market.feed import Feed, Ladder, Ladders
from streams.sandbox.venues.order import InsufficientFunds, NewOrder
from streams.sandbox.venues.store import OrderQuery, Store
from streams.sandbox.venues.venue import GREATEST_LATENCY_MS, LEAST_LATENCY_MS, AnswerLost, Venue, VenueBusy
from streams.sandbox.venues.world import deposits_of
from tests.streams.sandbox.venues.bench import SEED, MarketTime, open_bench


def ioc(venue: Venue, lots: int = 1_000, account: str = FLEET, **fields: Any) -> NewOrder:
    """Return a purchase of up to so much at a tenth above the best price."""
    ticks = venue.book("BTC/USDT", 1).asks[0][0] * 11 // 10
    new = {"side": "buy", "time_in_force": "ioc", "ticks": ticks, "lots": lots, **fields}
    return NewOrder(account=account, symbol="BTC/USDT", **new)


async def test_an_order_meets_the_book_of_when_it_arrives_not_of_when_it_was_sent(tmp_path: Path) -> None:
    time = MarketTime()
    async with open_bench(tmp_path, BINANCE, time) as bench:
        seen = bench.venue.book("BTC/USDT", 20)
        new = ioc(bench.venue, account=VISITOR, lots=10)
        time.market_moves_s = 30.0
        placed = await bench.venue.place(new)
        assert placed.trades[0].ticks != seen.asks[0][0]
        time.monotonic_s -= 30.0
        assert bench.venue.book("BTC/USDT", 20) == seen
    assert all(LEAST_LATENCY_MS <= 1000 * slept <= GREATEST_LATENCY_MS for slept in time.slept_s)
    assert time.slept_s


async def test_misfortune_is_the_same_for_the_same_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.sandbox.venues.venue._BUSY_PPM", 200_000)

    async def live(directory: Path) -> list[str]:
        outcomes = []
        async with open_bench(directory, BINANCE) as bench:
            bench.venue._arrivals = 1_000
            for _ in range(60):
                bench.time.monotonic_s += 6.0
                try:
                    placed = await bench.venue.place(ioc(bench.venue, lots=5))
                    outcomes.append("filled" if placed.order.filled_lots else "outrun")
                except VenueBusy:
                    outcomes.append("busy")
                except AnswerLost:
                    outcomes.append("lost")
        return outcomes

    first, second = tmp_path / "first", tmp_path / "second"
    outcomes = await live(first)
    counts = Counter(outcomes)
    assert counts["filled"] > 40
    assert counts["busy"] > 2
    assert await live(second) == outcomes


async def test_what_an_order_met_can_be_drawn_again(tmp_path: Path) -> None:
    async with open_bench(tmp_path, BINANCE) as bench:
        bench.time.market_moves_s = 30.0
        placed = await bench.venue.place(ioc(bench.venue, lots=5, account=VISITOR))
        (stored,) = await bench.venue.orders(OrderQuery(account=VISITOR))
    journey = stored.journey
    assert journey is not None
    assert bench.time.slept_s == [journey.latency_ms / 1000]
    met = Feed(SEED, BINANCE, FairPrices(SEED)).ladders("BTC/USDT", journey.step)
    assert met.asks.rungs[journey.outrun_rungs].ticks == placed.trades[0].ticks


async def test_an_order_whose_answer_was_lost_was_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.sandbox.venues.venue._LOST_ANSWER_PPM", 1_000_000)
    monkeypatch.setattr("streams.sandbox.venues.venue._BUSY_PPM", 0)
    async with open_bench(tmp_path, BINANCE) as bench:
        with pytest.raises(AnswerLost):
            await bench.venue.place(ioc(bench.venue, lots=5, client_id="leg-1"))
        (found,) = await bench.venue.orders(OrderQuery(account=FLEET, client_id="leg-1"))
        assert found.filled_lots == 5
        (trade,) = await bench.venue.trades(OrderQuery(account=FLEET, order_id=found.id))
        assert trade.lots == 5


async def test_a_busy_venue_has_changed_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.sandbox.venues.venue._BUSY_PPM", 1_000_000)
    async with open_bench(tmp_path, KRAKEN) as bench:
        before = await bench.venue.balances(FLEET)
        with pytest.raises(VenueBusy):
            await bench.venue.place(ioc(bench.venue))
        assert await bench.venue.balances(FLEET) == before
        assert await bench.venue.orders(OrderQuery(account=FLEET)) == []


async def test_what_was_answered_is_there_after_a_kill_to_the_last_unit(tmp_path: Path) -> None:
    time = MarketTime()
    async with open_bench(tmp_path, KRAKEN, time) as bench:
        venue = bench.venue
        filled = await venue.place(ioc(venue, account=VISITOR, client_id="a"))
        resting = await venue.place(ioc(venue, account=VISITOR, time_in_force="gtc", ticks=500_000, client_id="b"))
        book, balances = venue.book("BTC/USDT", 20), await venue.balances(VISITOR)
        # No farewell: another venue opens the same file while this one still has it open, as after kill -9.
        async with open_bench(tmp_path, KRAKEN, time) as after:
            assert await after.venue.balances(VISITOR) == balances
            assert [order.id for order in await after.venue.open_orders(VISITOR)] == [resting.order.id]
            assert (await after.venue.orders(OrderQuery(account=VISITOR, client_id="a")))[0] == filled.order
            assert tuple(await after.venue.trades(OrderQuery(account=VISITOR))) == filled.trades
            assert after.venue.book("BTC/USDT", 20) == book, "the depth that was taken is still gone"
            (ended,) = await after.venue.cancel(VISITOR, [resting.order.id])
            assert ended.client_id == "b"
            placed = await after.venue.place(ioc(after.venue, account=VISITOR))
            assert placed.order.id == resting.order.id + 1
            assert all(trade.id > filled.trades[-1].id for trade in placed.trades)


async def test_accounts_are_given_their_beginning_once(tmp_path: Path) -> None:
    async with open_bench(tmp_path, BINANCE) as bench:
        await bench.venue.place(ioc(bench.venue, account=VISITOR))
        balances = await bench.venue.balances(VISITOR)
    async with open_bench(tmp_path, BINANCE) as bench:
        assert await bench.venue.balances(VISITOR) == balances


async def test_a_disk_that_is_full_takes_nothing_and_the_venue_goes_on_when_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_bench(tmp_path, BINANCE) as bench:
        venue = bench.venue
        before = await venue.balances(VISITOR)

        def full(*_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(Store, "write", full)
            new = ioc(venue, account=VISITOR, client_id="a")
            both = await asyncio.gather(venue.place(new), venue.balances(VISITOR), return_exceptions=True)
            assert isinstance(both[0], VenueDown)
        await eventually_up(venue)
        assert await venue.balances(VISITOR) == before
        assert await venue.orders(OrderQuery(account=VISITOR)) == []
        assert (await venue.place(new)).order.filled_lots


async def eventually_up(venue: Venue) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                venue.book("BTC/USDT", 1)
            except VenueDown:
                await asyncio.sleep(0.001)
            else:
                return


async def test_a_full_disk_at_the_very_start_is_a_failed_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Store, "write", full)
    time = MarketTime()
    await asyncio.to_thread(time.open, tmp_path)
    venue = Venue(BINANCE, SEED, time, tmp_path / "venue.sqlite3", deposits_of(BINANCE))
    with pytest.raises(VenueDown):
        await venue.start()
    await venue.stop()
    await venue.stop()


async def test_many_at_once_get_one_number_each_and_never_more_than_there_is(tmp_path: Path) -> None:
    async with open_bench(tmp_path, BINANCE) as bench:
        venue = bench.venue
        ticks = venue.book("BTC/USDT", 1).bids[0][0] * 9 // 10
        new = ioc(venue, lots=100, account=VISITOR, time_in_force="gtc", ticks=ticks)
        placed = await asyncio.gather(*(venue.place(new) for _ in range(40)), return_exceptions=True)
        taken = [each.order.id for each in placed if not isinstance(each, BaseException)]
        refused = [each for each in placed if isinstance(each, BaseException)]
        assert sorted(taken) == list(range(1, len(taken) + 1))
        assert refused
        assert all(isinstance(each, InsufficientFunds) for each in refused)
        balance = (await venue.balances(VISITOR))["USDT"]
        cost = BINANCE.listings["BTC/USDT"].cost_units(ticks, 100)
        assert balance.held == len(taken) * cost
        assert 0 <= balance.free < cost


async def test_what_rests_is_filled_while_nobody_asks_and_that_is_kept(tmp_path: Path) -> None:
    async with open_bench(tmp_path, BINANCE) as bench:
        venue = bench.venue
        below = venue.book("BTC/USDT", 1).bids[0][0] - 3_000
        placed = await venue.place(ioc(venue, lots=1, account=VISITOR, time_in_force="gtc", ticks=below))
        for _ in range(2_000):
            bench.time.monotonic_s += 5.0
            if not venue.settle():
                break
        (trade,) = await venue.trades(OrderQuery(account=VISITOR))
        assert (trade.order_id, trade.ticks, trade.maker) == (placed.order.id, below, True)
        (order,) = await venue.orders(OrderQuery(account=VISITOR))
        assert order.status == "filled"


def test_a_store_forgets_the_oldest_ended_orders_but_never_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.sandbox.venues.store.ORDERS_KEPT", 3)
    monkeypatch.setattr("streams.sandbox.venues.store._PRUNE_EVERY", 5)
    store = Store(tmp_path / "store.sqlite3")
    store.open()
    exchange, _ = store.load(BINANCE)
    exchange.deposit("ann", "USDT", 10**12)
    new = NewOrder(account="ann", symbol="BTC/USDT", side="buy", time_in_force="ioc", ticks=1, lots=1)
    for _ in range(12):
        exchange.place(new, _empty(), 1)
        store.write([exchange.changes()], {})
    left = [order.id for order in store.orders(OrderQuery(account="ann"))]
    assert len(left) < 12
    assert left[-1] == 12
    exchange, _ = store.load(BINANCE)
    assert exchange.place(new, _empty(), 1).order.id == 13
    store.close()


def _empty() -> Ladders:
    return Ladders(Ladder((), 1), Ladder((), 1))
