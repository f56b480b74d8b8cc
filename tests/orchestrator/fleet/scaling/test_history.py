"""Rounds are kept: over restarts, bounded, and whatever becomes of the disk."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from orchestrator.fleet.scaling import history
from orchestrator.fleet.scaling.decision import Decision, Outcome, Round
from orchestrator.fleet.scaling.history import Rounds
from tests.orchestrator.fleet.scaling.loads import figures, stream

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def taken(number: int, *, acted: bool = False) -> Round:
    decision = Decision("api_services", "hold", "steady", "nothing to do", 20, 20)
    if acted:
        decision = Decision("api_services", "scale_up", "grown", "much to do", 20, 22, rollout="rollout-0001")
    return Round(number, NOW, figures(60.0 * number), (decision,), 0.8, 0.2, streams=(stream(),))


async def test_what_was_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    rounds = Rounds(tmp_path / "state" / "scaling.sqlite3")
    assert await rounds.open() == 0
    for number in range(1, 6):
        await rounds.save(taken(number, acted=number in (2, 4)))
    await rounds.close()
    assert (tmp_path / "state" / "scaling.sqlite3").stat().st_mode & 0o777 == 0o600
    again = Rounds(tmp_path / "state" / "scaling.sqlite3")
    assert await again.open() == 5
    assert await again.page(2) == (taken(5), taken(4, acted=True))
    assert await again.page(10, 3) == (taken(2, acted=True), taken(1))
    assert [each.id for each in await again.page(10, acted=True)] == [4, 2]
    await again.close()


async def test_an_outcome_takes_the_place_of_the_round_without_it(tmp_path: Path) -> None:
    rounds = Rounds(tmp_path / "scaling.sqlite3")
    await rounds.open()
    await rounds.save(taken(1, acted=True))
    (decision,) = taken(1, acted=True).decisions
    known = msgspec.structs.replace(decision, outcome=Outcome(NOW, "completed", 22, 0.5, 0.5, 0.5))
    settled = msgspec.structs.replace(taken(1), decisions=(known,))
    await rounds.save(settled, taken(2))
    assert await rounds.page(10) == (taken(2), settled)
    await rounds.close()


async def test_it_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "KEPT", 10)
    monkeypatch.setattr(history, "_TRIM_EVERY", 5)
    rounds = Rounds(tmp_path / "scaling.sqlite3")
    await rounds.open()
    for number in range(1, 31):
        await rounds.save(taken(number))
    assert [each.id for each in await rounds.page(100)] == list(range(30, 20, -1))
    await rounds.close()


@pytest.mark.parametrize("content", [b"no database at all, but long enough to look like a file of some kind" * 20])
async def test_a_broken_file_is_put_aside(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "scaling.sqlite3"
    file.write_bytes(content)
    rounds = Rounds(file)
    assert await rounds.open() == 0
    await rounds.save(taken(1))
    assert await rounds.page(1) == (taken(1),)
    await rounds.close()
    (aside,) = tmp_path.glob("scaling.sqlite3.broken-*")
    assert aside.read_bytes() == content


async def test_while_the_disk_is_full_rounds_wait_and_then_all_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = Rounds(tmp_path / "scaling.sqlite3")
    await rounds.open()
    await rounds.save(taken(1))
    monkeypatch.setattr(history, "WAITING_MOST", 3)
    with monkeypatch.context() as full:

        def refuse(*_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        full.setattr(rounds, "_write", refuse)
        for number in range(2, 7):
            with pytest.raises(sqlite3.OperationalError, match="full"):
                await rounds.save(taken(number))
    await rounds.save(taken(7))
    # Of those that waited, the newest; there is room for three.
    assert [each.id for each in await rounds.page(10)] == [7, 6, 5, 1]
    await rounds.close()
