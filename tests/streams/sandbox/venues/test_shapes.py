"""What the venues answer has the fields of what the real ones were recorded to answer."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.sandbox.venues.balances import Balance
from streams.sandbox.venues.binance import shapes as binance_shapes
from streams.sandbox.venues.kraken import shapes as kraken_shapes
from streams.sandbox.venues.listings import BINANCE, KRAKEN
from streams.sandbox.venues.market.day import Day
from streams.sandbox.venues.order import Order, Trade

SHARED = Path(os.environ.get("AUTOMATE_SHARED", Path(__file__).parents[5] / "shared")) / "data" / "crypto"
MOCKS = SHARED / "gocryptotrader_http_mocks" / "binance_http.json.gz"
XCHANGE = SHARED / "xchange_rest_responses"

ORDER = Order(
    account="ann",
    symbol="ETH/BTC",
    side="buy",
    ticks=4_878,
    lots=100,
    client_id="a",
    id=7,
    created_ms=1_700_000_000_123,
    updated_ms=1_700_000_000_456,
    filled_lots=40,
    cost_units=195_120,
    fee_units=40_000,
)
TRADE = Trade(
    id=9,
    order_id=7,
    account="ann",
    symbol="ETH/BTC",
    side="buy",
    ticks=4_878,
    lots=40,
    cost_units=195_120,
    fee_units=40_000,
    fee_asset="ETH",
    maker=False,
    at_ms=1_700_000_000_456,
)
DAY = Day(4_800, 4_900, 4_700, 1_000, 4_870_000, 3)


def recorded_binance(route: str, method: str = "GET") -> Any:
    if not MOCKS.is_file():
        pytest.skip(f"the recorded answers are not at {MOCKS}")
    routes = json.loads(gzip.decompress(MOCKS.read_bytes()))["routes"]
    return routes[route][method][0]["data"]


def recorded_xchange(venue: str, name: str) -> Any:
    (file, *_) = [*(XCHANGE / f"xchange-{venue}").rglob(name), None]
    if file is None:
        pytest.skip(f"the recorded answers are not at {XCHANGE}")
    return json.loads(file.read_bytes())


def kinds(value: Mapping[str, Any]) -> dict[str, str]:
    """Return of which kind each field is: text, number, truth, list, …"""
    return {name: "number" if isinstance(each, float) else type(each).__name__ for name, each in value.items()}


def same_kinds(ours: Mapping[str, Any], recorded: Mapping[str, Any], but: set[str] | None = None) -> None:
    """Assert that each recorded field is here, and of the same kind."""
    missing = recorded.keys() - ours.keys() - (but or set())
    assert not missing
    mine, real = kinds(ours), kinds(recorded)
    assert {name: mine[name] for name in real if name in mine} == {name: real[name] for name in real if name in mine}


def test_binances_markets_have_the_recorded_fields_and_filters() -> None:
    recorded = recorded_binance("/api/v3/exchangeInfo")
    ours = binance_shapes.exchange_info(BINANCE, list(BINANCE.listings), 1)
    same_kinds(ours, recorded)
    # Instructions are an experiment that came and went, the rest of the missing ones are of order lists.
    optional = {"otoAllowed", "opoAllowed", "pegInstructionsAllowed", "ocoAllowed", "quoteOrderQtyMarketAllowed"}
    same_kinds(ours["symbols"][0], recorded["symbols"][0], optional)
    real = {each["filterType"]: each for each in recorded["symbols"][0]["filters"]}
    for filter_ in ours["symbols"][0]["filters"]:
        same_kinds(filter_, real[filter_["filterType"]])


def test_binances_tickers_and_books_have_the_recorded_fields() -> None:
    listing = BINANCE.listings["ETH/BTC"]
    best = binance_shapes.book_ticker(listing, [(4_877, 5)], [(4_878, 6)])
    same_kinds(best, recorded_binance("/api/v3/ticker/bookTicker"))
    day = binance_shapes.day_ticker(listing, DAY, best, 4_878, 1_700_000_000_000)
    same_kinds(day, recorded_binance("/api/v3/ticker/24hr"))
    assert (day["priceChange"], day["priceChangePercent"]) == ("0.00078000", "1.625")
    assert day["weightedAvgPrice"] == "0.04870000"
    (bid, *_) = recorded_binance("/api/v3/depth")["bids"]
    assert [type(each) for each in binance_shapes.levels(listing, [(4_877, 5)])[0]] == [type(each) for each in bid]


def test_binances_orders_have_the_recorded_fields() -> None:
    listing = BINANCE.listings["ETH/BTC"]
    shown = binance_shapes.order_shown(listing, ORDER)
    same_kinds(shown, recorded_binance("/api/v3/order"), but={"icebergQty"})
    same_kinds(shown, recorded_binance("/api/v3/allOrders")[0])
    same_kinds(shown, recorded_xchange("binance", "filled-market-order.json"))
    cancelled = binance_shapes.order_cancelled(listing, ORDER, "x")
    same_kinds(cancelled, recorded_binance("/api/v3/order", "DELETE"))
    assert (shown["price"], shown["executedQty"], shown["status"]) == ("0.04878000", "0.04000000", "PARTIALLY_FILLED")
    assert shown["cummulativeQuoteQty"] == "0.00195120"
    placed = binance_shapes.order_placed(listing, ORDER, (TRADE,), "FULL")
    assert placed["fills"] == [
        {"price": "0.04878000", "qty": "0.04000000", "commission": "0.00040000", "commissionAsset": "ETH", "tradeId": 9}
    ]


def test_binances_accounts_and_coins_have_the_recorded_fields() -> None:
    recorded = recorded_binance("/api/v3/account")
    ours = binance_shapes.account(BINANCE, {"BTC": Balance(5, 6)}, 1, all_assets=True)
    same_kinds(ours, recorded)
    assert ours["balances"] == [{"asset": "BTC", "free": "0.00000005", "locked": "0.00000006"}]
    recorded = recorded_binance("/sapi/v1/capital/config/getall")[0]
    for asset in BINANCE.assets:
        coin = binance_shapes.coin(asset, Balance(5, 6))
        same_kinds(coin, recorded)
        same_kinds(coin["networkList"][0], recorded["networkList"][0])


def test_krakens_assets_and_pairs_have_the_recorded_fields() -> None:
    assets = recorded_xchange("kraken", "example-assets-data.json")["result"]
    for asset in ("BTC", "ETH", "XRP", "LTC", "USDT"):
        name = kraken_shapes.asset_id(asset)
        if name in assets:
            same_kinds(kraken_shapes.asset_shown(asset), assets[name])
            assert kraken_shapes.asset_shown(asset)["altname"] == assets[name]["altname"]
    pairs = recorded_xchange("kraken", "example-assetpairs-data.json")["result"]
    compared = 0
    for listing in KRAKEN.listings.values():
        recorded = pairs.get(kraken_shapes.pair_id(listing))
        if recorded is not None:
            ours = kraken_shapes.pair_shown(KRAKEN, listing)
            same_kinds(ours, recorded, but={"leverage_buy", "leverage_sell"})
            for name in ("altname", "wsname", "base", "quote"):
                assert ours[name] == recorded[name]
            compared += 1
    assert compared >= 4, "pairs are called what they were called"


def test_krakens_tickers_have_the_recorded_fields() -> None:
    (recorded,) = recorded_xchange("kraken", "example-ticker-data.json")["result"].values()
    listing = KRAKEN.listings["ETH/BTC"]
    same_kinds(kraken_shapes.ticker(listing, DAY, [(4_877, 5)], [(4_878, 6)], 4_878), recorded)


def test_krakens_orders_and_trades_have_the_recorded_fields() -> None:
    listing = KRAKEN.listings["ETH/BTC"]
    ours = kraken_shapes.order_shown(listing, ORDER, [9])
    recorded = next(iter(recorded_xchange("kraken", "example-openorders-data.json")["result"]["open"].values()))
    same_kinds(ours, recorded)
    same_kinds(ours["descr"], recorded["descr"])
    assert ours["descr"]["order"] == "buy 0.10000000 ETHXBT @ limit 0.04878"
    (trade, *_) = recorded_xchange("kraken", "example-tradehistory-data.json")["result"]["trades"].values()
    same_kinds(kraken_shapes.trade_shown(listing, TRADE, "limit"), trade)


@given(st.sampled_from("OT"), st.integers(1, 2**40))
def test_the_names_of_krakens_orders_lead_back_to_their_numbers(letter: str, number: int) -> None:
    name = kraken_shapes.txid(letter, number)
    assert kraken_shapes.number_of(letter, name) == number
    assert kraken_shapes.number_of("T" if letter == "O" else "O", name) is None
    assert [len(part) for part in name.split("-")] == [6, 5, 6]


@pytest.mark.parametrize("name", ["", "O", "OAAAAA-BBBBB-CCCCCC", "7", "O12345-67890-ABCDE", "O12345-67890-ABCDEI"])
def test_what_is_no_such_name_leads_nowhere(name: str) -> None:
    assert kraken_shapes.number_of("O", name) is None
