"""A small database beside the books."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from orchestrator.side_database import SideDatabase


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[SideDatabase]:
    made = SideDatabase(tmp_path / "a" / "side.sqlite3", "CREATE TABLE IF NOT EXISTS things (n INTEGER PRIMARY KEY)")
    yield made
    await made.close()


async def test_it_is_open_from_its_opening_to_its_closing_and_may_be_opened_again(database: SideDatabase) -> None:
    def count() -> int:
        return int(database.connection().execute("SELECT count(*) FROM things").fetchone()[0])

    with pytest.raises(OSError, match="is not open"):
        await database.run(count)
    assert await database.open(count) == 0
    await database.close()
    with pytest.raises(OSError, match="is not open"):
        await database.run(count)
    assert await database.open(count) == 0


async def test_a_transaction_that_fails_has_changed_nothing(database: SideDatabase) -> None:
    def add(fails: bool) -> list[int]:
        with database.transaction() as connection:
            connection.execute("INSERT INTO things (n) VALUES (NULL)")
            if fails:
                raise sqlite3.IntegrityError("no")
        return [n for (n,) in database.connection().execute("SELECT n FROM things")]

    assert await database.open(add, False) == [1]
    with pytest.raises(sqlite3.IntegrityError):
        await database.run(add, True)
    assert await database.run(add, False) == [1, 2]
