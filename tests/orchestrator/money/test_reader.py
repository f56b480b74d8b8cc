from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from orchestrator.money.reader import Reader
from orchestrator.money.schema import LedgerFileError
from streams.booking import LedgerUnavailable
from tests.orchestrator.money.bookings import api_call, ledger_with


def count(connection: sqlite3.Connection, table: str) -> int:
    (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(rows)


async def test_a_query_runs_off_the_loop(path: Path) -> None:
    await asyncio.to_thread(ledger_with, path, api_call(1))
    reader = Reader(path, "test-reader")
    await reader.open()
    assert await reader.run(count, "transactions") == 1
    name = await reader.run(lambda _: threading.current_thread().name)
    assert name.startswith("test-reader")
    await reader.close()


async def test_a_query_that_fails_is_a_refusal(path: Path) -> None:
    await asyncio.to_thread(ledger_with, path)
    reader = Reader(path, "test-reader")
    await reader.open()
    with pytest.raises(LedgerUnavailable, match="no such table: songs"):
        await reader.run(count, "songs")
    await reader.close()


async def test_a_closed_reader_refuses(path: Path) -> None:
    await asyncio.to_thread(ledger_with, path)
    reader = Reader(path, "test-reader")
    await reader.close()
    for _ in range(2):
        with pytest.raises(LedgerUnavailable, match="not open"):
            reader.run(count, "transactions")
        await reader.open()
        await reader.close()


async def test_closing_breaks_off_a_long_query(path: Path) -> None:
    await asyncio.to_thread(ledger_with, path)
    reader = Reader(path, "test-reader")
    await reader.open()
    began = threading.Event()

    def endless(connection: sqlite3.Connection) -> None:
        began.set()
        connection.execute(
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
        ).fetchone()

    running = reader.run(endless)
    waiting = reader.run(count, "transactions")
    await asyncio.to_thread(began.wait)
    await asyncio.sleep(0.02)
    await reader.close()
    with pytest.raises(LedgerUnavailable, match="interrupted"):
        await running
    assert waiting.cancelled()


async def test_a_missing_ledger_cannot_be_opened(path: Path) -> None:
    reader = Reader(path, "test-reader")
    with pytest.raises(LedgerFileError):
        await reader.open()
    await reader.close()
