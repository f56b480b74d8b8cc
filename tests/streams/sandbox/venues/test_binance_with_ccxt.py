"""An unmodified ccxt client trades on the venue that speaks Binance's dialect."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streams.sandbox.venues import venue
from streams.sandbox.venues.binance import shapes
from streams.sandbox.venues.customers import FLEET, VISITOR
from streams.sandbox.venues.listings import BINANCE
from tests.streams.sandbox.venues.bench import MarketTime, open_bench

PAIR = "BTC/USDT"


async def test_it_finds_the_markets_with_their_steps_minimums_and_fees(ccxt: Any, tmp_path: Path) -> None:
    async with open_bench(tmp_path, BINANCE) as bench, bench.client(ccxt) as client:
        markets = await client.load_markets()
        assert set(markets) == set(BINANCE.listings)
        market = markets[PAIR]
        assert (market["id"], market["active"], market["spot"], market["margin"]) == ("BTCUSDT", True, True, False)
        assert (market["taker"], market["maker"]) == (0.001, 0.001)
        assert market["precision"]["price"] == 0.01
        assert market["precision"]["amount"] == 0.0001
        assert market["limits"]["cost"]["min"] == 5
        fee = await client.fetch_trading_fee(PAIR)
        assert (fee["maker"], fee["taker"]) == (0.001, 0.001)
        assert abs(await client.fetch_time() - client.milliseconds()) < 5_000
        assert set(client.currencies) >= set(BINANCE.assets)
        bitcoin = client.currencies["BTC"]
        assert (bitcoin["deposit"], bitcoin["withdraw"], bitcoin["fee"]) == (True, True, 0.0001)


async def test_it_reads_books_and_tickers_that_agree(ccxt: Any, tmp_path: Path) -> None:
    async with open_bench(tmp_path, BINANCE) as bench, bench.client(ccxt) as client:
        book = await client.fetch_order_book(PAIR, 5)
        assert len(book["bids"]) == len(book["asks"]) == 5
        assert book["bids"][0][0] < book["asks"][0][0]
        assert await client.fetch_order_book(PAIR, 5) == book | {"timestamp": None}
        best = await client.fetch_bids_asks()
        assert set(best) == set(BINANCE.listings)
        assert [best[PAIR]["bid"], best[PAIR]["bidVolume"]] == book["bids"][0]
        assert [best[PAIR]["ask"], best[PAIR]["askVolume"]] == book["asks"][0]
        ticker = await client.fetch_ticker(PAIR)
        assert ticker["low"] <= ticker["last"] <= ticker["high"]
        assert book["bids"][0][0] <= ticker["last"] <= book["asks"][0][0]
        assert set(await client.fetch_tickers()) == set(BINANCE.listings)


async def test_it_places_a_resting_order_sees_it_and_what_it_holds_and_cancels_it(ccxt: Any, tmp_path: Path) -> None:
    async with open_bench(tmp_path, BINANCE) as bench, bench.client(ccxt) as client:
        before = await client.fetch_balance()
        price = (await client.fetch_order_book(PAIR))["bids"][0][0] * 0.9
        order = await client.create_order(PAIR, "limit", "buy", 0.001, price, {"clientOrderId": "mine-1"})
        assert (order["status"], order["filled"], order["clientOrderId"]) == ("open", 0, "mine-1")
        balance = await client.fetch_balance()
        assert balance["USDT"]["used"] == pytest.approx(order["price"] * 0.001, abs=1e-9)
        assert balance["USDT"]["total"] == before["USDT"]["total"]
        (resting,) = await client.fetch_open_orders(PAIR)
        assert resting["id"] == order["id"]
        assert (await client.fetch_open_orders("ETH/USDT")) == []
        cancelled = await client.cancel_order(order["id"], PAIR)
        assert (cancelled["status"], cancelled["info"]["origClientOrderId"]) == ("canceled", "mine-1")
        assert (await client.fetch_order(order["id"], PAIR))["status"] == "canceled"
        assert (await client.fetch_balance())["USDT"] == before["USDT"]
        with pytest.raises(ccxt.OrderNotFound):
            await client.cancel_order(order["id"], PAIR)
        with pytest.raises(ccxt.OrderNotFound):
            await client.fetch_order("4711", PAIR)


async def test_immediate_or_cancel_fills_what_is_visible_and_pays_in_what_it_receives(
    ccxt: Any, tmp_path: Path
) -> None:
    async with open_bench(tmp_path, BINANCE) as bench, bench.client(ccxt) as client:
        before = await client.fetch_balance()
        asks = (await client.fetch_order_book(PAIR))["asks"]
        (first, first_lots), (second, second_lots) = asks[:2]
        wanted = first_lots + second_lots + 0.01
        order = await client.create_order(PAIR, "limit", "buy", wanted, second, {"timeInForce": "IOC"})
        assert order["status"] == "expired"
        assert order["filled"] == pytest.approx(first_lots + second_lots)
        assert [trade["price"] for trade in order["trades"]] == [first, second]
        assert order["cost"] == pytest.approx(first * first_lots + second * second_lots)
        after = await client.fetch_balance()
        fees = sum(trade["fee"]["cost"] for trade in order["trades"])
        assert {trade["fee"]["currency"] for trade in order["trades"]} == {"BTC"}
        assert fees == pytest.approx(order["filled"] * 0.001, abs=2e-8)
        assert after["BTC"]["total"] - before["BTC"]["total"] == pytest.approx(order["filled"] - fees)
        assert before["USDT"]["total"] - after["USDT"]["total"] == pytest.approx(order["cost"])
        assert (await client.fetch_order_book(PAIR))["asks"] == asks[2:], "what was taken is gone"
        trades = await client.fetch_my_trades(PAIR, params={"orderId": order["id"]})
        assert [trade["id"] for trade in trades] == [trade["id"] for trade in order["trades"]]
        assert {trade["takerOrMaker"] for trade in trades} == {"taker"}
        assert [each["id"] for each in await client.fetch_orders(PAIR)] == [order["id"]]


async def test_fill_or_kill_and_market_orders(ccxt: Any, tmp_path: Path) -> None:
    async with open_bench(tmp_path, BINANCE) as bench, bench.client(ccxt) as client:
        price, amount = (await client.fetch_order_book("ETH/USDT"))["bids"][0]
        more = amount + 0.1
        killed = await client.create_order("ETH/USDT", "limit", "sell", more, price, {"timeInForce": "FOK"})
        assert (killed["status"], killed["filled"]) == ("expired", 0)
        sold = await client.create_order("ETH/USDT", "market", "sell", 0.05)
        assert (sold["status"], sold["filled"]) == ("closed", 0.05)
        assert sold["fee"]["currency"] == "USDT"
        bought = await client.create_market_buy_order_with_cost("ETH/USDT", 50)
        assert bought["status"] == "closed"
        assert 49 < bought["cost"] <= 50


async def test_a_rest_that_would_match_is_refused_when_it_is_to_rest_only(ccxt: Any, tmp_path: Path) -> None:
    async with open_bench(tmp_path, BINANCE) as bench, bench.client(ccxt) as client:
        price = (await client.fetch_order_book(PAIR))["asks"][3][0]
        with pytest.raises(ccxt.OrderImmediatelyFillable):
            await client.create_order(PAIR, "limit", "buy", 0.001, price, {"postOnly": True})


async def test_what_it_cannot_pay_for_is_refused_and_nothing_changes(ccxt: Any, tmp_path: Path) -> None:
    async with open_bench(tmp_path, BINANCE) as bench, bench.client(ccxt) as client:
        before = await client.fetch_balance()
        price = before["USDT"]["free"]
        with pytest.raises(ccxt.InsufficientFunds):
            await client.create_order(PAIR, "limit", "buy", 1, price * 3)
        with pytest.raises(ccxt.InsufficientFunds):
            await client.create_order(PAIR, "market", "sell", 5)
        assert (await client.fetch_balance())["total"] == before["total"]
        assert await client.fetch_orders(PAIR) == []


async def test_a_client_order_id_is_unique_among_open_orders(ccxt: Any, tmp_path: Path) -> None:
    async with open_bench(tmp_path, BINANCE) as bench, bench.client(ccxt) as client:
        price = (await client.fetch_order_book(PAIR))["bids"][0][0] * 0.9
        mine = {"newClientOrderId": "leg-1"}
        first = await client.create_order(PAIR, "limit", "buy", 0.001, price, mine)
        with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
            await client.create_order(PAIR, "limit", "buy", 0.001, price, mine)
        assert len(await client.fetch_open_orders(PAIR)) == 1
        named = {"origClientOrderId": "leg-1"}
        assert (await client.fetch_order("", PAIR, named))["id"] == first["id"]
        assert (await client.cancel_order("", PAIR, named))["id"] == first["id"]
        again = await client.create_order(PAIR, "limit", "buy", 0.001, price, mine)
        assert (await client.fetch_order("", PAIR, named))["id"] == again["id"]
        assert len(await client.cancel_all_orders(PAIR)) == 1


async def test_an_order_that_breaks_a_filter_is_refused_by_its_name(ccxt: Any, tmp_path: Path) -> None:
    cases = [
        ("0.00015", "60000", "LOT_SIZE"),
        ("0", "60000", "LOT_SIZE"),
        ("0.0001", "60000.001", "PRICE_FILTER"),
        ("0.0001", "1", "PERCENT_PRICE_BY_SIDE"),
        ("0.0001", "20000", "NOTIONAL"),
        ("0.0000000001", "60000", "too much precision"),
        ("1e-3", "60000", "Illegal characters"),
        ("0.001", "", "'price' was not sent"),
    ]
    async with open_bench(tmp_path, BINANCE) as bench, bench.client(ccxt) as client:
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        for amount, price, why in cases:
            # ccxt says of some filters what it thinks of them, and repeats the venue's words behind.
            with pytest.raises(ccxt.ExchangeError, match=why):
                await client.private_post_order({**order, "quantity": amount, "price": price})


async def test_a_parameter_that_is_wrong_is_refused_by_its_number(ccxt: Any, tmp_path: Path) -> None:
    cases = [
        ({"side": "HOLD"}, "-1117"),
        ({"type": "STOP_LOSS"}, "-1116"),
        ({"timeInForce": "GTX"}, "-1115"),
        ({"symbol": "BTCDOGE"}, "-1121"),
        ({"newClientOrderId": "a b"}, "-1100"),
        ({"icebergQty": "1"}, "-1106"),
        ({"newOrderRespType": "ALL"}, "-1136"),
        ({"type": "MARKET"}, "-1106"),
    ]
    async with open_bench(tmp_path, BINANCE) as bench, bench.client(ccxt) as client:
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        for change, code in cases:
            with pytest.raises(ccxt.BaseError, match=code):
                await client.private_post_order({**order, "quantity": "0.001", "price": "60000", **change})


async def test_a_wrong_signature_or_key_opens_nothing(ccxt: Any, tmp_path: Path) -> None:
    async with open_bench(tmp_path, BINANCE) as bench:
        async with bench.client(ccxt, secret="wrong") as client:
            with pytest.raises(ccxt.AuthenticationError, match="-1022"):
                await client.private_get_account()
        async with bench.client(ccxt, apiKey="wrong") as client:
            with pytest.raises(ccxt.AuthenticationError, match="-2015"):
                await client.private_get_account()
        customer = bench.customers[FLEET]
        async with bench.client(ccxt, apiKey=customer.api_key) as client:
            with pytest.raises(ccxt.AuthenticationError, match="-1022"):
                await client.private_get_account()


async def test_a_request_is_fresh_for_five_seconds_and_hardly_from_the_future(ccxt: Any, tmp_path: Path) -> None:
    time = MarketTime()
    async with open_bench(tmp_path, BINANCE, time) as bench, bench.client(ccxt) as client:
        for ahead_s in (10, -3):
            time.ahead = timedelta(seconds=ahead_s)
            with pytest.raises(ccxt.InvalidNonce, match="-1021"):
                await client.private_get_account()
        time.ahead = timedelta(seconds=10)
        await client.private_get_account({"recvWindow": 20_000})
        time.ahead = timedelta(seconds=3)
        await client.private_get_account()
        with pytest.raises(ccxt.ExchangeError, match="-1131"):
            await client.private_get_account({"recvWindow": 60_001})


async def test_accounts_do_not_see_each_other(ccxt: Any, tmp_path: Path) -> None:
    async with (
        open_bench(tmp_path, BINANCE) as bench,
        bench.client(ccxt, VISITOR) as visitor,
        bench.client(ccxt, FLEET) as fleet,
    ):
        price = (await visitor.fetch_order_book(PAIR))["bids"][0][0] * 0.9
        order = await visitor.create_order(PAIR, "limit", "buy", 0.001, price)
        assert await fleet.fetch_open_orders(PAIR) == []
        with pytest.raises(ccxt.OrderNotFound):
            await fleet.cancel_order(order["id"], PAIR)
        with pytest.raises(ccxt.OrderNotFound):
            await fleet.fetch_order(order["id"], PAIR)


async def test_two_accounts_trade_with_each_other(ccxt: Any, tmp_path: Path) -> None:
    async with (
        open_bench(tmp_path, BINANCE) as bench,
        bench.client(ccxt, VISITOR) as visitor,
        bench.client(ccxt, FLEET) as fleet,
    ):
        book = await visitor.fetch_order_book(PAIR)
        price = round((book["bids"][0][0] + book["asks"][0][0]) / 2, 2)
        resting = await visitor.create_order(PAIR, "limit", "buy", 0.002, price)
        assert (await fleet.fetch_order_book(PAIR))["bids"][0] == [price, 0.002]
        taken = await fleet.create_order(PAIR, "limit", "sell", 0.002, price)
        assert (taken["status"], taken["average"]) == ("closed", price)
        assert (await visitor.fetch_order(resting["id"], PAIR))["status"] == "closed"
        (trade,) = await visitor.fetch_my_trades(PAIR)
        assert (trade["takerOrMaker"], trade["side"], trade["price"]) == ("maker", "buy", price)


async def test_too_many_requests_are_told_to_wait(ccxt: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "WEIGHT_PER_MINUTE", 90)
    async with open_bench(tmp_path, BINANCE) as bench, bench.client(ccxt) as client:
        await client.public_get_ticker_24hr()
        assert client.last_response_headers["x-mbx-used-weight-1m"] == "40"
        await client.public_get_ticker_24hr()
        with pytest.raises(ccxt.DDoSProtection):
            await client.public_get_ticker_24hr()
        async with aiohttp.ClientSession() as session, session.get(bench.url + "/api/v3/time") as answer:
            assert answer.status == 429
            assert 0 < int(answer.headers["retry-after"]) <= 60


async def test_a_busy_venue_and_a_lost_answer_are_different_failures(
    ccxt: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_bench(tmp_path, BINANCE) as bench, bench.client(ccxt, FLEET) as client:
        mine = {"clientOrderId": "leg-1"}
        monkeypatch.setattr(venue, "_OUTRUN_PPM", 0)
        monkeypatch.setattr(venue, "_BUSY_PPM", 1_000_000)
        with pytest.raises(ccxt.BaseError, match="-1008"):
            await client.create_order(PAIR, "market", "sell", 0.001, None, mine)
        with pytest.raises(ccxt.OrderNotFound):
            await client.fetch_order("", PAIR, {"origClientOrderId": "leg-1"})
        monkeypatch.setattr(venue, "_BUSY_PPM", 0)
        monkeypatch.setattr(venue, "_LOST_ANSWER_PPM", 1_000_000)
        with pytest.raises(ccxt.RequestTimeout, match="-1007"):
            await client.create_order(PAIR, "market", "sell", 0.001, None, mine)
        found = await client.fetch_order("", PAIR, {"origClientOrderId": "leg-1"})
        assert (found["status"], found["filled"]) == ("closed", 0.001)


async def test_a_kill_between_two_orders_loses_neither(ccxt: Any, tmp_path: Path) -> None:
    time = MarketTime()
    async with open_bench(tmp_path, BINANCE, time) as bench, bench.client(ccxt) as client:
        price = (await client.fetch_order_book(PAIR))["bids"][0][0] * 0.9
        resting = await client.create_order(PAIR, "limit", "buy", 0.001, price)
        filled = await client.create_order(PAIR, "market", "sell", 0.001)
        balance = await client.fetch_balance()
        # The old one is still there, with the file open, and says no farewell.
        async with open_bench(tmp_path, BINANCE, time) as after, after.client(ccxt) as back:
            assert [order["id"] for order in await back.fetch_open_orders(PAIR)] == [resting["id"]]
            assert (await back.fetch_order(filled["id"], PAIR))["filled"] == 0.001
            assert (await back.fetch_balance())["total"] == balance["total"]
            assert [trade["order"] for trade in await back.fetch_my_trades(PAIR)] == [filled["id"]]
