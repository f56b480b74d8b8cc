"""Binance's spot REST API over a venue: routes, weights and errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from streams.http_answer import JSON_TYPE, BodyTooLarge, HttpAnswer, PeerGone
from streams.sandbox.venues.binance import shapes
from streams.sandbox.venues.binance.orders import BinanceError, need, new_order, whole_number
from streams.sandbox.venues.binance.signing import account_of
from streams.sandbox.venues.customers import Customer
from streams.sandbox.venues.decimals import text_of
from streams.sandbox.venues.http_request import NotAForm, VenueRequest, read_request
from streams.sandbox.venues.keeper import VenueDown
from streams.sandbox.venues.listings import Listing
from streams.sandbox.venues.order import DuplicateClientId, InsufficientFunds, Order, TooSmall, WouldTake
from streams.sandbox.venues.store import OrderQuery
from streams.sandbox.venues.venue import AnswerLost, Venue, VenueBusy

MOST_DEPTH: Final = 5_000
MOST_ROWS: Final = 1_000
DEFAULT_ROWS: Final = 500

Parameters: TypeAlias = Mapping[str, str]
_Public: TypeAlias = Callable[["BinanceDialect", Parameters], Awaitable[Any]]
_Private: TypeAlias = Callable[["BinanceDialect", str, Parameters], Awaitable[Any]]


class BinanceDialect:
    """An ASGI application: what clients of Binance's spot API expect to find.

    Args:
        venue: The venue behind it.
        customers: Who may trade.
    """

    def __init__(self, venue: Venue, customers: Mapping[str, Customer]) -> None:
        self._venue = venue
        self._by_key = {customer.api_key: customer for customer in customers.values()}
        self._symbols = {shapes.id_of(symbol): symbol for symbol in venue.terms.listings}
        self._minute = 0
        self._weight = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        try:
            request = await read_request(scope, receive)
            status, body = 200, await self._answer(request)
        except PeerGone:
            return
        except BinanceError as error:
            status, body = error.status, {"code": error.code, "msg": str(error)}
        except (NotAForm, BodyTooLarge) as error:
            status, body = 400, {"code": -1101, "msg": f"Too many parameters, or malformed ones: {error}"}
        except VenueBusy:
            status = 503
            body = {
                "code": -1008,
                "msg": "Server is currently overloaded with other requests. Please try again in a few minutes.",
            }
        except AnswerLost:
            status = 503
            body = {
                "code": -1007,
                "msg": "Timeout waiting for response from backend server. "
                "Send status unknown; execution status unknown.",
            }
        except VenueDown:
            status = 503
            body = {"code": -1001, "msg": "Internal error; unable to process your request. Please try again."}
        weight = b"%d" % self._weight
        headers = [(b"x-mbx-used-weight", weight), (b"x-mbx-used-weight-1m", weight)]
        if status == 429:
            headers.append((b"retry-after", b"%d" % self._seconds_left()))
        await HttpAnswer(status, JSON_TYPE, msgspec.json.encode(body), headers)(scope, receive, send)

    async def _answer(self, request: VenueRequest) -> Any:
        route = (request.method, request.path)
        if route in _PUBLIC:
            weight, public = _PUBLIC[route]
            self._weigh(weight)
            return await public(self, request.parameters())
        if route in _PRIVATE:
            weight, private = _PRIVATE[route]
            self._weigh(weight)
            account = account_of(request, self._by_key, self._venue.time.unix_ms())
            return await private(self, account, request.parameters())
        raise BinanceError(-1000, f"there is nothing at {request.method} {request.path} on this venue", 404)

    # -- limits ---------------------------------------------------------------------------------------------------

    def _weigh(self, weight: int) -> None:
        minute = self._venue.time.unix_ms() // 60_000
        if minute != self._minute:
            self._minute, self._weight = minute, 0
        self._weight += weight
        if self._weight > shapes.WEIGHT_PER_MINUTE:
            raise BinanceError(
                -1003,
                f"Too much request weight used; current limit is {shapes.WEIGHT_PER_MINUTE} request weight per "
                "1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.",
                429,
            )

    def _seconds_left(self) -> int:
        return 60 - self._venue.time.unix_ms() // 1000 % 60

    # -- the public -----------------------------------------------------------------------------------------------

    async def ping(self, _: Parameters) -> Any:
        """`GET /api/v3/ping`."""
        return {}

    async def time(self, _: Parameters) -> Any:
        """`GET /api/v3/time`."""
        return {"serverTime": self._venue.time.unix_ms()}

    async def exchange_info(self, parameters: Parameters) -> Any:
        """`GET /api/v3/exchangeInfo`."""
        symbols = self._many(parameters)
        return shapes.exchange_info(self._venue.terms, symbols, self._venue.time.unix_ms())

    async def no_markets(self, _: Parameters) -> Any:
        """`GET /fapi/v1/exchangeInfo` and its like: there are no derivatives here, and clients may ask."""
        return {"timezone": "UTC", "serverTime": self._venue.time.unix_ms(), "symbols": []}

    async def depth(self, parameters: Parameters) -> Any:
        """`GET /api/v3/depth`."""
        listing = self._one(parameters)
        limit = whole_number(parameters, "limit")
        limit = 100 if limit is None else limit
        if not 1 <= limit <= MOST_DEPTH:
            raise BinanceError(-1130, "Data sent for parameter 'limit' is not valid.")
        book = self._venue.book(listing.symbol, limit)
        return {
            "lastUpdateId": book.step,
            "bids": shapes.levels(listing, book.bids),
            "asks": shapes.levels(listing, book.asks),
        }

    async def book_ticker(self, parameters: Parameters) -> Any:
        """`GET /api/v3/ticker/bookTicker`."""
        return _one_or_all(parameters, [self._best(symbol) for symbol in self._many(parameters)])

    async def price_ticker(self, parameters: Parameters) -> Any:
        """`GET /api/v3/ticker/price`."""
        prices = []
        for symbol in self._many(parameters):
            listing = self._venue.terms.listings[symbol]
            text = shapes.price(listing, self._venue.middle_ticks(symbol))
            prices.append({"symbol": shapes.id_of(symbol), "price": text})
        return _one_or_all(parameters, prices)

    async def day_ticker(self, parameters: Parameters) -> Any:
        """`GET /api/v3/ticker/24hr`."""
        days = await self._venue.days()
        now_ms = self._venue.time.unix_ms()
        tickers = [
            shapes.day_ticker(
                self._venue.terms.listings[symbol],
                days[symbol],
                self._best(symbol),
                self._venue.middle_ticks(symbol),
                now_ms,
            )
            for symbol in self._many(parameters)
        ]
        return _one_or_all(parameters, tickers)

    def _best(self, symbol: str) -> dict[str, str]:
        book = self._venue.book(symbol, 1)
        return shapes.book_ticker(self._venue.terms.listings[symbol], book.bids, book.asks)

    # -- accounts -------------------------------------------------------------------------------------------------

    async def account(self, account: str, parameters: Parameters) -> Any:
        """`GET /api/v3/account`."""
        balances = await self._venue.balances(account)
        all_assets = parameters.get("omitZeroBalances") != "true"
        return shapes.account(self._venue.terms, balances, self._venue.time.unix_ms(), all_assets=all_assets)

    async def coins(self, account: str, _: Parameters) -> Any:
        """`GET /sapi/v1/capital/config/getall`."""
        return [shapes.coin(asset, balance) for asset, balance in (await self._venue.balances(account)).items()]

    async def no_margin(self, _: str, __: Parameters) -> Any:
        """`GET /sapi/v1/margin/allPairs` and its like: nothing is lent here, and clients with a key ask."""
        return []

    async def trade_fees(self, _: str, parameters: Parameters) -> Any:
        """`GET /sapi/v1/asset/tradeFee`."""
        terms = self._venue.terms
        return [
            {
                "symbol": shapes.id_of(symbol),
                "makerCommission": text_of(terms.maker_ppm, 6),
                "takerCommission": text_of(terms.taker_ppm, 6),
            }
            for symbol in self._many(parameters)
        ]

    async def place(self, account: str, parameters: Parameters) -> Any:
        """`POST /api/v3/order`."""
        listing = self._one(parameters)
        detail = parameters.get("newOrderRespType", "FULL")
        if detail not in ("ACK", "RESULT", "FULL"):
            raise BinanceError(-1136, "Invalid newOrderRespType.")
        new = new_order(parameters, account, listing, self._venue.middle_ticks(listing.symbol))
        if new.time_in_force == "gtc" and new.kind == "limit":
            resting = [order for order in await self._venue.open_orders(account) if order.symbol == listing.symbol]
            if len(resting) >= shapes.MAX_OPEN_ORDERS:
                raise BinanceError(-1013, "Filter failure: MAX_NUM_ORDERS")
        try:
            placed = await self._venue.place(new)
        except InsufficientFunds:
            raise BinanceError(-2010, "Account has insufficient balance for requested action.") from None
        except DuplicateClientId:
            raise BinanceError(-2010, "Duplicate order sent.") from None
        except WouldTake:
            raise BinanceError(-2010, "Order would immediately match and take.") from None
        except TooSmall:
            raise BinanceError(-1013, "Filter failure: LOT_SIZE") from None
        return shapes.order_placed(listing, placed.order, placed.trades, detail)

    async def show_order(self, account: str, parameters: Parameters) -> Any:
        """`GET /api/v3/order`."""
        listing = self._one(parameters)
        query = self._named_order(account, listing, parameters)
        found = await self._venue.orders(query)
        if not found:
            raise BinanceError(-2013, "Order does not exist.")
        return shapes.order_shown(listing, found[-1])

    async def cancel(self, account: str, parameters: Parameters) -> Any:
        """`DELETE /api/v3/order`."""
        listing = self._one(parameters)
        query = self._named_order(account, listing, parameters)
        open_orders = [order for order in await self._venue.open_orders(account) if _matches(order, query)]
        ended = await self._venue.cancel(account, [order.id for order in open_orders])
        if not ended:
            raise BinanceError(-2011, "Unknown order sent.")
        return shapes.order_cancelled(
            listing, ended[-1], parameters.get("newClientOrderId") or f"cancel-{ended[-1].id}"
        )

    async def cancel_all(self, account: str, parameters: Parameters) -> Any:
        """`DELETE /api/v3/openOrders`."""
        listing = self._one(parameters)
        orders = [order.id for order in await self._venue.open_orders(account) if order.symbol == listing.symbol]
        ended = await self._venue.cancel(account, orders)
        if not ended:
            raise BinanceError(-2011, "Unknown order sent.")
        return [shapes.order_cancelled(listing, order, f"cancel-{order.id}") for order in ended]

    async def open_orders(self, account: str, parameters: Parameters) -> Any:
        """`GET /api/v3/openOrders`."""
        symbols = set(self._many(parameters))
        return [
            shapes.order_shown(self._venue.terms.listings[order.symbol], order)
            for order in await self._venue.open_orders(account)
            if order.symbol in symbols
        ]

    async def all_orders(self, account: str, parameters: Parameters) -> Any:
        """`GET /api/v3/allOrders`."""
        listing = self._one(parameters)
        orders = await self._venue.orders(self._page(account, listing, parameters, "orderId"))
        return [shapes.order_shown(listing, order) for order in orders]

    async def my_trades(self, account: str, parameters: Parameters) -> Any:
        """`GET /api/v3/myTrades`."""
        listing = self._one(parameters)
        query = self._page(account, listing, parameters, "fromId")
        query = msgspec.structs.replace(query, order_id=whole_number(parameters, "orderId"))
        return [shapes.trade_shown(listing, trade) for trade in await self._venue.trades(query)]

    # -- parameters -----------------------------------------------------------------------------------------------

    def _one(self, parameters: Parameters) -> Listing:
        symbol = self._symbols.get(need(parameters, "symbol"))
        if symbol is None:
            raise BinanceError(-1121, "Invalid symbol.")
        return self._venue.terms.listings[symbol]

    def _many(self, parameters: Parameters) -> list[str]:
        """Return the pairs that are asked for: one, several, or all."""
        if "symbol" in parameters:
            return [self._one(parameters).symbol]
        if "symbols" not in parameters:
            return list(self._venue.terms.listings)
        try:
            names = msgspec.json.decode(parameters["symbols"], type=list[str])
        except msgspec.MsgspecError:
            raise BinanceError(-1100, "Illegal characters found in parameter 'symbols'.") from None
        if not names or any(name not in self._symbols for name in names):
            raise BinanceError(-1121, "Invalid symbol.")
        return [self._symbols[name] for name in names]

    def _named_order(self, account: str, listing: Listing, parameters: Parameters) -> OrderQuery:
        order_id = whole_number(parameters, "orderId")
        client_id = parameters.get("origClientOrderId", "")
        if order_id is None and not client_id:
            raise BinanceError(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
        ids = () if order_id is None else (order_id,)
        return OrderQuery(account=account, symbol=listing.symbol, ids=ids, client_id=client_id, limit=1)

    def _page(self, account: str, listing: Listing, parameters: Parameters, first: str) -> OrderQuery:
        limit = whole_number(parameters, "limit")
        from_id, start_ms = whole_number(parameters, first), whole_number(parameters, "startTime")
        return OrderQuery(
            account=account,
            symbol=listing.symbol,
            from_id=from_id,
            start_ms=start_ms,
            end_ms=whole_number(parameters, "endTime"),
            newest=from_id is None and start_ms is None,
            limit=min(DEFAULT_ROWS if limit is None else limit, MOST_ROWS),
        )


def _matches(order: Order, query: OrderQuery) -> bool:
    return (
        order.symbol == query.symbol
        and (not query.ids or order.id in query.ids)
        and (not query.client_id or order.client_id == query.client_id)
    )


def _one_or_all(parameters: Parameters, answers: list[Any]) -> Any:
    return answers[0] if "symbol" in parameters else answers


_PUBLIC: Final[dict[tuple[str, str], tuple[int, _Public]]] = {
    ("GET", "/api/v3/ping"): (1, BinanceDialect.ping),
    ("GET", "/api/v3/time"): (1, BinanceDialect.time),
    ("GET", "/api/v3/exchangeInfo"): (20, BinanceDialect.exchange_info),
    ("GET", "/fapi/v1/exchangeInfo"): (1, BinanceDialect.no_markets),
    ("GET", "/dapi/v1/exchangeInfo"): (1, BinanceDialect.no_markets),
    ("GET", "/api/v3/depth"): (5, BinanceDialect.depth),
    ("GET", "/api/v3/ticker/bookTicker"): (4, BinanceDialect.book_ticker),
    ("GET", "/api/v3/ticker/price"): (4, BinanceDialect.price_ticker),
    ("GET", "/api/v3/ticker/24hr"): (40, BinanceDialect.day_ticker),
}

_PRIVATE: Final[dict[tuple[str, str], tuple[int, _Private]]] = {
    ("GET", "/api/v3/account"): (20, BinanceDialect.account),
    ("POST", "/api/v3/order"): (1, BinanceDialect.place),
    ("GET", "/api/v3/order"): (4, BinanceDialect.show_order),
    ("DELETE", "/api/v3/order"): (1, BinanceDialect.cancel),
    ("GET", "/api/v3/openOrders"): (6, BinanceDialect.open_orders),
    ("DELETE", "/api/v3/openOrders"): (1, BinanceDialect.cancel_all),
    ("GET", "/api/v3/allOrders"): (20, BinanceDialect.all_orders),
    ("GET", "/api/v3/myTrades"): (20, BinanceDialect.my_trades),
    ("GET", "/sapi/v1/capital/config/getall"): (10, BinanceDialect.coins),
    ("GET", "/sapi/v1/margin/allPairs"): (1, BinanceDialect.no_margin),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): (1, BinanceDialect.no_margin),
    ("GET", "/sapi/v1/asset/tradeFee"): (1, BinanceDialect.trade_fees),
}
