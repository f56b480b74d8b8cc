"""Daemons for tests: real processes, ended whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.end_to_end.daemon_process import DaemonProcess

MakeDaemon: TypeAlias = Callable[..., DaemonProcess]


@pytest.fixture
def make_daemon(tmp_path: Path) -> Iterator[MakeDaemon]:
    """Make daemons, not started yet; the arguments are those of `DaemonProcess` without the home."""
    made: list[DaemonProcess] = []

    def make(home: Path | None = None, **settings: object) -> DaemonProcess:
        daemon = DaemonProcess(home or tmp_path / f"home{len(made)}", **settings)  # type: ignore[arg-type]
        made.append(daemon)
        return daemon

    yield make
    for daemon in made:
        daemon.end()


@pytest.fixture
def daemon(make_daemon: MakeDaemon) -> DaemonProcess:
    """A daemon that runs, with two instances that are ready."""
    return make_daemon().start()
