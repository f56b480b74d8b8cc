"""Kraken's spot REST API over a venue: routes, nonces, call counters and errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import Any, Final, TypeAlias

import msgspec

from streams.http_answer import JSON_TYPE, BodyTooLarge, HttpAnswer, PeerGone
from streams.sandbox.venues.customers import Customer
from streams.sandbox.venues.decimals import text_of
from streams.sandbox.venues.http_request import NotAForm, VenueRequest, read_request
from streams.sandbox.venues.keeper import VenueDown
from streams.sandbox.venues.kraken import shapes
from streams.sandbox.venues.kraken.orders import KrakenError, new_order, userref_of, whole_number
from streams.sandbox.venues.kraken.signing import proof_of
from streams.sandbox.venues.listings import Listing
from streams.sandbox.venues.order import DuplicateClientId, InsufficientFunds, Order, TooSmall, WouldTake
from streams.sandbox.venues.store import OrderQuery
from streams.sandbox.venues.venue import AnswerLost, Venue, VenueBusy

MOST_DEPTH: Final = 500
PAGE_ROWS: Final = 50
MOST_NAMED: Final = 50
"""Orders or trades that can be asked for by name at once."""

# An account of the highest tier may call that often in a burst, and so often for ever.
GREATEST_COUNTER: Final = 20.0
COUNTER_DECAY_PER_S: Final = 1.0

MAX_OPEN_ORDERS: Final = 225

_GATEWAY_TIMEOUT: Final = b"<html><head><title>504 Gateway Time-out</title></head><body></body></html>"

Parameters: TypeAlias = Mapping[str, str]
_Public: TypeAlias = Callable[["KrakenDialect", Parameters], Awaitable[Any]]
_Private: TypeAlias = Callable[["KrakenDialect", str, Parameters], Awaitable[Any]]


class KrakenDialect:
    """An ASGI application: what clients of Kraken's spot API expect to find.

    Args:
        venue: The venue behind it.
        customers: Who may trade.
    """

    def __init__(self, venue: Venue, customers: Mapping[str, Customer]) -> None:
        self._venue = venue
        self._by_key = {customer.api_key: customer for customer in customers.values()}
        self._pairs: dict[str, Listing] = {}
        for listing in venue.terms.listings.values():
            for name in (shapes.pair_id(listing), shapes.pair_altname(listing), _wsname(listing)):
                self._pairs[name] = listing
        self._counters: dict[str, tuple[float, float]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request. Refusals are answers as well, with status 200."""
        try:
            request = await read_request(scope, receive)
            body = {"error": [], "result": await self._answer(request)}
        except PeerGone:
            return
        except KrakenError as error:
            body = {"error": [str(error)]}
        except (NotAForm, BodyTooLarge):
            body = {"error": ["EGeneral:Invalid arguments"]}
        except VenueBusy:
            body = {"error": ["EService:Busy"]}
        except AnswerLost:
            # Not the venue speaks here but what stands before it, and it knows nothing.
            await HttpAnswer(504, b"text/html", _GATEWAY_TIMEOUT)(scope, receive, send)
            return
        except VenueDown:
            body = {"error": ["EService:Unavailable"]}
        await HttpAnswer(200, JSON_TYPE, msgspec.json.encode(body))(scope, receive, send)

    async def _answer(self, request: VenueRequest) -> Any:
        public = _PUBLIC.get(request.path)
        if public is not None:
            return await public(self, request.parameters())
        if request.path in _PRIVATE:
            if request.method != "POST":
                raise KrakenError("EGeneral:Unknown method")
            cost, private = _PRIVATE[request.path]
            account, nonce = proof_of(request, self._by_key)
            self._require_new(account, nonce)
            self._count(account, cost)
            return await private(self, account, request.form())
        raise KrakenError("EGeneral:Unknown method")

    # -- limits ---------------------------------------------------------------------------------------------------

    def _require_new(self, account: str, nonce: int) -> None:
        if nonce <= self._venue.nonces.get(account, 0):
            raise KrakenError("EAPI:Invalid nonce")
        self._venue.nonces[account] = nonce

    def _count(self, account: str, cost: float) -> None:
        now_s = self._venue.time.monotonic()
        counter, since_s = self._counters.get(account, (0.0, now_s))
        counter = max(counter - (now_s - since_s) * COUNTER_DECAY_PER_S, 0.0) + cost
        if counter > GREATEST_COUNTER:
            raise KrakenError("EAPI:Rate limit exceeded")
        self._counters[account] = (counter, now_s)

    # -- the public -----------------------------------------------------------------------------------------------

    async def time(self, _: Parameters) -> Any:
        """`/0/public/Time`."""
        seconds = self._venue.time.unix_ms() // 1000
        return {"unixtime": seconds, "rfc1123": formatdate(seconds)}

    async def system_status(self, _: Parameters) -> Any:
        """`/0/public/SystemStatus`."""
        return {"status": "online", "timestamp": self._venue.time.now().strftime("%Y-%m-%dT%H:%M:%SZ")}

    async def assets(self, parameters: Parameters) -> Any:
        """`/0/public/Assets`."""
        known = {shapes.asset_id(asset): asset for asset in self._venue.terms.assets}
        by_any_name = {**known, **{shapes.altname(asset): asset for asset in known.values()}}
        wanted = parameters.get("asset", "")
        names = wanted.split(",") if wanted else list(known)
        if any(name not in by_any_name for name in names):
            raise KrakenError("EQuery:Unknown asset")
        return {shapes.asset_id(by_any_name[name]): shapes.asset_shown(by_any_name[name]) for name in names}

    async def asset_pairs(self, parameters: Parameters) -> Any:
        """`/0/public/AssetPairs`."""
        terms = self._venue.terms
        return {shapes.pair_id(listing): shapes.pair_shown(terms, listing) for listing in self._many(parameters)}

    async def depth(self, parameters: Parameters) -> Any:
        """`/0/public/Depth`."""
        listing = self._one(parameters)
        count = whole_number(parameters, "count")
        count = 100 if count is None else count
        if not 1 <= count <= MOST_DEPTH:
            raise KrakenError("EGeneral:Invalid arguments:count")
        book = self._venue.book(listing.symbol, count)
        now_ms = self._venue.time.unix_ms()
        asks, bids = (shapes.levels(listing, offers, now_ms) for offers in (book.asks, book.bids))
        return {shapes.pair_id(listing): {"asks": asks, "bids": bids}}

    async def ticker(self, parameters: Parameters) -> Any:
        """`/0/public/Ticker`."""
        days = await self._venue.days()
        tickers = {}
        for listing in self._many(parameters):
            book = self._venue.book(listing.symbol, 1)
            last = self._venue.middle_ticks(listing.symbol)
            tickers[shapes.pair_id(listing)] = shapes.ticker(listing, days[listing.symbol], book.bids, book.asks, last)
        return tickers

    # -- accounts -------------------------------------------------------------------------------------------------

    async def balance(self, account: str, _: Parameters) -> Any:
        """`/0/private/Balance`."""
        balances = await self._venue.balances(account)
        return {shapes.asset_id(asset): shapes.amount(balance.total, asset) for asset, balance in balances.items()}

    async def balance_extended(self, account: str, _: Parameters) -> Any:
        """`/0/private/BalanceEx`."""
        balances = await self._venue.balances(account)
        return {shapes.asset_id(asset): shapes.balance_extended(asset, each) for asset, each in balances.items()}

    async def trade_volume(self, _: str, parameters: Parameters) -> Any:
        """`/0/private/TradeVolume`: fees do not depend on it here."""
        terms = self._venue.terms
        taker, maker = (text_of(ppm, 4) for ppm in (terms.taker_ppm, terms.maker_ppm))
        answer: dict[str, Any] = {"currency": "ZUSD", "volume": "0.0000"}
        if parameters.get("pair"):
            names = [shapes.pair_id(listing) for listing in self._many(parameters)]
            for field, fee in (("fees", taker), ("fees_maker", maker)):
                shown = {"fee": fee, "minfee": fee, "maxfee": fee, "nextfee": None, "tiervolume": None}
                answer[field] = {name: {**shown, "nextvolume": None} for name in names}
        return answer

    async def add_order(self, account: str, parameters: Parameters) -> Any:
        """`/0/private/AddOrder`."""
        listing = self._one(parameters)
        new = new_order(parameters, account, listing, self._venue.middle_ticks(listing.symbol))
        if parameters.get("validate", "").lower() == "true":
            return {"descr": {"order": shapes.description(listing, new)}}
        if len(await self._venue.open_orders(account)) >= MAX_OPEN_ORDERS:
            raise KrakenError("EOrder:Orders limit exceeded")
        try:
            placed = await self._venue.place(new)
        except InsufficientFunds:
            raise KrakenError("EOrder:Insufficient funds") from None
        except DuplicateClientId:
            raise KrakenError("EGeneral:Invalid arguments:cl_ord_id not unique") from None
        except WouldTake:
            raise KrakenError("EOrder:Post only order") from None
        except TooSmall:
            raise KrakenError("EOrder:Order minimum not met") from None
        order = placed.order
        return {"descr": {"order": shapes.description(listing, order)}, "txid": [shapes.txid("O", order.id)]}

    async def cancel_order(self, account: str, parameters: Parameters) -> Any:
        """`/0/private/CancelOrder`."""
        name, client_id = parameters.get("txid", ""), parameters.get("cl_ord_id", "")
        if not name and not client_id:
            raise KrakenError("EGeneral:Invalid arguments:txid")
        number = shapes.number_of("O", name)
        userref = whole_number(parameters, "txid") if name and number is None and name.lstrip("-").isdigit() else None
        orders = [
            order
            for order in await self._venue.open_orders(account)
            if (number is not None and order.id == number)
            or (userref is not None and order.userref == userref)
            or (client_id and order.client_id == client_id)
        ]
        ended = await self._venue.cancel(account, [order.id for order in orders])
        if not ended:
            raise KrakenError("EOrder:Unknown order")
        return {"count": len(ended)}

    async def cancel_all(self, account: str, _: Parameters) -> Any:
        """`/0/private/CancelAll`."""
        orders = await self._venue.open_orders(account)
        return {"count": len(await self._venue.cancel(account, [order.id for order in orders]))}

    async def open_orders(self, account: str, parameters: Parameters) -> Any:
        """`/0/private/OpenOrders`."""
        userref, client_id = userref_of(parameters), parameters.get("cl_ord_id", "")
        orders = [
            order
            for order in await self._venue.open_orders(account)
            if (userref is None or order.userref == userref) and (not client_id or order.client_id == client_id)
        ]
        return {"open": await self._shown(account, orders, parameters)}

    async def closed_orders(self, account: str, parameters: Parameters) -> Any:
        """`/0/private/ClosedOrders`."""
        query = OrderQuery(
            account=account,
            ended=True,
            userref=userref_of(parameters),
            client_id=parameters.get("cl_ord_id", ""),
            start_ms=_moment_ms(parameters, "start"),
            end_ms=_moment_ms(parameters, "end"),
            offset=max(whole_number(parameters, "ofs") or 0, 0),
            limit=PAGE_ROWS,
        )
        orders = await self._venue.orders(query)
        count = await self._venue.count("orders", query)
        return {"closed": await self._shown(account, orders[::-1], parameters), "count": count}

    async def query_orders(self, account: str, parameters: Parameters) -> Any:
        """`/0/private/QueryOrders`."""
        names = [name for name in parameters.get("txid", "").split(",") if name]
        client_id, userref = parameters.get("cl_ord_id", ""), userref_of(parameters)
        if len(names) > MOST_NAMED or not (names or client_id):
            raise KrakenError("EGeneral:Invalid arguments:txid")
        numbers = [number for name in names if (number := shapes.number_of("O", name)) is not None]
        if len(numbers) < len(names):
            raise KrakenError("EOrder:Invalid order")
        orders = await self._venue.orders(
            OrderQuery(account=account, ids=tuple(numbers), client_id=client_id, userref=userref, limit=PAGE_ROWS)
        )
        if not orders:
            raise KrakenError("EOrder:Unknown order")
        return await self._shown(account, orders, parameters)

    async def query_trades(self, account: str, parameters: Parameters) -> Any:
        """`/0/private/QueryTrades`."""
        names = [name for name in parameters.get("txid", "").split(",") if name]
        numbers = [number for name in names if (number := shapes.number_of("T", name)) is not None]
        if not names or len(names) > MOST_NAMED or len(numbers) < len(names):
            raise KrakenError("EGeneral:Invalid arguments:txid")
        return await self._trades(OrderQuery(account=account, ids=tuple(numbers), limit=PAGE_ROWS))

    async def trades_history(self, account: str, parameters: Parameters) -> Any:
        """`/0/private/TradesHistory`."""
        query = OrderQuery(
            account=account,
            start_ms=_moment_ms(parameters, "start"),
            end_ms=_moment_ms(parameters, "end"),
            offset=max(whole_number(parameters, "ofs") or 0, 0),
            limit=PAGE_ROWS,
        )
        return {"trades": await self._trades(query), "count": await self._venue.count("trades", query)}

    async def _trades(self, query: OrderQuery) -> dict[str, Any]:
        trades = await self._venue.trades(query)
        numbers = tuple({trade.order_id for trade in trades})
        kinds: dict[int, str] = {}
        if numbers:
            orders = await self._venue.orders(OrderQuery(account=query.account, ids=numbers, limit=len(numbers)))
            kinds = {order.id: order.kind for order in orders}
        listings = self._venue.terms.listings
        return {
            shapes.txid("T", trade.id): shapes.trade_shown(
                listings[trade.symbol], trade, kinds.get(trade.order_id, "limit")
            )
            for trade in reversed(trades)
        }

    async def _shown(self, account: str, orders: list[Order], parameters: Parameters) -> dict[str, Any]:
        trades: dict[int, list[int]] = {}
        if parameters.get("trades", "").lower() == "true":
            for order in orders:
                if order.filled_lots:
                    found = await self._venue.trades(OrderQuery(account=account, order_id=order.id, newest=False))
                    trades[order.id] = [trade.id for trade in found]
        return {
            shapes.txid("O", order.id): shapes.order_shown(
                self._venue.terms.listings[order.symbol], order, trades.get(order.id)
            )
            for order in orders
        }

    # -- parameters -----------------------------------------------------------------------------------------------

    def _one(self, parameters: Parameters) -> Listing:
        listing = self._pairs.get(parameters.get("pair", ""))
        if listing is None:
            raise KrakenError("EQuery:Unknown asset pair")
        return listing

    def _many(self, parameters: Parameters) -> list[Listing]:
        names = parameters.get("pair", "")
        if not names:
            return list(self._venue.terms.listings.values())
        return [self._one({"pair": name}) for name in names.split(",")]


