"""The open orders of a venue, by number, by name, and in the order in which they are served."""

from __future__ import annotations

from bisect import insort

from streams.sandbox.venues.market.feed import Side
from streams.sandbox.venues.order import Order


class RestingOrders:
    """Orders that wait for their match."""

    def __init__(self) -> None:
        self._by_id: dict[int, Order] = {}
        self._names: dict[tuple[str, str], int] = {}
        self._queues: dict[tuple[str, Side], list[tuple[int, int]]] = {}

    def get(self, order_id: int) -> Order | None:
        """Return an order by its number."""
        return self._by_id.get(order_id)

    def by_name(self, account: str, client_id: str) -> Order | None:
        """Return an account's order by the account's name for it."""
        found = self._names.get((account, client_id))
        return None if found is None else self._by_id[found]

    def of(self, account: str) -> list[Order]:
        """Return an account's orders, oldest first."""
        return [order for order in self._by_id.values() if order.account == account]

    def symbols(self) -> set[str]:
        """Return the pairs in which orders rest."""
        return {symbol for symbol, _ in self._queues}

    def queue(self, symbol: str, side: Side) -> tuple[Order, ...]:
        """Return the orders of one side of a pair: the best price first, then the oldest."""
        return tuple(self._by_id[order_id] for _, order_id in self._queues.get((symbol, side), ()))

    def add(self, order: Order) -> None:
        """Take an order in."""
        self._by_id[order.id] = order
        if order.client_id:
            self._names[order.account, order.client_id] = order.id
        insort(self._queues.setdefault((order.symbol, order.side), []), _rank(order))

    def replace(self, order: Order) -> None:
        """Put an order in the place of its former self, of the same price."""
        self._by_id[order.id] = order

    def remove(self, order: Order) -> None:
        """Let an order go."""
        del self._by_id[order.id]
        self._names.pop((order.account, order.client_id), None)
        queue = self._queues[order.symbol, order.side]
        queue.remove(_rank(order))
        if not queue:
            del self._queues[order.symbol, order.side]


def _rank(order: Order) -> tuple[int, int]:
    return (-order.ticks if order.side == "buy" else order.ticks, order.id)
