from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.access.socket_file import AnotherDaemonRunning, SocketFile, UnusableSocketPath, address_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "control.sock"


@pytest.fixture
def claimed(path: Path) -> Iterator[SocketFile]:
    file = SocketFile(path)
    bound = file.claim()
    bound.listen()
    yield file
    bound.close()
    file.release()


def test_the_file_is_for_owner_and_group_and_its_directory_for_the_owner(claimed: SocketFile) -> None:
    assert stat.S_IMODE(claimed.path.stat().st_mode) == 0o660
    assert stat.S_IMODE(claimed.path.parent.stat().st_mode) == 0o700


def test_the_stale_file_of_a_dead_daemon_is_replaced(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    file = SocketFile(path)
    with file.claim() as bound, socket.socket(socket.AF_UNIX) as client:
        bound.listen()
        client.connect(str(path))
    file.release()
    assert not path.exists()


def test_the_file_of_a_live_daemon_is_left_alone(claimed: SocketFile) -> None:
    with pytest.raises(AnotherDaemonRunning, match="another daemon is running") as raised:
        SocketFile(claimed.path).claim()
    assert raised.value.exit_code == 75
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(claimed.path))


def test_a_listener_that_holds_no_lock_counts_as_a_daemon_too(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as live:
        live.bind(str(path))
        live.listen()
        with pytest.raises(AnotherDaemonRunning):
            SocketFile(path).claim()
    assert path.exists()


def test_a_listener_whose_queue_is_full_counts_as_a_daemon(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as live, socket.socket(socket.AF_UNIX) as waiting:
        live.bind(str(path))
        live.listen(0)
        waiting.connect(str(path))
        with pytest.raises(AnotherDaemonRunning):
            SocketFile(path).claim()
    assert path.exists()


def test_a_daemon_that_has_not_listened_yet_holds_the_place_already(path: Path) -> None:
    first = SocketFile(path)
    with first.claim():
        with pytest.raises(AnotherDaemonRunning):
            SocketFile(path).claim()
        first.release()


def test_a_file_that_is_no_socket_is_not_touched(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("precious")
    with pytest.raises(UnusableSocketPath, match="is no socket"):
        SocketFile(path).claim()
    assert path.read_text() == "precious"
    path.unlink()
    file = SocketFile(path)  # the failed claim holds no lock
    file.claim().close()
    file.release()


def test_the_file_of_a_successor_is_not_removed(path: Path) -> None:
    file = SocketFile(path)
    with file.claim():
        path.unlink()
        path.write_text("a successor's")
    file.release()
    assert path.exists()


def test_a_path_longer_than_an_address_can_be_is_bound_and_connected_to(tmp_path: Path) -> None:
    path = tmp_path / ("d" * 100) / ("e" * 100) / "control.sock"
    file = SocketFile(path)
    with file.claim() as bound, socket.socket(socket.AF_UNIX) as client:
        bound.listen()
        with address_of(path) as address:
            client.connect(address)
    file.release()
    assert not path.exists()


def test_an_unknown_group_is_named(path: Path) -> None:
    with pytest.raises(UnusableSocketPath, match="no group 'nobody-here' on this machine") as raised:
        SocketFile(path, "nobody-here").claim()
    assert raised.value.exit_code == 78


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to any group")
def test_the_group_is_given_the_file_and_the_way_to_it(path: Path) -> None:
    file = SocketFile(path, 5_000)
    with file.claim():
        assert path.stat().st_gid == 5_000
        assert path.parent.stat().st_gid == 5_000
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o710
    file.release()