def _wsname(listing: Listing) -> str:
    return f"{shapes.altname(listing.base)}/{shapes.altname(listing.quote)}"


def _moment_ms(parameters: Parameters, name: str) -> int | None:
    """Return a time that is sent as Unix seconds, with or without a fraction."""
    value = parameters.get(name, "")
    if not value:
        return None
    whole, _, fraction = value.partition(".")
    if not (whole.isascii() and whole.isdigit() and len(whole) <= 12) or not (fraction or "0").isdigit():
        raise KrakenError(f"EGeneral:Invalid arguments:{name}")
    return int(whole) * 1000 + int((fraction + "000")[:3])


_PUBLIC: Final[dict[str, _Public]] = {
    "/0/public/Time": KrakenDialect.time,
    "/0/public/SystemStatus": KrakenDialect.system_status,
    "/0/public/Assets": KrakenDialect.assets,
    "/0/public/AssetPairs": KrakenDialect.asset_pairs,
    "/0/public/Depth": KrakenDialect.depth,
    "/0/public/Ticker": KrakenDialect.ticker,
}

_PRIVATE: Final[dict[str, tuple[float, _Private]]] = {
    "/0/private/Balance": (1.0, KrakenDialect.balance),
    "/0/private/BalanceEx": (1.0, KrakenDialect.balance_extended),
    "/0/private/TradeVolume": (1.0, KrakenDialect.trade_volume),
    "/0/private/AddOrder": (0.0, KrakenDialect.add_order),
    "/0/private/CancelOrder": (0.0, KrakenDialect.cancel_order),
    "/0/private/CancelAll": (1.0, KrakenDialect.cancel_all),
    "/0/private/OpenOrders": (1.0, KrakenDialect.open_orders),
    "/0/private/ClosedOrders": (1.0, KrakenDialect.closed_orders),
    "/0/private/QueryOrders": (1.0, KrakenDialect.query_orders),
    "/0/private/QueryTrades": (1.0, KrakenDialect.query_trades),
    "/0/private/TradesHistory": (2.0, KrakenDialect.trades_history),
}
