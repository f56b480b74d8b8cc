"""What the streams have earned so far, for those who weigh them against each other."""

from __future__ import annotations

from typing import Any

from actors import ActorRef
from orchestrator.money.messages import ReadTotals
from streams.booking import BookName
from streams.money import parse_amount

_ASK_S = 10.0


async def earned_by_stream(ledger: ActorRef[Any], book: BookName, asset: str) -> dict[str, int]:
    """Return what each stream has earned for good in one asset: posted income less cost, in minor units.

    Raises:
        ActorError: The ledger does not answer.
    """
    totals = await ledger.ask(ReadTotals(book, "stream"), _ASK_S)
    earned: dict[str, int] = {}
    for item in totals.items:
        if item.asset == asset and item.state == "posted" and item.stream is not None:
            units = parse_amount(item.amount, asset)
            earned[item.stream] = earned.get(item.stream, 0) + (units if item.kind == "income" else -units)
    return earned
