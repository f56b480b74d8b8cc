"""Daemons for tests: real processes, ended whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.end_to_end.daemon_process import DaemonProcess

MakeDaemon: TypeAlias = Callable[..., DaemonProcess]


@contextmanager
def making_daemons(directory: Path) -> Iterator[MakeDaemon]:
    made: list[DaemonProcess] = []

    def make(home: Path | None = None, **settings: object) -> DaemonProcess:
        daemon = DaemonProcess(home or directory / f"home{len(made)}", **settings)  # type: ignore[arg-type]
        made.append(daemon)
        return daemon

    try:
        yield make
    finally:
        for daemon in made:
            daemon.end()


@pytest.fixture
def make_daemon(tmp_path: Path) -> Iterator[MakeDaemon]:
    """Make daemons, not started yet; the arguments are those of `DaemonProcess` without the home."""
    with making_daemons(tmp_path) as make:
        yield make


@pytest.fixture
def daemon(make_daemon: MakeDaemon) -> DaemonProcess:
    """A daemon that runs, with two instances that are ready."""
    return make_daemon().start()


@pytest.fixture(scope="module")
def shared_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """The same for all tests of a module: for those that leave it as they found it, but for bookings."""
    with making_daemons(tmp_path_factory.mktemp("shared")) as make:
        yield make().start()
