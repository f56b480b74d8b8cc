"""What a network keeps."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from streams.sandbox.networks.network_store import NetworkStore, Outgoing, Publisher


def test_an_order_that_the_disk_has_no_room_for_is_none_and_the_next_one_is(tmp_path: Path) -> None:
    store = NetworkStore(tmp_path / "network.sqlite3")
    store.open()
    store.register("agency", Publisher("http://127.0.0.1/postback/acme", {}))
    store._db.execute(f"PRAGMA max_page_count = {store._db.execute('PRAGMA page_count').fetchone()[0]}")
    large = Outgoing("agency", "acme_1_0", "x" * 50_000, "none")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.order("agency", [(1.0, large)])
    assert store.outbox() == []
    assert store.publishers()["agency"][1] == 0

    store._db.execute("PRAGMA max_page_count = 10000")
    (due,) = store.order("agency", [(1.0, large)])
    assert store.outbox() == [due]
    assert store.publishers()["agency"][1] == 1
    store.close()
