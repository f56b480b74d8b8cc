"""What the streams have earned, as the real ledger tells it."""

from __future__ import annotations

from pathlib import Path

from actors import ActorSystem
from orchestrator.earned import earned_by_stream
from orchestrator.money.ledger import Ledger
from tests.orchestrator.money.bookings import api_call


async def test_what_is_posted_counts_in_its_asset_and_its_book(tmp_path: Path) -> None:
    (tmp_path / "instances").mkdir()
    async with ActorSystem() as system:
        ledger = await system.spawn(lambda: Ledger(tmp_path / "ledger.sqlite3", tmp_path / "instances"), "ledger")
        assert await earned_by_stream(ledger, "paper", "USD") == {}
        for number in (1, 2):
            await ledger.ask(api_call(number), 5)
        assert await earned_by_stream(ledger, "paper", "USD") == {"api_services": 4000}  # in millionths
        assert await earned_by_stream(ledger, "paper", "BTC") == {}
        assert await earned_by_stream(ledger, "live", "USD") == {}
