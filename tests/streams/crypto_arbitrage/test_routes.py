"""Ways are found once, from what venues trade and what is trusted."""

from __future__ import annotations

import msgspec

from streams.crypto_arbitrage.routes import Untrusted, routes_of
from streams.crypto_arbitrage.settings import CryptoArbitrageSettings
from tests.streams.crypto_arbitrage.markets import market

MARKETS = {
    venue: {symbol: market(venue, symbol) for symbol in ("BTC/USDT", "ETH/USDT", "ETH/BTC")}
    for venue in ("binance", "kraken")
}
SETTINGS = CryptoArbitrageSettings(
    title="Test",
    budgets={"USDT": "500"},
    symbols=("BTC/USDT", "SOL/USDT"),
    triangle_venues=("binance",),
    triangle_assets=("BTC", "ETH"),
)


def test_ways_lead_across_both_ways_and_round_both_ways() -> None:
    routes = routes_of(SETTINGS, MARKETS)
    assert [each.way.name for each in routes.crossings] == [
        "buy BTC/USDT on binance, sell on kraken",
        "buy BTC/USDT on kraken, sell on binance",
    ]
    assert sorted(way.name for way in routes.rounds["binance"]) == [
        "buy BTC/USDT, buy ETH/BTC, sell ETH/USDT on binance",
        "buy ETH/USDT, sell ETH/BTC, sell BTC/USDT on binance",
    ]
    assert routes.symbols("binance") == {"BTC/USDT", "ETH/USDT", "ETH/BTC"}
    assert routes.symbols("kraken") == {"BTC/USDT"}
    assert set(routes.left_out) == {Untrusted(venue, "SOL/USDT", "not_listed") for venue in ("binance", "kraken")}


def test_a_direction_keeps_one_way_only() -> None:
    forward = routes_of(msgspec.structs.replace(SETTINGS, direction="forward"), MARKETS)
    backward = routes_of(msgspec.structs.replace(SETTINGS, direction="backward"), MARKETS)
    assert [each.way.name for each in forward.crossings] == ["buy BTC/USDT on binance, sell on kraken"]
    assert [each.way.name for each in backward.crossings] == ["buy BTC/USDT on kraken, sell on binance"]


def test_what_is_not_trusted_or_not_traded_leads_nowhere() -> None:
    changed = {
        "binance": MARKETS["binance"] | {"ETH/BTC": market("binance", "ETH/BTC", active=False)},
        "kraken": MARKETS["kraken"] | {"BTC/USDT": market("kraken", base_id="XBT2")},
    }
    routes = routes_of(SETTINGS, changed)
    assert routes.crossings == ()
    assert routes.rounds == {"binance": ()}
    reasons = {(each.venue, each.symbol): each.reason for each in routes.left_out}
    assert reasons["kraken", "BTC/USDT"] == "identity"
    assert reasons["binance", "ETH/BTC"] == "inactive"


def test_a_round_whose_middle_has_no_market_home_is_not_gone() -> None:
    """From BTC over ETH and USDT: what is left over in USDT could not be turned into BTC by a sale."""
    routes = routes_of(msgspec.structs.replace(SETTINGS, budgets={"BTC": "0.01"}, symbols=()), MARKETS)
    assert routes.rounds == {"binance": ()}
