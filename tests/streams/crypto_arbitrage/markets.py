"""Markets and books for tests, written in decimals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from streams.crypto_arbitrage.amounts import read_amount, read_price
from streams.crypto_arbitrage.market import Market
from streams.crypto_arbitrage.order_book import Levels, OrderBook, read_levels

Rows = Iterable[tuple[str, str]]

IDS = {"kraken": {"BTC": "XXBT", "ETH": "XETH"}}


def market(venue: str = "binance", symbol: str = "BTC/USDT", **changes: Any) -> Market:
    """Return a market: Binance's takes 0.1 % of what it brings, Kraken's 0.26 % of the quote."""
    base, _, quote = symbol.partition("/")
    ids = IDS.get(venue, {})
    terms: dict[str, Any] = {
        "amount_step": read_amount("0.00001" if venue == "binance" else "0.00000001"),
        "price_tick": read_price("0.01" if quote != "BTC" else "0.000001"),
        "min_amount": read_amount("0.00001"),
        "min_cost": read_amount("5" if quote != "BTC" else "0.0001"),
        "fee_ppm": 1000 if venue == "binance" else 2600,
        "fee_in": "received" if venue == "binance" else "quote",
        "base_id": ids.get(base, base),
        "quote_id": ids.get(quote, quote),
    }
    return Market(venue, symbol, base, quote, **(terms | changes))


def levels(rows: Rows, *, dearest_first: bool) -> Levels:
    """Return levels."""
    return read_levels(rows, dearest_first=dearest_first)


def book(
    bids: Rows, asks: Rows, venue: str = "binance", symbol: str = "BTC/USDT", received_s: float = 0.0, **more: Any
) -> OrderBook:
    """Return a book."""
    return OrderBook(
        venue, symbol, levels(bids, dearest_first=True), levels(asks, dearest_first=False), received_s, **more
    )
