"""An instance at work: no phantom profit, inventory reconciled, a loss booked as a loss, whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest

from streams.crypto_arbitrage.amounts import read_amount
from streams.crypto_arbitrage.desks import PaceDiffers
from streams.crypto_arbitrage.page import _serve
from streams.crypto_arbitrage.settings import CryptoArbitrageSettings
from streams.crypto_arbitrage.stream import CryptoArbitrage, Halt, NoRoutes, Rearm
from streams.crypto_arbitrage.switch import SWITCH_FILE
from streams.money import parse_amount
from tests.streams.crypto_arbitrage.markets import market
from tests.streams.crypto_arbitrage.trading import ACROSS, Floor, Trading, found, open_floor


@pytest.fixture
async def floor(tmp_path: Path) -> AsyncIterator[Floor]:
    async with open_floor(tmp_path) as floor:
        yield floor


def net(books: dict[str, str], asset: str = "USDT") -> int:
    """Return income less costs, in ledger units."""
    income, cost = (parse_amount(books.get(f"{name} {asset}", "0"), asset) for name in ("income", "cost"))
    return -income - cost


async def test_a_difference_is_taken_and_only_what_was_filled_is_booked(floor: Floor) -> None:
    trader = await floor.start()
    floor.dislocate()
    await floor.until_over(trader)
    buy, sell = await floor.bench.entries()
    assert (buy.evidence.kind, buy.evidence.external_id) == ("venue.fill", "binance:binance-1")
    assert (sell.evidence.kind, sell.evidence.external_id) == ("venue.fill", "kraken:kraken-1")
    assert [order.side for order in (*floor.binance.sent, *floor.kraken.sent)] == ["buy", "sell"]
    await floor.assert_books_match_the_accounts()
    books = await floor.books()
    assert "income USDT" in books
    assert net(books) > 0
    # All that came in the quote, less what the coins left over have cost, is income less costs.
    moved = sum(parse_amount(books[f"asset:{venue} USDT"], "USDT") for venue in ("binance", "kraken"))
    carried = parse_amount(books.get("equity USDT", "0"), "USDT")
    assert net(books) == moved + carried
    assert found(trader.funnel(), "net", "depth", "sent", "filled", "realised") == (1, 1, 1, 1, 1)
    assert trader.describe()["venues"]["binance"]["reserved"] == {}
    # A trip is a piece of work, by which instances are compared.
    await floor.until(lambda: trader.context.traffic.requests == 1)
    assert trader.context.traffic.errors == 0


async def test_calm_markets_yield_nothing_and_say_why(floor: Floor) -> None:
    trader = await floor.start()
    await floor.until(lambda: trader.funnel()["evaluated"] >= 2)
    funnel = trader.funnel()
    assert funnel["sent"] == 0
    assert funnel["rejected_no_edge"] >= 1
    assert await floor.bench.entries() == []


async def test_an_edge_that_only_fees_eat_is_counted_as_such(floor: Floor) -> None:
    trader = await floor.start()
    floor.kraken.offer("BTC/USDT", [("60100", "1")], [("60200", "1")])
    await floor.until(lambda: trader.funnel().get("rejected_fees", 0) >= 1)
    assert floor.binance.sent == []


async def test_a_second_leg_that_fails_is_sold_again_and_the_loss_is_booked(floor: Floor) -> None:
    floor.kraken.faults.append("nothing")
    trader = await floor.start(msgspec.structs.replace(ACROSS, unwind_s=5.0))
    floor.dislocate()
    await floor.until_over(trader)
    books = await floor.books()
    assert net(books) < 0
    assert parse_amount(books["income USDT"], "USDT") > 0  # a debit: negative income
    await floor.assert_books_match_the_accounts()
    assert found(trader.funnel(), "realised", "rejected_unwound") == (0, 1)
    sides = [order.side for order in floor.binance.sent]
    assert sides == ["buy", "sell"]
    await floor.until(lambda: trader.context.traffic.errors == 1)


async def test_what_nobody_takes_stays_at_its_cost_and_is_marked_apart(floor: Floor) -> None:
    floor.kraken.faults.append("nothing")
    trader = await floor.start()
    floor.dislocate(binance_bid="50000")
    await floor.until_over(trader)
    books = await floor.books()
    assert "income USDT" not in books
    (carried,) = trader.describe()["carried"]
    assert carried["asset"] == "BTC"
    assert float(carried["unrealised"]) < -50
    assert -net(books) == parse_amount(books["cost USDT"], "USDT")  # nothing but the fee
    await floor.assert_books_match_the_accounts()
    assert trader.funnel()["rejected_residual"] == 1


async def test_a_first_leg_filled_in_part_sizes_the_second(floor: Floor) -> None:
    floor.binance.faults.append("half")
    trader = await floor.start()
    floor.dislocate()
    await floor.until_over(trader)
    (bought,), (sold,) = floor.binance.sent, floor.kraken.sent
    assert sold.amount <= floor.binance.orders[bought.client_id].filled <= bought.amount // 2
    await floor.assert_books_match_the_accounts()


async def test_a_lost_answer_is_asked_about_and_never_sent_twice(floor: Floor) -> None:
    floor.binance.faults.append("lost")
    floor.kraken.faults.append("lost")
    trader = await floor.start()
    floor.dislocate()
    await floor.until_over(trader)
    assert len(floor.binance.sent) == len(floor.kraken.sent) == 1
    assert net(await floor.books()) > 0
    await floor.assert_books_match_the_accounts()


async def test_an_order_that_never_arrived_books_nothing_and_releases_everything(floor: Floor) -> None:
    floor.binance.faults.append("vanish")
    trader = await floor.start()
    floor.dislocate()
    await floor.until_over(trader)
    floor.calm()
    assert trader.funnel()["rejected_missed"] >= 1
    await floor.until(lambda: trader.describe()["venues"]["kraken"]["reserved"] == {})


@pytest.mark.parametrize("leg", [0, 1])
async def test_killed_in_the_middle_of_two_legs_it_reconciles_before_it_trades(floor: Floor, leg: int) -> None:
    """The order is executed, and the answer never comes: then everything ends, and starts again."""
    venue = (floor.binance, floor.kraken)[leg]
    venue.faults.append("hang")
    trader = await floor.start(msgspec.structs.replace(ACROSS, unwind_s=2.0))
    floor.dislocate()
    async with asyncio.timeout(5):
        await venue.hanging.wait()
    await floor.kill(trader)
    sent_before = len(floor.binance.sent) + len(floor.kraken.sent)
    floor.binance.offer("BTC/USDT", [("59990", "1")], [("60000", "1")])
    floor.kraken.offer("BTC/USDT", [("59995", "1")], [("60700", "1")])

    trader = await floor.start(msgspec.structs.replace(ACROSS, unwind_s=2.0))
    await floor.until_over(trader)
    books = await floor.books()
    await floor.assert_books_match_the_accounts()
    if leg == 0:
        # The coins are there, their buyer is not: the second leg finds nobody at its limit, so they are sold where
        # they bring most, at a loss that is booked as one.
        assert net(books) < 0
        assert len(floor.binance.sent) + len(floor.kraken.sent) == sent_before + 2
    else:
        assert net(books) > 0
        assert len(floor.binance.sent) + len(floor.kraken.sent) == sent_before
    assert trader.describe()["trip"] is None
    assert trader.describe()["venues"]["binance"]["reserved"] == {}
    keys = [entry.key for entry in await floor.bench.entries()]
    assert len(keys) == len(set(keys))


async def test_killed_before_the_ledger_answers_it_books_once(floor: Floor) -> None:
    floor.bench.faults.fault = "mute"
    trader = await floor.start()
    floor.dislocate()
    await floor.until(lambda: trader.funnel()["realised"] == 1)
    floor.calm()
    await floor.kill(trader)
    floor.bench.faults.clear()
    trader = await floor.start()
    await floor.until(lambda: trader.describe()["unbooked"] == 0)
    assert len(await floor.bench.entries()) == 2
    await floor.assert_books_match_the_accounts()


async def test_a_ledger_without_a_disk_strands_no_leg(floor: Floor) -> None:
    floor.bench.faults.fault = "stalled"
    trader = await floor.start()
    floor.dislocate()
    await floor.until(lambda: trader.funnel()["realised"] == 1)
    assert await floor.bench.entries() == []
    floor.bench.faults.clear()
    await floor.until_over(trader)
    assert len(await floor.bench.entries()) == 2


async def test_two_instances_never_spend_the_same_coins(floor: Floor) -> None:
    """Stock for one trip only, and two who want it."""
    floor.kraken.account["BTC"] = read_amount("0.0095")
    first, second = await floor.start(), await floor.start(number=2)
    assert floor.binance.opened == floor.kraken.opened == 1
    floor.dislocate()
    await floor.until(lambda: first.funnel()["sent"] + second.funnel()["sent"] >= 1)
    await floor.until(
        lambda: (
            sum(
                each.funnel().get(f"rejected_{reason}", 0)
                for each in (first, second)
                for reason in ("claimed", "inventory", "depth", "min_amount", "thin", "fees", "no_edge")
            )
            >= 1
        )
    )
    floor.calm()
    assert floor.kraken.account["BTC"] >= 0
    assert sum(order.amount for order in floor.kraken.sent) <= read_amount("0.0095")


async def test_one_account_has_one_client_and_one_inventory_whatever_else_differs(floor: Floor) -> None:
    first = await floor.start()
    eager = msgspec.structs.replace(ACROSS, poll_s=0.005, depth_levels=50)
    second = await floor.start(eager, number=2)
    assert first._desks.get("binance") is second._desks.get("binance")
    assert floor.binance.opened == 1
    watchers = first._desks.get("binance").watchers
    assert (watchers.poll_s(1.0), watchers.depth_levels(1)) == (0.005, 50)
    await floor.kill(second)
    assert (watchers.poll_s(1.0), watchers.depth_levels(1)) == (0.01, 20)
    with pytest.raises(PaceDiffers, match="1500 ms for kraken, while others .* at ccxt's own pace"):
        await floor.start(msgspec.structs.replace(ACROSS, rate_limits_ms={"kraken": 1500}), number=3)


async def test_a_wrong_asset_is_left_out(floor: Floor) -> None:
    floor.kraken.__init__("kraken", [market("kraken", base_id="BTC2")], {"USDT": "1"})  # type: ignore[misc]
    floor.dislocate()
    with pytest.raises(NoRoutes, match="BTC/USDT on kraken: identity"):
        await floor.start()
    assert floor.kraken.sent == floor.binance.sent == []


async def test_a_price_too_good_to_be_true_is_not_believed(floor: Floor) -> None:
    trader = await floor.start()
    floor.kraken.offer("BTC/USDT", [("6660000", "1")], [("6660001", "1")])
    await floor.until(lambda: trader.funnel().get("rejected_sanity", 0) >= 1)
    assert floor.binance.sent == []


async def test_a_crossed_book_is_not_traded_on(floor: Floor) -> None:
    trader = await floor.start()
    floor.kraken.offer("BTC/USDT", [("60600", "1")], [("60500", "1")])
    await floor.until(lambda: trader.funnel().get("rejected_crossed", 0) >= 1)
    assert floor.binance.sent == []


async def test_a_book_that_does_not_move_is_not_traded_on(floor: Floor) -> None:
    trader = await floor.start(msgspec.structs.replace(ACROSS, max_still_s=0.05))
    await asyncio.sleep(0.1)  # binance answers, and says the same
    floor.kraken.offer("BTC/USDT", [("60600", "1")], [("60700", "1")])
    await floor.until(lambda: trader.funnel().get("rejected_frozen", 0) >= 1)
    assert floor.binance.sent == []


async def test_a_book_that_is_old_is_not_traded_on(floor: Floor) -> None:
    trader = await floor.start(msgspec.structs.replace(ACROSS, max_age_s=0.05))
    await floor.until(lambda: trader.funnel()["fresh"] >= 1)
    floor.binance.down = True
    await asyncio.sleep(0.1)
    floor.kraken.offer("BTC/USDT", [("60600", "1")], [("60700", "1")])
    await floor.until(lambda: trader.funnel().get("rejected_stale", 0) >= 1)
    assert floor.binance.sent == []


async def test_coins_that_cannot_come_are_dear_for_a_reason(floor: Floor) -> None:
    floor.kraken.closed.add("BTC")
    trader = await floor.start()
    floor.dislocate()
    await floor.until(lambda: trader.funnel().get("rejected_transfers_closed", 0) >= 1)
    assert floor.binance.sent == []


async def test_a_halt_is_latched_over_restarts_until_it_is_rearmed(floor: Floor, tmp_path: Path) -> None:
    trader = await floor.start()
    answer = await trader.act(Halt("I do not like it"))
    assert answer["reason"] == "I do not like it"
    assert not trader.health().ready
    checkpoint = trader.checkpoint()
    floor.dislocate()
    await floor.kill(trader)

    trader = await floor.start()  # by its file
    assert "I do not like it" in trader.health().detail
    await floor.kill(trader)
    (tmp_path / "instances" / "crypto_arbitrage-001" / SWITCH_FILE).unlink()
    trader = await floor.start(checkpoint=checkpoint)  # by its checkpoint
    assert "I do not like it" in trader.health().detail
    await asyncio.sleep(0.05)
    assert floor.binance.sent == []

    assert await trader.act(Rearm()) == {"halted": False}
    assert trader.health().ready
    floor.calm()
    await floor.until(lambda: trader.funnel()["evaluated"] >= 2)
    floor.dislocate()
    await floor.until_over(trader)


async def test_losing_too_much_in_a_day_halts(floor: Floor) -> None:
    floor.kraken.faults.append("nothing")
    settings = msgspec.structs.replace(ACROSS, unwind_s=5.0, max_daily_loss={"USDT": "0.5"})
    trader = await floor.start(settings)
    floor.dislocate()
    await floor.until_over(trader)
    assert "today's loss in USDT is above 0.5" in trader.health().detail


async def test_a_loss_that_a_former_life_made_halts_before_anything_is_traded(floor: Floor) -> None:
    floor.kraken.faults.append("nothing")
    trader = await floor.start(msgspec.structs.replace(ACROSS, unwind_s=5.0))
    floor.dislocate()
    await floor.until_over(trader)
    assert trader.health().ready
    await floor.kill(trader)
    floor.dislocate()
    sent = len(floor.binance.sent)
    trader = await floor.start(msgspec.structs.replace(ACROSS, max_daily_loss={"USDT": "0.5"}))
    await floor.until(lambda: not trader.health().ready)
    assert "today's loss in USDT is above 0.5" in trader.health().detail
    assert len(floor.binance.sent) == sent


async def test_orders_that_fail_again_and_again_halt(floor: Floor) -> None:
    floor.binance.faults.extend(["refuse"] * 20)
    trader = await floor.start(msgspec.structs.replace(ACROSS, pause_s=0.0))

    def moving() -> bool:
        floor.dislocate()
        size = str(1 + len(floor.binance.sent))
        floor.binance.offer("BTC/USDT", [("59990", size)], [("60000", size)])
        return not trader.health().ready

    await floor.until(moving)
    assert "of the last orders failed" in trader.health().detail
    assert floor.binance.account["USDT"] == read_amount("10000")


async def test_a_clock_that_is_off_halts(floor: Floor) -> None:
    floor.kraken.clock_offset_ms = 5_000
    trader = await floor.start()
    await floor.until(lambda: not trader.health().ready)
    assert "clock of kraken" in trader.health().detail
    assert "5.0" in trader.health().detail


async def test_a_venue_that_says_nothing_halts(floor: Floor) -> None:
    trader = await floor.start(msgspec.structs.replace(ACROSS, max_silence_s=0.05))
    floor.kraken.down = True

    def moving() -> bool:
        floor.binance.offer("BTC/USDT", [("59990", str(asyncio.get_running_loop().time()))], [("60000", "1")])
        return not trader.health().ready

    await floor.until(moving)
    assert "kraken has said nothing" in trader.health().detail


async def test_a_paused_instance_begins_no_trip(floor: Floor) -> None:
    trader = await floor.start()
    trader.pause()
    assert trader.health().detail == "paused"
    floor.dislocate()
    await asyncio.sleep(0.05)
    assert floor.binance.sent == []
    trader.resume()
    floor.calm()
    await asyncio.sleep(0.05)
    floor.dislocate()
    await floor.until_over(trader)


async def test_told_to_stop_it_finishes_the_trip_under_way(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trading, "patience", msgspec.structs.replace(Trading.patience, finish_within_s=5.0))
    floor.binance.faults.append("slow")
    trader = await floor.start()
    floor.dislocate()
    await floor.until(lambda: bool(floor.binance.sent))
    assert floor.kraken.sent == []
    await floor.kill(trader)
    assert [order.side for order in floor.kraken.sent] == ["sell"]
    trader = await floor.start()
    await floor.until(lambda: trader.describe()["unbooked"] == 0)
    assert len(await floor.bench.entries()) == 2


async def test_a_desk_that_fails_is_made_anew_and_keeps_who_watches(floor: Floor) -> None:
    trader = await floor.start()
    desk = trader._desks.get("kraken")
    desk._failures_to_start_anew = 1
    floor.kraken.down = True
    await floor.until(lambda: trader.describe()["venues"]["kraken"]["up"] is False)
    floor.kraken.down = False
    await floor.until(lambda: trader.describe()["venues"]["kraken"]["up"] is True)
    floor.dislocate()
    await floor.until_over(trader)


async def test_the_port_shows_health_and_how_the_instance_stands(floor: Floor) -> None:
    trader = await floor.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{trader.port}") as http:
        async with http.get("/healthz") as answer:
            assert (answer.status, await answer.json()) == (200, {"status": "ok", "instance": "crypto_arbitrage-001"})
        async with http.get("/") as answer:
            page = await answer.json()
        assert set(page["venues"]) == {"binance", "kraken"}
        assert page["venues"]["binance"]["inventory"] == {"USDT": "10000", "BTC": "1"}
        assert {"funnel", "switch", "carried", "decisions", "ways"} <= set(page)
        assert (await http.get("/nowhere")).status == 404
        assert (await http.post("/")).status == 405
        await trader.act(Halt())
        assert (await http.get("/healthz")).status == 503


async def test_how_an_instance_stands_is_told_on_its_own_machine_only(floor: Floor) -> None:
    trader = await floor.start()
    _, served = trader._load_page()
    for client, status in ((("192.0.2.7", 5), 403), (None, 403), (("127.0.0.1", 5), 200), (("::1", 5), 200)):
        sent: list[dict[str, object]] = []

        async def send(message: dict[str, object], sent: list[dict[str, object]] = sent) -> None:
            sent.append(message)

        scope = {"path": "/", "method": "GET", "client": client, "state": {"served": served}, "headers": []}
        await _serve(scope, None, send)
        assert sent[0]["status"] == status
        scope["path"] = "/healthz"
        await _serve(scope, None, send)
        assert sent[-2]["status"] == 200


async def test_without_ccxt_it_says_how_to_install_it(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(Exception, match=r"pip install 'automate-everything\[arbitrage\]'"):
        await floor.start()


async def test_live_without_keys_it_says_which_are_missing(floor: Floor) -> None:
    from streams.crypto_arbitrage.access import NoAccess, access_of

    with pytest.raises(NoAccess, match="BINANCE_API_KEY and BINANCE_API_SECRET"):
        access_of("binance", "default", None, "live", floor.far_sides, lambda _: None)
    with pytest.raises(NoAccess, match=r"no venue\.bitstamp"):
        access_of("bitstamp", "default", None, "paper", floor.far_sides, lambda _: "key")
    secrets = {"KRAKEN_MINI_API_KEY": "a", "KRAKEN_MINI_API_SECRET": "b"}
    access = access_of("kraken", "mini", None, "live", floor.far_sides, secrets.get)
    assert (access.url, access.credentials) == (None, {"apiKey": "a", "secret": "b"})


def test_the_settings_of_the_contract_are_the_streams_own() -> None:
    assert CryptoArbitrage.settings_type is CryptoArbitrageSettings
    assert set(CryptoArbitrage.actions) == {"halt", "rearm"}
