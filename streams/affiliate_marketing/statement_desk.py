"""Imports statements: what matches and is paid is settled, every difference is listed, and nothing else is booked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Final

import msgspec

from actors import Refusal
from streams.affiliate_marketing.claim import Claim
from streams.affiliate_marketing.order_store import Order, Postback
from streams.affiliate_marketing.orders import Orders
from streams.affiliate_marketing.reconciliation import Report, reconcile
from streams.affiliate_marketing.settings import Network
from streams.affiliate_marketing.statement import Statement, StatementLine, StatementUnreadable, read_statement

MAX_ORDERS: Final = 100_000

_AT_A_TIME: Final = 32


class StatementDesk:
    """Imports the statements of one instance.

    Args:
        networks: Its networks.
        orders: Its orders.
        now: The time, aware UTC.
    """

    def __init__(self, networks: dict[str, Network], orders: Orders, now: Callable[[], datetime]) -> None:
        self._networks = networks
        self._orders = orders
        self._now = now

    async def import_statement(self, network: str, text: str) -> Report:
        """Compare a statement with our orders, and book as paid what it says is paid and agrees.

        The same statement again changes nothing: what it settled is paid already.

        Raises:
            Refusal: There is no such network, or the statement cannot be read.
            NotBookedYet: The ledger cannot book now; import it again.
        """
        terms = self._networks.get(network)
        if terms is None:
            raise Refusal(f"there is no network {network!r}; there are {', '.join(self._networks)}")
        try:
            statement: Statement = await asyncio.to_thread(read_statement, text, terms.statement)
        except StatementUnreadable as error:
            raise Refusal(str(error)) from None
        orders = {order.order_id: order for order in await self._orders.all(network, MAX_ORDERS)}
        found = await asyncio.to_thread(reconcile, network, statement, orders)
        at_a_time = asyncio.Semaphore(_AT_A_TIME)

        async def settle(line: StatementLine, order: Order) -> None:
            async with at_a_time:
                await self._orders.take(self._postback(network, line, order), order.attribution)

        # Failures are gathered, so that what was settled before one of them is finished.
        outcomes = await asyncio.gather(
            *(settle(line, order) for line, order in found.to_settle), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return msgspec.structs.replace(found.report, settled=len(outcomes))

    def _postback(self, network: str, line: StatementLine, order: Order) -> Postback:
        now = self._now()
        named = msgspec.json.encode([line.order_id, line.amount, order.currency, line.status])
        digest = sha256(named).digest()
        return Postback(
            network=network,
            id=f"statement:{digest.hex()[:40]}",
            received_at=now,
            digest=digest,
            kind="statement.line",
            proof=line.text.encode(),
            claim=Claim(
                order_id=line.order_id,
                click_id="statement",
                status="paid",
                units=line.units(order.currency),
                currency=order.currency,
                ordered_at=order.ordered_at,
                occurred_at=now,
                source="statement",
            ),
            verdict="quarantined",
        )
