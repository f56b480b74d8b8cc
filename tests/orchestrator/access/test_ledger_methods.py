"""`ledger.*` as a caller meets them, over the real ledger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from actors import ActorSystem
from orchestrator.access.dispatch import Methods
from orchestrator.access.jsonrpc import INVALID_PARAMS, RpcError
from orchestrator.access.methods.ledger import register_ledger
from orchestrator.money.ledger import Ledger


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
