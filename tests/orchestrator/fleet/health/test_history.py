"""What went wrong is known after a restart, whatever happens to the file."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from orchestrator.fleet.health import history as module
from orchestrator.fleet.health.history import History, PastFailure
from orchestrator.fleet.health.incidents import Incident
from orchestrator.fleet.health.probe import Subject

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def failure(number: int, name: str = "stall-001") -> PastFailure:
    return PastFailure(NOON + timedelta(seconds=number), name, "crashed", f"number {number}")


def incident(number: int, *, closed: bool = False) -> Incident:
    told = Incident(
        f"inc_{number}", Subject("instance", f"stall-{number:03d}"), "failed", "why", NOON,
        NOON + timedelta(seconds=number),
    )  # fmt: skip
    return msgspec.structs.replace(told, closed_at=NOON, outcome="recovered") if closed else told


async def test_it_is_kept_across_restarts_and_open_incidents_come_back(tmp_path: Path) -> None:
    history = History(tmp_path / "health.sqlite3")
    assert await history.open() == ()
    for entry in (failure(1), failure(2, "ledger"), incident(1), incident(2), incident(2, closed=True)):
        history.add(entry)
    await history.flush()
    await history.close()

    history = History(tmp_path / "health.sqlite3")
    assert await history.open() == (incident(1),)
    assert await history.failures(10) == (failure(2, "ledger"), failure(1))
    assert await history.failures(10, "stall-001") == (failure(1),)
    assert await history.past_incidents(10) == (incident(2, closed=True), incident(1))
    assert await history.past_incidents(10, "stall-001") == (incident(1),)
    await history.close()
    assert (tmp_path / "health.sqlite3").stat().st_mode & 0o777 == 0o600


async def test_years_of_trouble_do_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in (("FAILURES_KEPT", 20), ("INCIDENTS_KEPT", 5), ("_TRIM_EVERY", 10)):
        monkeypatch.setattr(module, name, most)
    history = History(tmp_path / "health.sqlite3")
    await history.open()
    still_open = incident(0)
    history.add(still_open)
    for number in range(1, 101):
        history.add(failure(number))
        history.add(incident(number, closed=True))
        await history.flush()
    kept = await history.failures(1000)
    assert kept[0] == failure(100)
    assert 20 <= len(kept) <= 30
    incidents = await history.past_incidents(1000)
    assert incidents[0].id == "inc_100"
    assert incidents[-1] == still_open
    assert 6 <= len(incidents) <= 16
    await history.close()


async def test_a_broken_file_is_put_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    file = tmp_path / "health.sqlite3"
    file.write_bytes(b"this is no database" * 100)
    history = History(file)
    assert await history.open() == ()
    history.add(failure(1))
    await history.flush()
    await history.close()
    (aside,) = tmp_path.glob("health.sqlite3.broken-*")
    assert aside.read_bytes().startswith(b"this is no database")


async def test_what_cannot_be_written_waits_and_is_written_later(tmp_path: Path) -> None:
    history = History(tmp_path / "health.sqlite3")
    await history.open()
    with sqlite3.connect(tmp_path / "health.sqlite3") as other:  # a full disk fails in the same place
        other.execute("CREATE TRIGGER full BEFORE INSERT ON failures BEGIN SELECT RAISE(ABORT, 'full'); END")
    other.close()
    history.add(failure(1))
    with pytest.raises(sqlite3.Error, match="full"):
        await history.flush()
    assert history.arrived.is_set()
    with sqlite3.connect(tmp_path / "health.sqlite3") as other:
        other.execute("DROP TRIGGER full")
    other.close()
    await history.flush()
    assert await history.failures(10) == (failure(1),)
    await history.flush()
    assert await history.failures(10) == (failure(1),)
    await history.close()


async def test_only_so_much_waits_while_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(tmp_path / "no" / "health.sqlite3")
    await history.open()
    for number in range(module.WAITING_MOST + 7):
        history.add(failure(number))
    await history.flush()
    assert len(await history.failures(100_000)) == module.WAITING_MOST
    assert (await history.failures(1))[0].detail == f"number {module.WAITING_MOST + 6}"
    await history.close()
