"""What ccxt leaves to the venues: the cheapest call for best offers, ids of assets, and finding an order by our id.

What is not here goes through ccxt's unified calls, so other venues work, at a higher price.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from streams.crypto_arbitrage.market import FeeIn, Market
from streams.crypto_arbitrage.order import Order

Row = tuple[str, object, object, object, object]
"""A symbol, then the best bid's price and amount, then the best ask's, as the venue wrote them."""


class Dialect:
    """Any venue, by what ccxt has for all of them.

    Attributes:
        time_resolution_ms: The steps in which the venue tells its time.
        in_turn: Whether private calls must arrive in the order of their numbers, so that one waits for another.
        order_parameters: What is added to every order.
    """

    time_resolution_ms: int = 1
    in_turn: bool = False
    order_parameters: Mapping[str, str] = {}

    async def tops(self, client: Any, symbols: Collection[str]) -> list[Row]:
        """Return the best offers of markets."""
        fetch = client.fetch_bids_asks if client.has.get("fetchBidsAsks") else client.fetch_tickers
        tickers = await fetch(list(symbols))
        return [
            (symbol, each["bid"], each["bidVolume"] or 0, each["ask"], each["askVolume"] or 0)
            for symbol, each in tickers.items()
            if each["bid"] and each["ask"]
        ]

    def asset_ids(self, market: Mapping[str, Any]) -> tuple[str, str]:
        """Return what the venue itself calls a market's assets."""
        return str(market["baseId"]), str(market["quoteId"])

    def fee_in(self, market: Mapping[str, Any]) -> FeeIn:
        """Return what a market takes its fee in."""
        side = market.get("feeSide")
        return "received" if side == "get" else "base" if side == "base" else "quote"

    def traded(self, order: Mapping[str, Any]) -> tuple[object, object]:
        """Return how much of the base was traded, and for how much of the quote, as exactly as the venue says it."""
        return order.get("filled") or 0, order.get("cost") or 0

    async def find(self, client: Any, order: Order) -> list[Any]:
        """Return ccxt's orders that have our id; most likely one, or none."""
        return [await client.fetch_order(None, order.market.symbol, {"clientOrderId": order.client_id})]

    async def trades(self, client: Any, market: Market, order: Mapping[str, Any]) -> list[Any]:
        """Return ccxt's trades of an order whose fees it does not say."""
        if order.get("fees") and any(fee.get("cost") is not None for fee in order["fees"]):
            return []
        trades: list[Any] = await client.fetch_my_trades(market.symbol, params={"orderId": order["id"]})
        return [trade for trade in trades if trade["order"] in (None, order["id"])]


class Binance(Dialect):
    """Binance's spot market."""

    async def tops(self, client: Any, symbols: Collection[str]) -> list[Row]:
        """Return the best offers of markets, in one call that has little else in it."""
        wanted = {client.markets[symbol]["id"]: symbol for symbol in symbols}
        rows = await client.public_get_ticker_bookticker()
        return [
            (wanted[row["symbol"]], row["bidPrice"], row["bidQty"], row["askPrice"], row["askQty"])
            for row in rows
            if row["symbol"] in wanted
        ]

    def traded(self, order: Mapping[str, Any]) -> tuple[object, object]:
        """Return the venue's own sums, which are of the single trades."""
        return order["info"]["executedQty"], order["info"]["cummulativeQuoteQty"]

    async def trades(self, client: Any, market: Market, order: Mapping[str, Any]) -> list[Any]:
        """Return the trades of an order; the answer to a new order has them, that to a question has not."""
        fills = order["info"].get("fills")
        if fills is not None:
            return [
                {"fee": {"cost": fill["commission"], "currency": fill["commissionAsset"]}, "info": fill}
                for fill in fills
            ]
        rows = await client.private_get_mytrades({"symbol": client.market(market.symbol)["id"], "orderId": order["id"]})
        return [{"fee": {"cost": row["commission"], "currency": row["commissionAsset"]}, "info": row} for row in rows]


class Kraken(Dialect):
    """Kraken's spot market. Its private calls carry a number that may not fall behind."""

    time_resolution_ms = 1000
    in_turn = True
    order_parameters: Mapping[str, str] = {"oflags": "fciq"}  # the fee in the quote, whatever the side

    async def tops(self, client: Any, symbols: Collection[str]) -> list[Row]:
        """Return the best offers of markets, in one call."""
        wanted = {client.markets[symbol]["id"]: symbol for symbol in symbols}
        answer = await client.public_get_ticker({"pair": ",".join(wanted)})
        return [
            (wanted[name], row["b"][0], row["b"][2], row["a"][0], row["a"][2])
            for name, row in answer["result"].items()
            if name in wanted
        ]

    def asset_ids(self, market: Mapping[str, Any]) -> tuple[str, str]:
        """Return the venue's own names; ccxt has put the usual ones in their place."""
        return str(market["info"]["base"]), str(market["info"]["quote"])

    def fee_in(self, market: Mapping[str, Any]) -> FeeIn:
        """Return what the flag of every order asks for."""
        return "quote"

    def traded(self, order: Mapping[str, Any]) -> tuple[object, object]:
        """Return the venue's own sums: ccxt's cost is made of an average price, which the venue has rounded."""
        return order["info"]["vol_exec"], order["info"]["cost"]

    async def find(self, client: Any, order: Order) -> list[Any]:
        """Return the orders that have our id, those that are over first."""
        named = {"clientOrderId": order.client_id}
        found = await client.fetch_closed_orders(order.market.symbol, params=named)
        found = found or await client.fetch_open_orders(order.market.symbol, params=named)
        return [each for each in found if each["clientOrderId"] == order.client_id]

    async def trades(self, client: Any, market: Market, order: Mapping[str, Any]) -> list[Any]:
        """Return the fee as if it were of one trade: orders have it."""
        return [{"fee": {"cost": order["info"].get("fee", "0"), "currency": market.quote}, "info": None}]


DIALECTS: Final[Mapping[str, Dialect]] = {"binance": Binance(), "kraken": Kraken()}


def dialect_of(venue: str) -> Dialect:
    """Return what is known of a venue."""
    return DIALECTS.get(venue, _ANY)


_ANY: Final = Dialect()
