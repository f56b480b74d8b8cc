"""A venue through ccxt: its numbers made exact, its failures sorted into what they mean for an order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from streams.crypto_arbitrage.access import Access
from streams.crypto_arbitrage.amounts import NotExact, read_amount, read_price, read_units, show_amount, show_price
from streams.crypto_arbitrage.ccxt_client import make_client
from streams.crypto_arbitrage.dialects import dialect_of
from streams.crypto_arbitrage.market import Market
from streams.crypto_arbitrage.order import Fee, Order, OrderReport
from streams.crypto_arbitrage.order_book import Levels, OrderBook, read_levels
from streams.crypto_arbitrage.venue import OrderRefused, OutcomeUnknown, VenueUnavailable, Wallet

if TYPE_CHECKING:
    import aiohttp

_PPM_SCALE: Final = 6
_ASK_AGAIN_S: Final = (0.15, 0.4, 1.0)
_OVER: Final = ("closed", "canceled", "expired", "rejected")


class CcxtVenue:
    """One account on one venue; see `Venue`.

    Args:
        access: How it is reached.
        session: Makes the shared HTTP session.
        monotonic: Seconds, for when books are received.
    """

    def __init__(
        self,
        access: Access,
        session: Callable[[], aiohttp.ClientSession],
        monotonic: Callable[[], float],
    ) -> None:
        self._access = access
        self._session = session
        self._monotonic = monotonic
        self._dialect = dialect_of(access.venue)
        self._turn: Any = asyncio.Lock() if self._dialect.in_turn else nullcontext()
        self._client: Any = None
        self._markets: dict[str, Market] = {}

    @property
    def name(self) -> str:
        """The venue's name."""
        return self._access.venue

    @property
    def time_resolution_ms(self) -> int:
        """The steps in which it tells its time."""
        return self._dialect.time_resolution_ms

    async def open(self) -> None:
        """Connect: load the client and the venue's markets.

        Raises:
            CcxtMissing: The extra is not installed.
            NoSuchVenue: ccxt does not know the venue.
            VenueUnavailable: It does not answer.
        """
        access = self._access
        self._client = client = await make_client(
            access.venue, access.credentials, access.url, access.rate_limit_ms, self._session()
        )
        # Books come as text, and ccxt would make floats of them; in its place they become whole units.
        client.parse_order_book_bid_ask = _exact_level
        async with self._public():
            await client.load_markets()
        self._markets = {
            market.symbol: market
            for each in client.markets.values()
            if each.get("spot") and (market := self._market_of(each)) is not None
        }

    async def close(self) -> None:
        """Disconnect; the session stays."""
        client, self._client = self._client, None
        if client is not None:
            client.timeout_on_exit = 0
            await client.close()

    async def markets(self) -> Mapping[str, Market]:
        """Return its spot markets, by symbol."""
        return self._markets

    async def wallets(self) -> Mapping[str, Wallet]:
        """Return whether assets can come and go, as it was when the markets were loaded."""
        return {code: _wallet_of(currency) for code, currency in (self._client.currencies or {}).items()}

    async def tops(self, symbols: Collection[str]) -> list[OrderBook]:
        """Return the best offers of these markets."""
        async with self._public():
            rows = await self._dialect.tops(self._client, symbols)
        received_s = self._monotonic()
        return [
            OrderBook(
                self.name,
                symbol,
                _top(bid, bid_amount),
                _top(ask, ask_amount),
                received_s,
            )
            for symbol, bid, bid_amount, ask, ask_amount in rows
        ]

    async def depth(self, symbol: str, levels: int) -> OrderBook:
        """Return a market's book."""
        async with self._public():
            found = await self._client.fetch_order_book(symbol, levels)
        return OrderBook(
            self.name,
            symbol,
            tuple((price, amount) for price, amount in found["bids"] if amount),
            tuple((price, amount) for price, amount in found["asks"] if amount),
            self._monotonic(),
            found["timestamp"],
            found["nonce"],
        )

    async def balances(self) -> dict[str, int]:
        """Return what can be traded with."""
        async with self._private():
            found = await self._client.fetch_balance()
        return {asset: read_amount(free) for asset, free in found["free"].items() if free is not None}

    async def time_ms(self) -> int:
        """Return its time, Unix milliseconds."""
        async with self._public():
            return int(await self._client.fetch_time())

    async def place(self, order: Order) -> OrderReport:
        """Send an order, and return what came of it; see `Venue`."""
        client = self._client
        async with self._placing(order):
            placed = await client.create_order(
                order.market.symbol,
                "limit",
                order.side,
                show_amount(order.amount),
                show_price(order.limit),
                {"timeInForce": "IOC", "clientOrderId": order.client_id, **self._dialect.order_parameters},
            )
        if placed.get("status") in _OVER and placed.get("filled") is not None:
            try:
                return await self._report(order, placed)
            except (VenueUnavailable, NotExact) as error:
                raise OutcomeUnknown(str(error)) from error
        # It has said no more than that it took the order.
        for pause_s in _ASK_AGAIN_S:
            try:
                report = await self._over(order, await self._by_id(order, placed["id"]))
            except VenueUnavailable as error:
                raise OutcomeUnknown(str(error)) from error
            if report is not None:
                return report
            await asyncio.sleep(pause_s)
        raise OutcomeUnknown(f"{self.name} has taken the order, and does not say that it is over")

    async def find(self, order: Order) -> OrderReport | None:
        """Return what came of an order; what still rests is cancelled first. See `Venue`."""
        import ccxt  # type: ignore[import-untyped]

        for pause_s in (*_ASK_AGAIN_S, 0.0):
            try:
                async with self._private():
                    found = await self._dialect.find(self._client, order)
            except ccxt.OrderNotFound:
                return None
            if not found:
                return None
            report = await self._over(order, found[0])
            if report is not None:
                return report
            try:
                async with self._private():
                    await self._client.cancel_order(found[0]["id"], order.market.symbol)
            except ccxt.OrderNotFound:
                pass  # it is over by now
            await asyncio.sleep(pause_s)
        raise VenueUnavailable(f"{self.name} does not end order {order.client_id}")

    async def _by_id(self, order: Order, order_id: str) -> Any:
        import ccxt

        try:
            async with self._private():
                return await self._client.fetch_order(order_id, order.market.symbol)
        except ccxt.OrderNotFound as error:
            raise VenueUnavailable(str(error)) from error

    async def _over(self, order: Order, found: Mapping[str, Any]) -> OrderReport | None:
        """Return what came of an order; None where it is not over, or the venue does not say that it is."""
        return await self._report(order, found) if found.get("status") in _OVER else None

    async def _report(self, order: Order, found: Mapping[str, Any]) -> OrderReport:
        traded, cost = self._dialect.traded(found)
        filled = read_amount(traded)
        proofs: list[Any] = [found["info"]]
        fees: tuple[Fee, ...] = ()
        if filled:
            async with self._private():
                trades = await self._dialect.trades(self._client, order.market, found)
            fees = _fees_of(found, trades)
            proofs += [trade["info"] for trade in trades if trade.get("info") is not None]
        at_ms = found.get("lastUpdateTimestamp") or found.get("lastTradeTimestamp") or found.get("timestamp")
        return OrderReport(
            order.client_id,
            str(found["id"]),
            filled,
            read_amount(cost, "up" if order.side == "buy" else "down"),
            fees,
            datetime.fromtimestamp(at_ms / 1e3, UTC) if at_ms else datetime.now(UTC),
            msgspec.json.encode(proofs),
        )

    def _market_of(self, each: Mapping[str, Any]) -> Market | None:
        """Return a market as it is traded here; None where its terms cannot be held exactly."""
        precision, limits = each["precision"], each["limits"]
        base_id, quote_id = self._dialect.asset_ids(each)
        try:
            return Market(
                venue=self.name,
                symbol=each["symbol"],
                base=each["base"],
                quote=each["quote"],
                base_id=base_id,
                quote_id=quote_id,
                amount_step=read_units(precision["amount"], 8),
                price_tick=read_price(precision["price"]),
                min_amount=read_amount(limits["amount"]["min"] or 0, "up"),
                max_amount=read_amount(limits["amount"]["max"] or 0),
                min_cost=read_amount(limits["cost"]["min"] or 0, "up"),
                fee_ppm=read_units(each["taker"], _PPM_SCALE, "up"),
                fee_in=self._dialect.fee_in(each),
                active=each.get("active") is not False,
            )
        except (NotExact, ValueError, TypeError):
            return None

    @asynccontextmanager
    async def _public(self) -> AsyncIterator[None]:
        """Sort the failures of a call that changes nothing."""
        import ccxt

        if self._client is None:
            raise VenueUnavailable(f"{self.name} is not connected")
        try:
            yield
        except ccxt.OrderNotFound:
            raise
        except (ccxt.BaseError, NotExact) as error:
            raise VenueUnavailable(_short(error)) from error

    @asynccontextmanager
    async def _private(self) -> AsyncIterator[None]:
        async with self._turn, self._public():
            yield

    @asynccontextmanager
    async def _placing(self, order: Order) -> AsyncIterator[None]:
        """Sort the failures of a new order: it surely does not exist, or nobody knows."""
        import ccxt

        # What a venue says no to before it takes an order. Everything else, an answer that did not come, a status
        # of 5xx, a word that ccxt does not know, leaves it open.
        refusals = (
            ccxt.InvalidOrder,
            ccxt.InsufficientFunds,
            ccxt.BadRequest,
            ccxt.AuthenticationError,
            ccxt.ArgumentsRequired,
            ccxt.NotSupported,
            ccxt.OperationRejected,
        )
        if self._client is None:
            raise OrderRefused(f"{self.name} is not connected")
        try:
            async with self._turn:
                yield
        except refusals as error:
            # A second order of the same id means that the first exists.
            if isinstance(error, ccxt.DuplicateOrderId) or "uplicate" in str(error):
                raise OutcomeUnknown(_short(error)) from error
            raise OrderRefused(_short(error)) from error
        except ccxt.BaseError as error:
            raise OutcomeUnknown(_short(error)) from error


