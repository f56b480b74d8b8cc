"""A process that books under load and prints receipts until it is killed. Arguments: ledger, first number."""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import count
from pathlib import Path

import uvloop

from orchestrator.money.store import Store
from orchestrator.money.writer import GroupWriter
from tests.orchestrator.money.bookings import api_call

IN_FLIGHT = 200


async def main(path: Path, first: int) -> None:
    writer = GroupWriter(Store(path))
    await writer.start()
    numbers = count(first)

    async def client() -> None:
        for n in numbers:
            receipt = await writer.submit(api_call(n, instance=f"i-{n % 5}"))
            # One write each, unbuffered: what is printed was acknowledged before the kill.
            os.write(1, f"{n} {receipt.id} {receipt.sequence} {int(receipt.replayed)}\n".encode())

    await asyncio.gather(*(client() for _ in range(IN_FLIGHT)))


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2])))
