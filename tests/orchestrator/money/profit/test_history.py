"""Decisions and periods are kept: bounded, apart by book, whatever becomes of the file."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from orchestrator import side_database
from orchestrator.money.profit import history as history_module
from orchestrator.money.profit.decision import Decision, Outcome
from orchestrator.money.profit.history import History, Kept
from orchestrator.money.profit.period import Had, Period
from streams.booking import BookName
from tests.orchestrator.money.bookings import NOON


def decision(number: int, book: BookName = "paper", **changes: object) -> Decision:
    made = Decision(
        id=number, at=NOON, book=book, asset="USD", verdict="held", by="schedule", applied=True, reason="",
        period=number, interval_s=300.0, periods_seen=number, slots=64, waited=0, instances=1, moved=0.0,
        expected="1", expected_before="1", streams=(), movers=(), left_out=(),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def period(number: int, book: BookName = "paper") -> Period:
    return Period(number, book, "USD", 300.0, NOON, number, {"a": {"a-1": Had(1.0, (5,))}})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "profit.sqlite3"


@pytest_asyncio.fixture
async def history(file: Path) -> AsyncIterator[History]:
    history = History(file)
    yield history
    await history.close()


async def test_what_is_written_is_there_for_the_next_life(history: History, file: Path) -> None:
    assert await history.open("paper") == Kept(0, (), ())
    await history.save([decision(1)], period(1))
    settled = decision(1, outcome=Outcome("5", complete=True))
    await history.save([settled, decision(2)], period(2))
    await history.close()
    again = History(file)
    assert await again.open("paper") == Kept(2, (period(1), period(2)), (decision(2),))
    assert await again.page("paper", 10) == (decision(2), settled)
    assert await again.page("paper", 10, before=2) == (settled,)
    await again.close()
    assert file.stat().st_mode & 0o777 == 0o600


async def test_one_book_never_sees_the_other(history: History) -> None:
    await history.open("paper")
    await history.save([decision(1)], period(1))
    await history.save([decision(2, "live")], period(7, "live"))
    kept = await history.open("live")
    # Numbers are shared, so that no decision is mistaken for another; what was learnt is not.
    assert kept == Kept(2, (period(7, "live"),), (decision(2, "live"),))
    assert await history.page("live", 10) == (decision(2, "live"),)


async def test_what_is_old_is_let_go(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "KEPT_DECISIONS", 3)
    monkeypatch.setattr(history_module, "KEPT_PERIODS", 2)
    await history.open("paper")
    for number in range(1, 8):
        await history.save([decision(number)], period(number))
    assert [each.id for each in await history.page("paper", 100)] == [7, 6, 5]
    assert [each.id for each in (await history.open("paper")).periods] == [6, 7]


async def test_a_broken_file_is_put_aside(history: History, file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"not a database" * 100)
    assert await history.open("paper") == Kept(0, (), ())
    await history.save([decision(1)])
    assert len(list(file.parent.glob("profit.sqlite3.broken-*"))) == 1


async def test_while_it_cannot_be_written_what_is_new_waits(
    history: History, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_database, "_BUSY_MS", 1)
    await history.open("paper")
    other = sqlite3.connect(file, isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError):
            await history.save([decision(1)], period(1))
        other.execute("ROLLBACK")
    finally:
        other.close()
    await history.save([decision(2)])
    assert [each.id for each in await history.page("paper", 10)] == [2, 1]
    assert (await history.open("paper")).periods == (period(1),)
