"""The page against a real daemon that all tests of this folder share: three instances, no customers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.access.client import Client
from tests.orchestrator.access.cli.conftest import book_before, configure, said, start, wait_until_up

BOOKED = 200


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home in which a daemon runs, with some bookings of its first instance."""
    home = tmp_path_factory.mktemp("top")
    configure(home, chaos=True, streams={"api_services": {"count": 3}})
    (home / "state").mkdir()
    book_before(home / "state" / "ledger.sqlite3", BOOKED)
    with (home / "stderr").open("w") as log:
        process = start(home, "run", stdout=log, stderr=log)
        try:
            wait_until_up(home, process)
            yield home
        finally:
            process.terminate()
            status = process.wait(40)
    assert status == 0, said(home)


@pytest.fixture
def socket(home: Path) -> Path:
    return home / "run" / "control.sock"


@pytest.fixture
def daemon(socket: Path) -> Iterator[Client]:
    """A way to the daemon for the test itself."""
    with Client(socket) as client:
        yield client
