"""A venue in memory that fails as it is told, and keeps its own account of what really happened."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import msgspec

from streams.crypto_arbitrage.amounts import PRICE_ONE, ceil_div, read_amount
from streams.crypto_arbitrage.market import Market
from streams.crypto_arbitrage.order import Fee, Order, OrderReport, changes_of
from streams.crypto_arbitrage.order_book import OrderBook
from streams.crypto_arbitrage.venue import OrderRefused, OutcomeUnknown, VenueUnavailable, Wallet
from tests.streams.crypto_arbitrage.markets import Rows, levels

Fault: TypeAlias = Literal["none", "refuse", "nothing", "half", "lost", "vanish", "hang", "slow"]
"""What becomes of the next order. `nothing`: whoever it was meant for has gone. `half`: half of it is filled.
`lost`: it is executed, and the answer is lost. `vanish`: it never arrives, and nobody says so. `hang`: it is
executed, and the answer never comes. `slow`: the answer takes its time."""


class ScriptedVenue:
    """Matches orders against books that a test sets; see `Venue`."""

    time_resolution_ms = 1

    def __init__(self, name: str, markets: Collection[Market], balances: Mapping[str, str]) -> None:
        self.name = name
        self.account = {asset: read_amount(amount) for asset, amount in balances.items()}
        self.faults: deque[Fault] = deque()
        self.orders: dict[str, OrderReport] = {}
        self.sent: list[Order] = []
        self.hanging = asyncio.Event()
        self.down = False
        self.clock_offset_ms = 0
        self.closed: set[str] = set()
        self.opened = 0
        self._markets = {market.symbol: market for market in markets}
        self._books: dict[str, OrderBook] = {}

    def offer(self, symbol: str, bids: Rows, asks: Rows) -> None:
        """Set a book. It stays as it is until an order takes of it."""
        self._books[symbol] = OrderBook(
            self.name, symbol, levels(bids, dearest_first=True), levels(asks, dearest_first=False), 0.0
        )

    async def open(self) -> None:
        self._require_up()
        self.opened += 1

    async def close(self) -> None:
        pass

    async def markets(self) -> Mapping[str, Market]:
        return self._markets

    async def wallets(self) -> Mapping[str, Wallet]:
        return {asset: Wallet(open=False) for asset in self.closed}

    async def tops(self, symbols: Collection[str]) -> list[OrderBook]:
        self._require_up()
        return [self._now(symbol, 1) for symbol in symbols if symbol in self._books]

    async def depth(self, symbol: str, depth: int) -> OrderBook:
        self._require_up()
        return self._now(symbol, depth)

    async def balances(self) -> dict[str, int]:
        self._require_up()
        return dict(self.account)

    async def time_ms(self) -> int:
        self._require_up()
        return int(datetime.now(UTC).timestamp() * 1e3) + self.clock_offset_ms

    async def place(self, order: Order) -> OrderReport:
        self.sent.append(order)
        fault = self.faults.popleft() if self.faults else "none"
        if fault == "refuse":
            raise OrderRefused("no")
        if fault == "vanish":
            raise OutcomeUnknown("timed out")
        if fault == "nothing":
            self._leave(order)
        report = self._match(order, 50 if fault == "half" else 100)
        if fault == "hang":
            self.hanging.set()
            await asyncio.Event().wait()
        if fault == "slow":
            await asyncio.sleep(0.1)
        if fault == "lost":
            raise OutcomeUnknown("timed out")
        return report

    async def find(self, order: Order) -> OrderReport | None:
        self._require_up()
        return self.orders.get(order.client_id)

    def _require_up(self) -> None:
        if self.down:
            raise VenueUnavailable(f"{self.name} is down")

    def _now(self, symbol: str, depth: int) -> OrderBook:
        book = self._books[symbol]
        return msgspec.structs.replace(
            book, bids=book.bids[:depth], asks=book.asks[:depth], received_s=asyncio.get_running_loop().time()
        )

    def _leave(self, order: Order) -> None:
        book = self._books[order.market.symbol]
        asks = tuple(level for level in book.asks if order.side == "sell" or level[0] > order.limit)
        bids = tuple(level for level in book.bids if order.side == "buy" or level[0] < order.limit)
        self._books[order.market.symbol] = msgspec.structs.replace(book, asks=asks, bids=bids)

    def _match(self, order: Order, percent: int) -> OrderReport:
        assert order.client_id not in self.orders, "one order was sent twice"
        market, book = order.market, self._books[order.market.symbol]
        side = list(book.asks if order.side == "buy" else book.bids)
        left = order.amount * percent // 100 // market.amount_step * market.amount_step
        filled = exact = 0
        while left and side:
            price, offered = side[0]
            if price > order.limit if order.side == "buy" else price < order.limit:
                break
            taken = min(left, offered)
            filled, exact, left = filled + taken, exact + taken * price, left - taken
            side[0:1] = [] if taken == offered else [(price, offered - taken)]
        changed = {"asks" if order.side == "buy" else "bids": tuple(side)}
        self._books[market.symbol] = msgspec.structs.replace(book, **changed)
        cost = ceil_div(exact, PRICE_ONE) if order.side == "buy" else exact // PRICE_ONE
        in_base = market.fee_in == "base" or (market.fee_in == "received" and order.side == "buy")
        fee = Fee(market.base, market.fee(filled)) if in_base else Fee(market.quote, market.fee(cost))
        report = OrderReport(
            order.client_id,
            f"{self.name}-{len(self.orders) + 1}",
            filled,
            cost,
            (fee,) if fee.units else (),
            datetime.now(UTC),
            msgspec.json.encode({"id": len(self.orders) + 1, "filled": filled, "cost": cost}),
        )
        self.orders[order.client_id] = report
        for asset, units in changes_of(market, order.side, report).items():
            self.account[asset] = self.account.get(asset, 0) + units
        return report