def _exact_level(row: Any, price_key: Any = 0, amount_key: Any = 1, _count_key: Any = 2) -> list[int]:
    return [read_price(row[price_key]), read_amount(row[amount_key])]


def _top(price: object, amount: object) -> Levels:
    """Return a best offer as a side of a book: none where a venue writes zeros, as for a market that is halted."""
    try:
        return read_levels(((price, amount),), dearest_first=True)
    except NotExact:
        return ()


def _fees_of(found: Mapping[str, Any], trades: list[Any]) -> tuple[Fee, ...]:
    """Return what was taken, from the trades where there are any, else from the order."""
    taken = [trade["fee"] for trade in trades if trade.get("fee")] or list(found.get("fees") or ())
    sums: dict[str, int] = {}
    for fee in taken:
        if fee.get("cost") is not None and fee.get("currency"):
            sums[fee["currency"]] = sums.get(fee["currency"], 0) + read_amount(fee["cost"], "up")
    return tuple(Fee(asset, units) for asset, units in sums.items() if units)


def _wallet_of(currency: Mapping[str, Any]) -> Wallet:
    closed = currency.get("deposit") is False or currency.get("withdraw") is False or currency.get("active") is False
    return Wallet(not closed, read_amount(currency.get("fee") or 0, "up"))


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
