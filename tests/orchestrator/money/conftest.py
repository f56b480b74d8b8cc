from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.money.schema import open_reader
from orchestrator.money.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    store.open()
    yield store
    store.close()


@pytest.fixture
def reading(store: Store, path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_reader(path)
    yield connection
    connection.close()
