"""The businesses that an unconfigured fleet runs: twenty routes made by hand, and sizes of them beyond that.

The first watches everything there is, so that a trial run of one instance sees whatever happens anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from streams.crypto_arbitrage.amounts import AMOUNT_SCALE, read_units, show_units
from streams.crypto_arbitrage.settings import CryptoArbitrageSettings

MAX_SETTINGS: Final = 10_000

_COINS: Final = ("BTC", "ETH", "SOL", "XRP", "LTC")
_ALL: Final = tuple(f"{coin}/USDT" for coin in _COINS)
_COIN_PAIRS: Final = ("ETH/BTC", "SOL/BTC", "XRP/BTC", "LTC/BTC")

# The sandbox's Kraken has the live one's counter of private calls, and no limit on public ones; live, leave it out.
_PACE: Final[dict[str, Any]] = {"poll_s": 0.5, "rate_limits_ms": {"kraken": 250}}


def _across(
    title: str, symbols: tuple[str, ...], budget: str, home: str = "USDT", **more: Any
) -> CryptoArbitrageSettings:
    return _business(title, {home: budget}, symbols=symbols, **more)


def _round(
    title: str, venue: str, assets: tuple[str, ...], budgets: dict[str, str], **more: Any
) -> CryptoArbitrageSettings:
    return _business(title, budgets, venues=(venue,), triangle_venues=(venue,), triangle_assets=assets, **more)


def _business(title: str, budgets: dict[str, str], **more: Any) -> CryptoArbitrageSettings:
    losses = {home: _scaled(budget, 1, 5) for home, budget in budgets.items()}
    return CryptoArbitrageSettings(title=title, budgets=budgets, max_daily_loss=losses, **(_PACE | more))


def _scaled(amount: str, up: int, down: int) -> str:
    return show_units(read_units(amount, AMOUNT_SCALE) * up // down, AMOUNT_SCALE)


BUSINESSES: Final[tuple[CryptoArbitrageSettings, ...]] = (
    _business(
        "Everything, Everywhere",
        {"USDT": "600", "USD": "600", "BTC": "0.01"},
        symbols=_ALL + _COIN_PAIRS,
        triangle_venues=("binance", "kraken"),
        triangle_assets=(*_COINS, "USDT"),
    ),
    _across("Bitcoin Both Ways", ("BTC/USDT",), "500"),
    _across("Ether Both Ways", ("ETH/USDT",), "500"),
    _across("Solana Both Ways", ("SOL/USDT",), "400"),
    _across("Ripple Both Ways", ("XRP/USDT",), "400"),
    _across("Litecoin Both Ways", ("LTC/USDT",), "400"),
    _round("Bitcoin-Ether Round", "binance", ("BTC", "ETH"), {"USDT": "500"}),
    _round("Bitcoin-Solana Round", "binance", ("BTC", "SOL"), {"USDT": "400"}),
    _round("Bitcoin-Ripple Round", "binance", ("BTC", "XRP"), {"USDT": "400"}),
    _round("Bitcoin-Litecoin Round", "binance", ("BTC", "LTC"), {"USDT": "400"}),
    _round("Ether-Solana Round", "binance", ("ETH", "SOL"), {"USDT": "400"}),
    _round("Coins Without Dollars", "binance", ("ETH", "SOL"), {"BTC": "0.008"}),
    _across("Majors Westward", ("BTC/USDT", "ETH/USDT"), "900", direction="forward", min_profit_bps=8.0),
    _across("Majors Eastward", ("BTC/USDT", "ETH/USDT"), "900", direction="backward", min_profit_bps=8.0),
    _across("Alternatives Westward", ("SOL/USDT", "XRP/USDT", "LTC/USDT"), "350", direction="forward"),
    _across("Alternatives Eastward", ("SOL/USDT", "XRP/USDT", "LTC/USDT"), "350", direction="backward"),
    _across("Ether Priced in Bitcoin", ("ETH/BTC",), "0.008", "BTC"),
    _across("Alternatives Priced in Bitcoin", ("SOL/BTC", "XRP/BTC", "LTC/BTC"), "0.006", "BTC"),
    _round("Kraken's Coin Rounds", "kraken", ("BTC", "ETH", "SOL", "XRP", "LTC"), {"USDT": "500"}, min_profit_bps=5.0),
    _round("Dollar and Tether", "kraken", ("USDT", "BTC", "ETH"), {"USD": "700"}, min_profit_bps=4.0),
)


def blueprint(n: int) -> Sequence[CryptoArbitrageSettings]:
    """Return n distinct settings.

    Beyond the twenty they are the same routes with smaller trips that ask for more profit.

    Raises:
        ValueError: n is negative, or above `MAX_SETTINGS`.
    """
    if not 0 <= n <= MAX_SETTINGS:
        raise ValueError(f"between 0 and {MAX_SETTINGS} settings can be made, not {n}")
    return [_variation(*divmod(number, len(BUSINESSES))) for number in range(n)]


def _variation(generation: int, number: int) -> CryptoArbitrageSettings:
    business = BUSINESSES[number]
    if not generation:
        return business
    return msgspec.structs.replace(
        business,
        title=f"{business.title} {generation + 1}",
        budgets={home: _scaled(budget, 4, 4 + generation) for home, budget in business.budgets.items()},
        min_profit_bps=min(business.min_profit_bps + generation, business.max_profit_bps - 1),
    )
