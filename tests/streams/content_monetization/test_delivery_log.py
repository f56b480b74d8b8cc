"""The journal of deliveries: what is on the disk is what counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from streams.content_monetization import delivery_log
from streams.content_monetization.bookkeeper import Bookkeeper
from streams.content_monetization.delivery_events import Delivered, Event
from streams.content_monetization.delivery_journal import JournalDamaged, append_events, read_events
from streams.content_monetization.delivery_log import DeliveryLog, NotStored
from streams.content_monetization.terms import Terms, terms_of
from tests.streams.content_monetization.sites import contract

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TERMS = terms_of(contract(), "USD")


async def opened(path: Path, *terms: Terms) -> DeliveryLog:
    log = DeliveryLog(path, lambda: NOW, timedelta(hours=1))
    await log.open(terms or (TERMS,))
    return log


def delivered(number: int, at: datetime = NOW) -> Delivered:
    return Delivered("acme", f"{number:020x}", at, TERMS.view_milli)


@pytest.mark.parametrize("cut", [1, 7, 60])
async def test_a_torn_last_line_is_taken_off_and_everything_before_it_kept(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal"
    log = await opened(path)
    log.deliver(delivered(1))
    await log.flush()
    log.deliver(delivered(2))
    await log.flush()
    path.write_bytes(path.read_bytes()[:-cut])
    again = await opened(path)
    assert again.account("acme").views == 1
    assert (again.spent(delivered(1).nonce) is not None, again.spent(delivered(2).nonce)) == (True, None)


async def test_a_damaged_line_is_told_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    log = await opened(path)
    log.deliver(delivered(1))
    await log.flush()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"{}\n" + b"".join(lines[1:]))
    with pytest.raises(JournalDamaged, match="line 2: "):
        await opened(path)


@pytest.mark.parametrize("kill_after", ["deliver", "state", "enter", "compact"])
async def test_every_statement_is_booked_under_one_name_wherever_a_kill_comes(tmp_path: Path, kill_after: str) -> None:
    path = tmp_path / "journal"
    log = await opened(path)
    log.deliver(delivered(1))
    await log.flush()
    names = []
    if kill_after != "deliver":
        await log.state()
        names += [(statement.journal, statement.number) for statement in log.unbooked()]
    if kill_after == "enter":
        log.entered(log.unbooked()[0], "tx_1")
        await log.flush()
    if kill_after == "compact":
        await opened(path)
    again = await opened(path)
    await again.state()
    names += [(statement.journal, statement.number) for statement in again.unbooked()]
    assert set(names) == {(log.name, 1)}
    assert bool(again.unbooked()) == (kill_after != "enter")
    assert again.account("acme").statements == 1


async def test_a_statement_is_owed_only_when_it_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = await opened(tmp_path / "journal")
    log.deliver(delivered(1))
    with monkeypatch.context() as patch:
        patch.setattr(delivery_log, "append_events", _full)
        for _ in range(2):
            with pytest.raises(NotStored):
                await log.state()
            assert log.unbooked() == []
    log.deliver(delivered(2))
    await log.state()
    assert [(each.number, each.views) for each in log.unbooked()] == [(1, 1), (2, 1)]


def _full(*_: object) -> int:
    raise OSError(28, "No space left on device")


async def test_what_comes_while_the_disk_writes_goes_with_the_next_group(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    log = await opened(path)
    log.deliver(delivered(1))
    flushing = asyncio.create_task(log.flush())
    await asyncio.sleep(0)
    log.deliver(delivered(2))
    await flushing
    await log.flush()
    assert [event.nonce for event in await _events(path) if isinstance(event, Delivered)] == [
        delivered(1).nonce,
        delivered(2).nonce,
    ]


async def test_a_cancelled_flush_writes_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    log = await opened(path)
    log.deliver(delivered(1))
    monkeypatch.setattr(delivery_log, "append_events", _slowly(append_events))
    flushing = asyncio.create_task(log.flush())
    await asyncio.sleep(0.01)
    flushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await flushing
    await log.flush()
    assert sum(isinstance(event, Delivered) for event in await _events(path)) == 1


async def _events(path: Path) -> list[Event]:
    return await asyncio.to_thread(read_events, path)


def _slowly(append: Callable[..., int]) -> Callable[..., int]:
    import time

    def slow(*arguments: Any) -> int:
        time.sleep(0.05)
        return append(*arguments)

    return slow


async def test_a_large_journal_is_written_anew_and_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    log = await opened(path)
    for number in range(300):
        log.deliver(delivered(number, NOW + timedelta(seconds=number)))
    await log.state()
    before = (path.stat().st_size, log.account("acme").carried(()))
    monkeypatch.setattr(delivery_log, "COMPACT_BYTES", 1000)
    await log.tidy()
    assert path.stat().st_mode & 0o777 == 0o600
    again = await opened(path)
    assert again.account("acme").carried(()) == before[1]
    assert again.name == log.name
    assert again.spent(delivered(7).nonce) is not None
    assert path.stat().st_size < before[0]


async def test_a_ledger_that_does_not_answer_lets_no_journal_grow_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent:
        async def ask(self, booking: Any, timeout_s: float) -> Any:
            await asyncio.Event().wait()

    monkeypatch.setattr(delivery_log, "COMPACT_BYTES", 1000)
    monkeypatch.setattr("streams.content_monetization.bookkeeper.FLUSH_AFTER_S", 0.0)
    path = tmp_path / "journal"
    log = await opened(path)
    keeper = Bookkeeper(log, Silent(), "paper", "s", "i", structlog.get_logger(), 0.001, 0.01, lambda: None)  # type: ignore[arg-type]
    running = asyncio.create_task(keeper.run())
    for number in range(300):
        log.deliver(delivered(number))
    keeper.stir()
    while not log.unbooked():
        await asyncio.sleep(0.005)
    for number in range(300, 400):
        log.deliver(delivered(number))
        keeper.stir()
        await asyncio.sleep(0.001)
    async with asyncio.timeout(5):
        while any(isinstance(event, Delivered) for event in await asyncio.to_thread(read_events, path)):
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait((running,))
    assert log.account("acme").views == 400


async def test_tokens_are_forgotten_when_they_could_not_count_any_more(tmp_path: Path) -> None:
    log = await opened(tmp_path / "journal")
    log.deliver(delivered(1))
    log.deliver(delivered(2, NOW + timedelta(hours=1, seconds=1)))
    assert log.spent(delivered(1).nonce) is None
    assert log.spent(delivered(2).nonce) is not None


async def test_a_link_in_the_journals_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / "journal").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        await opened(tmp_path / "journal")
