"""The file that a venue's accounts, orders and trades live in. These methods block and belong in one thread.

What was written is on the disk when `write` returns, all of it or nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from streams.sandbox.venues.balances import Balance
from streams.sandbox.venues.exchange import Changes, Exchange
from streams.sandbox.venues.listings import VenueTerms
from streams.sandbox.venues.market.feed import Side
from streams.sandbox.venues.order import Order, Trade

ORDERS_KEPT: Final = 50_000
"""Ended orders that can still be asked for, with their trades; older ones are forgotten, as venues do."""

_PRUNE_EVERY: Final = 5_000

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS balances (
    account TEXT, asset TEXT, free INTEGER NOT NULL, held INTEGER NOT NULL, PRIMARY KEY (account, asset)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, symbol TEXT NOT NULL, client_id TEXT NOT NULL, userref INTEGER,
    status TEXT NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS orders_by_account ON orders (account, id);
CREATE INDEX IF NOT EXISTS orders_by_name ON orders (account, client_id) WHERE client_id != '';
CREATE INDEX IF NOT EXISTS orders_open ON orders (status) WHERE status = 'open';
CREATE TABLE IF NOT EXISTS trades (
    id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, account TEXT NOT NULL, symbol TEXT NOT NULL,
    at_ms INTEGER NOT NULL, lots INTEGER NOT NULL, cost_units INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS trades_by_time ON trades (at_ms);
CREATE INDEX IF NOT EXISTS trades_by_account ON trades (account, id);
CREATE INDEX IF NOT EXISTS trades_by_order ON trades (order_id);
CREATE TABLE IF NOT EXISTS taken (
    symbol TEXT, side TEXT, rung INTEGER, epoch INTEGER NOT NULL, lots INTEGER NOT NULL,
    PRIMARY KEY (symbol, side, rung)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS nonces (account TEXT PRIMARY KEY, nonce INTEGER NOT NULL) WITHOUT ROWID;
"""


class OrderQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders or trades of an account are asked for.

    Attributes:
        account: Whose.
        symbol: Of which pair; empty for all.
        ids: With which numbers (of orders, or of trades); empty for all.
        order_id: Trades of which order; None for all.
        client_id: With which name; empty for all.
        userref: With which number of their owner's; None for all.
        ended: Only orders that are no longer open.
        from_id: From which number on.
        start_ms: From when on, Unix milliseconds.
        end_ms: Until when.
        newest: The last ones rather than the first ones, where there are more than `limit`.
        offset: How many to skip.
        limit: How many at most.
    """

    account: str
    symbol: str = ""
    ids: tuple[int, ...] = ()
    order_id: int | None = None
    client_id: str = ""
    userref: int | None = None
    ended: bool = False
    from_id: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    newest: bool = True
    offset: int = 0
    limit: int = 500


class Store:
    """One venue's file.

    Args:
        path: Where it is, or is to be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._orders = msgspec.msgpack.Decoder(Order)
        self._trades = msgspec.msgpack.Decoder(Trade)
        self._encode = msgspec.msgpack.Encoder().encode
        self._database: sqlite3.Connection | None = None
        self._since_prune = 0

    def open(self) -> None:
        """Open the file, and make it where there is none.

        Raises:
            OSError: The directory cannot be made.
            sqlite3.Error: The file cannot be opened or is no database.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.touch(mode=0o600)
        database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            database.executescript(_SCHEMA)
        except BaseException:
            database.close()
            raise
        self._database = database

    def close(self) -> None:
        """Close the file. Safe to call again."""
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def load(self, terms: VenueTerms) -> tuple[Exchange, dict[str, int]]:
        """Return the exchange as it was last written, and the last nonce of each account."""
        execute = self._connection().execute
        (last_order,) = execute("SELECT coalesce(max(id), 0) FROM orders").fetchone()
        (last_trade,) = execute("SELECT coalesce(max(id), 0) FROM trades").fetchone()
        exchange = Exchange(terms, last_order, last_trade)
        for account, asset, free, held in execute("SELECT account, asset, free, held FROM balances"):
            exchange.balances.restore(account, asset, Balance(free, held))
        for symbol, side, rung, epoch, lots in execute("SELECT symbol, side, rung, epoch, lots FROM taken"):
            taken_by: Side = "buy" if side == "buy" else "sell"
            exchange.consumption.restore((symbol, taken_by, rung), epoch, lots)
        for (body,) in execute("SELECT body FROM orders WHERE status = 'open' ORDER BY id"):
            exchange.restore(self._orders.decode(body))
        return exchange, dict(execute("SELECT account, nonce FROM nonces").fetchall())

    def write(self, batches: Iterable[Changes], nonces: dict[str, int]) -> None:
        """Store changes, oldest first, in one transaction.

        Raises:
            sqlite3.Error: Nothing was stored.
        """
        database = self._connection()
        database.execute("BEGIN IMMEDIATE")
        try:
            for changes in batches:
                self._put(database, changes)
            database.executemany("INSERT OR REPLACE INTO nonces VALUES (?, ?)", nonces.items())
            if self._since_prune >= _PRUNE_EVERY:
                self._prune(database)
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise

    def orders(self, query: OrderQuery) -> list[Order]:
        """Return the orders that are asked for, oldest first."""
        return [self._orders.decode(body) for body in self._select("orders", query, "created_ms")]

    def trades(self, query: OrderQuery) -> list[Trade]:
        """Return the trades that are asked for, oldest first."""
        return [self._trades.decode(body) for body in self._select("trades", query, "at_ms")]

    def count(self, table: str, query: OrderQuery) -> int:
        """Return how many orders or trades there are to be asked for, whatever the limit."""
        where, values = _where(query, "created_ms" if table == "orders" else "at_ms")
        statement = f"SELECT count(*) FROM {table} WHERE {where}"  # noqa: S608 - made of constants
        return int(self._connection().execute(statement, values).fetchone()[0])

    def volumes(self, since_ms: int) -> dict[str, tuple[int, int, int]]:
        """Return lots, cost and number of the accounts' trades since then, by pair."""
        rows = self._connection().execute(
            "SELECT symbol, sum(lots), sum(cost_units), count(*) FROM trades WHERE at_ms >= ? GROUP BY symbol",
            (since_ms,),
        )
        return {symbol: (lots, cost, count) for symbol, lots, cost, count in rows}

    def _select(self, table: str, query: OrderQuery, time: str) -> list[bytes]:
        where, values = _where(query, time)
        order = "DESC" if query.newest else "ASC"
        rows = self._connection().execute(
            f"SELECT body FROM {table} WHERE {where} ORDER BY id {order} LIMIT ? OFFSET ?",  # noqa: S608 - constants
            (*values, query.limit, query.offset),
        )
        bodies = [body for (body,) in rows]
        return bodies[::-1] if query.newest else bodies

    def _put(self, database: sqlite3.Connection, changes: Changes) -> None:
        database.executemany(
            "INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    order.id,
                    order.account,
                    order.symbol,
                    order.client_id,
                    order.userref,
                    order.status,
                    order.created_ms,
                    order.updated_ms,
                    self._encode(order),
                )
                for order in changes.orders.values()
            ],
        )
        database.executemany(
            "INSERT INTO trades VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    trade.id,
                    trade.order_id,
                    trade.account,
                    trade.symbol,
                    trade.at_ms,
                    trade.lots,
                    trade.cost_units,
                    self._encode(trade),
                )
                for trade in changes.trades
            ],
        )
        database.executemany(
            "INSERT OR REPLACE INTO balances VALUES (?, ?, ?, ?)",
            [(*key, balance.free, balance.held) for key, balance in changes.balances.items()],
        )
        database.executemany(
            "INSERT OR REPLACE INTO taken VALUES (?, ?, ?, ?, ?)",
            [(*key, *value) for key, value in changes.taken.items()],
        )
        self._since_prune += len(changes.orders)

    def _prune(self, database: sqlite3.Connection) -> None:
        (last,) = database.execute("SELECT coalesce(max(id), 0) FROM orders").fetchone()
        oldest = last - ORDERS_KEPT
        # The last of each stays, for it says which number comes next.
        database.execute("DELETE FROM orders WHERE id < ? AND status != 'open'", (oldest,))
        database.execute(
            "DELETE FROM trades WHERE order_id < ? AND order_id NOT IN (SELECT id FROM orders WHERE status = 'open')"
            " AND id < (SELECT max(id) FROM trades)",
            (oldest,),
        )
        self._since_prune = 0

    def _connection(self) -> sqlite3.Connection:
        if self._database is None:
            raise sqlite3.ProgrammingError("the store is closed")
        return self._database


def _where(query: OrderQuery, time: str) -> tuple[str, list[Any]]:
    clauses: list[tuple[str, Any]] = [("account = ?", query.account)]
    if query.symbol:
        clauses.append(("symbol = ?", query.symbol))
    if query.order_id is not None:
        clauses.append(("order_id = ?", query.order_id))
    if query.client_id:
        clauses.append(("client_id = ?", query.client_id))
    if query.userref is not None:
        clauses.append(("userref = ?", query.userref))
    if query.from_id is not None:
        clauses.append(("id >= ?", query.from_id))
    if query.start_ms is not None:
        clauses.append((f"{time} >= ?", query.start_ms))
    if query.end_ms is not None:
        clauses.append((f"{time} <= ?", query.end_ms))
    text = [clause for clause, _ in clauses]
    values = [value for _, value in clauses]
    if query.ids:
        text.append(f"id IN ({', '.join('?' * len(query.ids))})")
        values.extend(query.ids)
    if query.ended:
        text.append("status != 'open'")
    return " AND ".join(text), values
