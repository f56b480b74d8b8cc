"""An unmodified ccxt client trades on the venue that speaks Kraken's dialect."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from streams.sandbox.venues import venue
from streams.sandbox.venues.customers import FLEET, VISITOR
from streams.sandbox.venues.kraken.dialect import GREATEST_COUNTER
from streams.sandbox.venues.listings import KRAKEN
from tests.streams.sandbox.venues.bench import MarketTime, VenueBench, open_bench

PAIR = "BTC/USDT"


async def test_it_finds_the_markets_under_their_peculiar_names(ccxt: Any, tmp_path: Path) -> None:
    async with open_bench(tmp_path, KRAKEN) as bench, bench.client(ccxt) as client:
        markets = await client.load_markets()
        assert set(markets) == set(KRAKEN.listings)
        assert {
            symbol: markets[symbol]["id"] for symbol in ("BTC/USD", "BTC/USDT", "ETH/BTC", "SOL/BTC", "USDT/USD")
        } == {
            "BTC/USD": "XXBTZUSD",
            "BTC/USDT": "XBTUSDT",
            "ETH/BTC": "XETHXXBT",
            "SOL/BTC": "SOLXBT",
            "USDT/USD": "USDTZUSD",
        }
        market = markets[PAIR]
        assert (market["taker"], market["maker"], market["active"]) == (0.0026, 0.0016, True)
        assert market["precision"] == {"price": 0.1, "amount": 0.00001}
        assert market["limits"]["amount"]["min"] == 0.0001
        assert market["limits"]["cost"]["min"] == 0.5
        fee = await client.fetch_trading_fee(PAIR)
        assert (fee["maker"], fee["taker"]) == (0.0016, 0.0026)
        assert (await client.fetch_status())["status"] == "ok"
        assert abs(await client.fetch_time() - client.milliseconds()) < 5_000


async def test_it_reads_books_and_tickers_that_agree(ccxt: Any, tmp_path: Path) -> None:
    async with open_bench(tmp_path, KRAKEN) as bench, bench.client(ccxt) as client:
        book = await client.fetch_order_book("BTC/USD", 5)
        assert len(book["bids"]) == len(book["asks"]) == 5
        assert book["bids"][0][0] < book["asks"][0][0]
        tickers = await client.fetch_tickers()
        assert set(tickers) == set(KRAKEN.listings)
        assert tickers["BTC/USD"]["bid"] == book["bids"][0][0]
        assert tickers["BTC/USD"]["ask"] == book["asks"][0][0]
        some = await client.fetch_tickers(["ETH/BTC", "SOL/BTC"])
        assert set(some) == {"ETH/BTC", "SOL/BTC"}


async def test_it_places_a_resting_order_sees_it_and_what_it_holds_and_cancels_it(ccxt: Any, tmp_path: Path) -> None:
    async with open_bench(tmp_path, KRAKEN) as bench, bench.client(ccxt) as client:
        before = await client.fetch_balance()
        price = round((await client.fetch_order_book(PAIR))["bids"][0][0] * 0.9, 1)
        order = await client.create_order(PAIR, "limit", "buy", 0.001, price, {"clientOrderId": "arb-1"})
        (resting,) = await client.fetch_open_orders(PAIR)
        assert (resting["id"], resting["status"], resting["clientOrderId"]) == (order["id"], "open", "arb-1")
        assert (resting["amount"], resting["filled"], resting["price"]) == (0.001, 0, price)
        held = (await client.fetch_balance())["USDT"]["used"]
        assert held == pytest.approx(price * 0.001 * 1.0026, abs=2e-6), "its fee comes on top"
        await client.cancel_order(order["id"], PAIR)
        assert (await client.fetch_order(order["id"]))["status"] == "canceled"
        assert (await client.fetch_balance())["USDT"] == before["USDT"]
        with pytest.raises(ccxt.OrderNotFound):
            await client.cancel_order(order["id"], PAIR)
        assert [each["id"] for each in await client.fetch_closed_orders(PAIR)] == [order["id"]]


async def test_immediate_or_cancel_fills_what_is_visible_and_pays_in_the_quote_asset(ccxt: Any, tmp_path: Path) -> None:
    async with open_bench(tmp_path, KRAKEN) as bench, bench.client(ccxt) as client:
        before = await client.fetch_balance()
        asks = (await client.fetch_order_book(PAIR))["asks"]
        first, second = asks[0], asks[1]
        wanted = first[1] + second[1] + 0.01
        sent = await client.create_order(PAIR, "limit", "buy", wanted, second[0], {"timeInForce": "IOC"})
        order = await client.fetch_order(sent["id"])
        assert order["status"] == "canceled"
        assert order["filled"] == pytest.approx(first[1] + second[1])
        cost = first[0] * first[1] + second[0] * second[1]
        assert float(order["info"]["cost"]) == pytest.approx(cost)
        assert order["fee"]["currency"] == "USDT"
        assert float(order["fee"]["cost"]) == pytest.approx(cost * 0.0026, abs=3e-6)
        after = await client.fetch_balance()
        assert before["USDT"]["total"] - after["USDT"]["total"] == pytest.approx(cost + float(order["fee"]["cost"]))
        assert after["BTC"]["total"] - before["BTC"]["total"] == pytest.approx(order["filled"])
        trades = await client.fetch_order_trades(order["id"], PAIR, params={"trades": order["trades"]})
        assert sorted(trade["price"] for trade in trades) == [first[0], second[0]]
        mine = await client.fetch_my_trades(PAIR)
        assert {trade["id"] for trade in mine} == {trade["id"] for trade in trades}
        assert {trade["order"] for trade in mine} == {order["id"]}
        left = (await client.fetch_order_book(PAIR))["asks"]
        assert [offer[:2] for offer in left] == [offer[:2] for offer in asks[2:]]


async def test_market_orders_by_amount_and_by_cost(ccxt: Any, tmp_path: Path) -> None:
    async with open_bench(tmp_path, KRAKEN) as bench, bench.client(ccxt) as client:
        sold = await client.fetch_order((await client.create_order("ETH/USD", "market", "sell", 0.02))["id"])
        assert (sold["status"], sold["filled"], sold["type"]) == ("closed", 0.02, "market")
        sent = await client.create_market_buy_order_with_cost("ETH/USD", 40)
        bought = await client.fetch_order(sent["id"])
        assert bought["status"] == "closed"
        assert 39 < float(bought["info"]["cost"]) <= 40


async def test_what_it_cannot_pay_for_is_refused_and_nothing_changes(ccxt: Any, tmp_path: Path) -> None:
    async with open_bench(tmp_path, KRAKEN) as bench, bench.client(ccxt) as client:
        before = await client.fetch_balance()
        with pytest.raises(ccxt.InsufficientFunds):
            await client.create_order(PAIR, "limit", "buy", 1, 60_000)
        with pytest.raises(ccxt.InsufficientFunds):
            await client.create_order(PAIR, "market", "sell", 5)
        assert (await client.fetch_balance())["total"] == before["total"]


async def test_a_client_order_id_is_unique_among_open_orders(ccxt: Any, tmp_path: Path) -> None:
    async with open_bench(tmp_path, KRAKEN) as bench, bench.client(ccxt) as client:
        mine = {"clientOrderId": str(uuid.uuid4())}
        first = await client.create_order(PAIR, "limit", "buy", 0.001, 50_000, mine)
        with pytest.raises(ccxt.ExchangeError, match="cl_ord_id not unique"):
            await client.create_order(PAIR, "limit", "buy", 0.001, 50_000, mine)
        assert [order["id"] for order in await client.fetch_open_orders(PAIR, params=mine)] == [first["id"]]
        await client.cancel_order("", PAIR, mine)
        again = await client.create_order(PAIR, "limit", "buy", 0.001, 50_000, mine)
        assert [order["id"] for order in await client.fetch_open_orders(PAIR, params=mine)] == [again["id"]]
        assert [order["id"] for order in await client.fetch_closed_orders(PAIR, params=mine)] == [first["id"]]


async def test_a_userref_names_as_many_orders_as_one_likes(ccxt: Any, tmp_path: Path) -> None:
    async with open_bench(tmp_path, KRAKEN) as bench, bench.client(ccxt) as client:
        for _ in range(2):
            await client.create_order(PAIR, "limit", "buy", 0.001, 50_000, {"userref": 7})
        await client.create_order(PAIR, "limit", "buy", 0.001, 50_000)
        assert len(await client.fetch_open_orders(PAIR, params={"userref": 7})) == 2
        answer = await client.private_post_cancelorder({"txid": 7})
        assert int(answer["result"]["count"]) == 2
        assert len(await client.fetch_open_orders(PAIR)) == 1
        await client.cancel_all_orders()
        assert await client.fetch_open_orders(PAIR) == []


async def test_an_order_that_is_wrong_is_refused_in_krakens_words(ccxt: Any, tmp_path: Path) -> None:
    cases = [
        ({"pair": "XBTDOGE"}, "EQuery:Unknown asset pair"),
        ({"type": "hold"}, "EGeneral:Invalid arguments:type"),
        ({"ordertype": "iceberg"}, "EGeneral:Invalid arguments:ordertype"),
        ({"timeinforce": "FOK"}, "EGeneral:Invalid arguments:timeinforce"),
        ({"volume": "0.00001"}, "volume minimum not met"),
        ({"volume": "1e-3"}, "EGeneral:Invalid arguments:volume"),
        ({"price": "50000.01"}, "up to 1 decimals"),
        ({"price": "0.1"}, "EOrder:Cost minimum not met"),
        ({"oflags": "fcib"}, "EGeneral:Invalid arguments:oflags"),
        ({"cl_ord_id": "much-too-long-for-an-id"}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"cl_ord_id": "a", "userref": "1"}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"leverage": "2"}, "EGeneral:Invalid arguments:leverage"),
        ({"oflags": "post", "price": "100000"}, "EOrder:Post only order"),
    ]
    async with open_bench(tmp_path, KRAKEN) as bench, bench.client(ccxt) as client:
        order = {"pair": "XBTUSDT", "type": "buy", "ordertype": "limit", "volume": "0.001", "price": "50000"}
        for change, why in cases:
            with pytest.raises(ccxt.BaseError, match=why):
                await client.private_post_addorder({**order, **change})
        described = await client.private_post_addorder({**order, "validate": "true"})
        assert described["result"]["descr"]["order"] == "buy 0.00100000 XBTUSDT @ limit 50000.0"
        assert await client.fetch_open_orders(PAIR) == []


async def test_a_wrong_signature_or_key_opens_nothing(ccxt: Any, tmp_path: Path) -> None:
    async with open_bench(tmp_path, KRAKEN) as bench:
        async with bench.client(ccxt, secret="d3Jvbmc=") as client:
            with pytest.raises(ccxt.ExchangeError, match="EAPI:Invalid signature"):
                await client.private_post_balance()
        async with bench.client(ccxt, apiKey="wrong") as client:
            with pytest.raises(ccxt.AuthenticationError, match="EAPI:Invalid key"):
                await client.private_post_balance()


async def call(bench: VenueBench, method: str, nonce: int, **parameters: str) -> dict[str, Any]:
    """Call as Kraken's documentation says, with a nonce of one's own."""
    customer = bench.customers[VISITOR]
    path, body = f"/0/private/{method}", urlencode({"nonce": nonce, **parameters})
    digest = hashlib.sha256(f"{nonce}{body}".encode()).digest()
    signature = hmac.new(base64.b64decode(customer.secret), path.encode() + digest, hashlib.sha512).digest()
    headers = {
        "API-Key": customer.api_key,
        "API-Sign": base64.b64encode(signature).decode(),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    async with aiohttp.ClientSession() as session, session.post(bench.url + path, data=body, headers=headers) as answer:
        assert answer.status == 200
        found: dict[str, Any] = await answer.json()
        return found


async def test_a_nonce_must_rise_also_over_a_restart(tmp_path: Path) -> None:
    time = MarketTime()
    order = {"pair": "XBTUSDT", "type": "buy", "ordertype": "limit", "volume": "0.001", "price": "50000"}
    refused = {"error": ["EAPI:Invalid nonce"]}
    async with open_bench(tmp_path, KRAKEN, time) as bench:
        assert "result" in await call(bench, "AddOrder", 1_000, **order)
        assert await call(bench, "Balance", 1_000) == refused
        assert await call(bench, "Balance", 999) == refused
        assert "result" in await call(bench, "Balance", 1_001)
        # A second life: what was sent with an order in the first cannot be sent again.
        async with open_bench(tmp_path, KRAKEN, time) as after:
            assert await call(after, "AddOrder", 1_000, **order) == refused
            assert len((await call(after, "OpenOrders", 1_001))["result"]["open"]) == 1


async def test_who_calls_too_often_has_to_wait_and_then_may_again(ccxt: Any, tmp_path: Path) -> None:
    async with open_bench(tmp_path, KRAKEN) as bench, bench.client(ccxt) as client:
        for _ in range(int(GREATEST_COUNTER)):
            await client.private_post_balance()
        with pytest.raises(ccxt.DDoSProtection):
            await client.private_post_balance()
        bench.time.monotonic_s += 1.0
        await client.private_post_balance()


async def test_accounts_do_not_see_each_other(ccxt: Any, tmp_path: Path) -> None:
    async with (
        open_bench(tmp_path, KRAKEN) as bench,
        bench.client(ccxt, VISITOR) as visitor,
        bench.client(ccxt, FLEET) as fleet,
    ):
        order = await visitor.create_order(PAIR, "limit", "buy", 0.001, 50_000)
        assert await fleet.fetch_open_orders(PAIR) == []
        with pytest.raises(ccxt.InvalidOrder):
            await fleet.fetch_order(order["id"])
        with pytest.raises(ccxt.OrderNotFound):
            await fleet.cancel_order(order["id"])


async def test_a_busy_venue_and_a_lost_answer_are_different_failures(
    ccxt: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_bench(tmp_path, KRAKEN) as bench, bench.client(ccxt, FLEET) as client:
        mine = {"clientOrderId": "leg-1"}
        monkeypatch.setattr(venue, "_OUTRUN_PPM", 0)
        monkeypatch.setattr(venue, "_BUSY_PPM", 1_000_000)
        with pytest.raises(ccxt.ExchangeNotAvailable, match="EService:Busy"):
            await client.create_order(PAIR, "market", "sell", 0.001, None, mine)
        assert await client.fetch_closed_orders(PAIR, params=mine) == []
        monkeypatch.setattr(venue, "_BUSY_PPM", 0)
        monkeypatch.setattr(venue, "_LOST_ANSWER_PPM", 1_000_000)
        with pytest.raises(ccxt.RequestTimeout):
            await client.create_order(PAIR, "market", "sell", 0.001, None, mine)
        (found,) = await client.fetch_closed_orders(PAIR, params=mine)
        assert (found["status"], found["filled"]) == ("closed", 0.001)


async def test_a_kill_between_two_orders_loses_neither(ccxt: Any, tmp_path: Path) -> None:
    time = MarketTime()
    async with open_bench(tmp_path, KRAKEN, time) as bench, bench.client(ccxt) as client:
        resting = await client.create_order(PAIR, "limit", "buy", 0.001, 50_000)
        filled = await client.create_order(PAIR, "market", "sell", 0.001)
        balance = await client.fetch_balance()
        # The old one is still there, with the file open, and says no farewell.
        async with open_bench(tmp_path, KRAKEN, time) as after, after.client(ccxt) as back:
            assert [order["id"] for order in await back.fetch_open_orders(PAIR)] == [resting["id"]]
            assert (await back.fetch_order(filled["id"]))["filled"] == 0.001
            assert (await back.fetch_balance())["total"] == balance["total"]
