from __future__ import annotations

import sqlite3
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.money.bulk import BulkInsert, BulkSelect


@given(st.sets(st.integers(0, 5000), max_size=1400), st.sets(st.integers(0, 5000), max_size=700))
def test_what_is_inserted_is_found_however_many_there_are(stored: set[int], wanted: set[int]) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE numbers (n, double)")
        BulkInsert("numbers", ("n", "double")).run(connection, [v for n in stored for v in (n, 2 * n)])
        found = set(BulkSelect("SELECT n, double FROM numbers", "n").run(connection, list(wanted)))
    assert found == {(n, 2 * n) for n in stored & wanted}
