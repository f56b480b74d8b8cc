"""Settings that make sense, and what is said of those that do not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.crypto_arbitrage.amounts import read_amount
from streams.crypto_arbitrage.blueprint import BUSINESSES, MAX_SETTINGS, blueprint
from streams.crypto_arbitrage.settings import CryptoArbitrageSettings

PLAIN: dict[str, Any] = {"title": "Plain", "budgets": {"USDT": "500"}, "symbols": ["BTC/USDT"]}


def decoded(**changes: Any) -> CryptoArbitrageSettings:
    return msgspec.convert(PLAIN | changes, CryptoArbitrageSettings)


def test_settings_become_whole_units() -> None:
    settings = decoded(max_daily_loss={"USDT": "12.5"}, transfer_fees={"BTC": "0.0001"}, min_profit_bps=2.5)
    assert settings.budget("USDT") == read_amount("500")
    assert settings.loss_limit("USDT") == read_amount("12.5")
    assert settings.loss_limit("BTC") is None
    assert (settings.transfer_fee("BTC"), settings.transfer_fee("ETH")) == (10_000, None)
    assert settings.min_profit_ppm == 250
    assert settings.gate_limits().max_edge_ppm == 30_000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budgets": {}}, "budgets: name at least one home asset"),
        ({"budgets": {"USDT": "0"}}, r"budgets\.USDT: must be more than nothing"),
        ({"budgets": {"USDT": "lots"}}, r"budgets\.USDT: 'lots' is no number"),
        ({"budgets": {"PEPE": "5"}, "symbols": []}, r"budgets\.PEPE: no asset 'PEPE' is declared"),
        ({"max_daily_loss": {"USDT": "-1"}}, r"max_daily_loss\.USDT: '-1' is negative"),
        ({"symbols": ["BTCUSDT"]}, "symbols: 'BTCUSDT' is not written like 'BTC/USDT'"),
        ({"symbols": ["ETH/BTC"]}, "budgets: ETH/BTC is paid in BTC, which has no budget"),
        ({"symbols": []}, "symbols: name what to trade across venues, or triangle_venues"),
        ({"venues": ["kraken"]}, "venues: it takes two venues"),
        ({"venues": ["kraken", "kraken"]}, "venues: name each venue once"),
        ({"venues": ["kraken", "../etc"]}, "venues: '../etc' is not one of ccxt's ids"),
        ({"triangle_venues": ["okx"]}, "triangle_venues: 'okx' is not among the venues binance, kraken"),
        ({"triangle_venues": ["kraken"], "triangle_assets": ["BTC"]}, "triangle_assets: a triangle leads over two"),
        ({"min_profit_bps": 400}, "max_profit_bps: must be above min_profit_bps"),
        ({"poll_s": 0.01}, "poll_s"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_what_makes_no_sense_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        decoded(**changes)


def test_the_businesses_are_twenty_and_all_different() -> None:
    assert len(BUSINESSES) == 20
    routes = {msgspec.json.encode(msgspec.structs.replace(each, title="")) for each in BUSINESSES}
    assert len(routes) == len({each.title for each in BUSINESSES}) == 20


def test_further_businesses_differ_as_well_and_are_valid() -> None:
    made = blueprint(90)
    assert len({msgspec.json.encode(each) for each in made}) == 90
    for each in made:
        assert msgspec.convert(msgspec.to_builtins(each), CryptoArbitrageSettings) == each
    assert made[:20] == list(BUSINESSES)
    with pytest.raises(ValueError, match="not -1"):
        blueprint(-1)
    with pytest.raises(ValueError, match=f"between 0 and {MAX_SETTINGS}"):
        blueprint(MAX_SETTINGS + 1)


def test_one_instance_alone_watches_everything() -> None:
    (first,) = blueprint(1)
    assert first.triangle_venues == first.venues == ("binance", "kraken")
    assert len(first.symbols) == 9
