"""`ledger.*` as a caller meets them, over the real ledger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from actors import ActorSystem
from orchestrator.access.dispatch import Methods
from orchestrator.access.jsonrpc import INVALID_PARAMS, RpcError
from orchestrator.access.methods.ledger import register_ledger
from orchestrator.money.ledger import Ledger
from orchestrator.money.report import EntryPage, Totals
from streams.booking import Evidence
from streams.transfers import Party, transfer
from tests.orchestrator.money.bookings import NOON, commission, earned, step


class Operator:
    """Who asks; nothing is told to them later."""

    origin = "a test"

    def notify(self, method: str, params: object) -> bool:
        return False

    def notify_line(self, line: bytes) -> bool:
        return False

    def on_close(self, callback: Callable[[], object]) -> None:
        pass


async def test_a_cursor_of_elsewhere_is_an_invalid_parameter(tmp_path: Path) -> None:
    methods = Methods()
    async with ActorSystem() as system:
        ledger = await system.spawn(lambda: Ledger(tmp_path / "ledger.sqlite3", tmp_path), "ledger")
        register_ledger(methods, ledger)
        with pytest.raises(RpcError) as refused:
            await methods.ask("ledger.entries", {"cursor": "elsewhere"}, Operator())
    assert refused.value.code == INVALID_PARAMS
    assert "'elsewhere' is not a cursor" in refused.value.message


async def test_totals_are_consolidated_unless_asked_otherwise_and_entries_have_states(tmp_path: Path) -> None:
    methods = Methods()
    sides = transfer(
        "t",
        kind="dataset.sold",
        book="paper",
        seller=Party("data_harvesting", "data_harvesting-001"),
        buyer=Party("content_monetization", "content_monetization-001"),
        asset="USD",
        units=10_000,
        occurred_at=NOON,
        evidence=Evidence("dataset.delivered", "d", b"x"),
    )
    async with ActorSystem() as system:
        ledger = await system.spawn(lambda: Ledger(tmp_path / "ledger.sqlite3", tmp_path), "ledger")
        register_ledger(methods, ledger)
        for side in sides:
            await ledger.ask(side, 10.0)
        pending = await ledger.ask(commission(1, 20_000), 10.0)
        await ledger.ask(commission(2, 30_000), 10.0)
        await ledger.ask(step(pending, "posted", *earned(20_000)), 10.0)

        async def totals(**params: object) -> list[tuple[str, str, str]]:
            told = msgspec.json.decode(
                await methods.ask("ledger.totals", {"book": "paper", **params}, Operator()), type=Totals
            )
            return [(item.kind, item.state, item.amount) for item in told.items]

        fleet = [("income", "pending", "0.03"), ("income", "posted", "0.02")]
        assert await totals() == await totals(consolidated=True) == fleet
        assert await totals(consolidated=False) == [
            ("cost", "posted", "0.01"),
            ("income", "pending", "0.03"),
            ("income", "posted", "0.03"),
        ]
        page = msgspec.json.decode(
            await methods.ask("ledger.entries", {"state": "pending"}, Operator()), type=EntryPage
        )
        assert [(entry.key, entry.state) for entry in page.items] == [("commission:2", "pending")]
        with pytest.raises(RpcError) as refused:
            await methods.ask("ledger.entries", {"state": "lost"}, Operator())
        assert refused.value.code == INVALID_PARAMS
