from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from orchestrator.access.client import DaemonUnreachable
from orchestrator.access.control_socket import ControlSocket
from orchestrator.access.dispatch import Methods, Session
from orchestrator.access.top import fleet as reading
from orchestrator.access.top.caller import Caller
from orchestrator.access.top.fleet import Fleet, states_of, streams_of
from orchestrator.access.top.rows import Page, Row
from tests.orchestrator.access.wire import until

MANY = 10_000


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    limit: int
    cursor: str | None = None


@pytest.fixture
async def caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Caller]:
    """A way to a socket at which a fleet of ten thousand is listed by pages."""
    monkeypatch.setattr(reading, "_LEAST_PAUSE_S", 0.01)
    monkeypatch.setattr(reading, "_SHARE", 0)
    methods = Methods()
    rows = [Row(f"a-{n:05}", "a", "ready", "127.0.0.1", n, 0, None) for n in range(MANY)]

    @methods.register("fleet.list")
    def list_rows(params: Asked, session: Session) -> Page:
        """List."""
        begin = int(params.cursor or 0)
        end = begin + params.limit
        return Page(rows[begin:end], str(end) if end < MANY else None)

    server = ControlSocket(tmp_path / "control.sock", methods)
    await server.start()
    caller = Caller(tmp_path / "control.sock", 5.0, "test")
    try:
        yield caller
    finally:
        caller.close()
        await server.close(deadline_s=1.0)


async def test_ten_thousand_come_by_pages_and_the_first_are_shown_at_once(caller: Caller) -> None:
    seen: list[int] = []
    fleet = Fleet(caller, lambda: seen.append(len(fleet.rows)))
    task = asyncio.create_task(fleet.follow())
    try:
        fleet.outdated()
        await until(lambda: len(fleet.rows) == MANY)
        assert seen == [*range(1000, 10_000, 1000), MANY]
        assert [row.port for row in fleet.rows] == list(range(MANY))
        # Once they are known, half a list never takes the place of a whole one.
        fleet.outdated()
        await until(lambda: len(seen) > 10)
        assert seen[10:] == [MANY]
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert states_of(fleet.rows) == {"ready"}
    assert streams_of(fleet.rows) == {"a"}


async def test_who_has_hung_up_asks_no_more(caller: Caller) -> None:
    assert (await caller.call("fleet.list", {"limit": 1}, result=Page)).items[0].id == "a-00000"
    caller.close()
    with pytest.raises(DaemonUnreachable):
        await caller.call("fleet.list", {"limit": 1})
