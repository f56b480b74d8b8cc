from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from orchestrator.notify import ASK_FOR_TIME_S, Notifier, asking_for_time


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        yield listening


@pytest.fixture
def notifier(manager: socket.socket) -> Iterator[Notifier]:
    with Notifier.from_environment({"NOTIFY_SOCKET": manager.getsockname()}) as made:
        yield made


def received(manager: socket.socket) -> list[str]:
    return manager.recv(65536).decode().split("\n")


def test_each_state_is_told_in_systemds_words(notifier: Notifier, manager: socket.socket) -> None:
    assert notifier.enabled
    assert notifier.ready("20 instances")
    assert received(manager) == ["READY=1", "STATUS=20 instances"]
    assert notifier.status("working")
    assert received(manager) == ["STATUS=working"]
    assert notifier.stopping()
    assert received(manager) == ["STOPPING=1"]
    assert notifier.watchdog()
    assert received(manager) == ["WATCHDOG=1"]
    assert notifier.extend_timeout(2.5)
    assert received(manager) == ["EXTEND_TIMEOUT_USEC=2500000"]


def test_a_reload_says_when_by_the_monotonic_clock(notifier: Notifier, manager: socket.socket) -> None:
    before = time.monotonic_ns() // 1000
    assert notifier.reloading()
    flag, moment = received(manager)
    assert flag == "RELOADING=1"
    assert before <= int(moment.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000


def test_a_status_cannot_smuggle_in_another_field(notifier: Notifier, manager: socket.socket) -> None:
    assert notifier.status("bad\nMAINPID=1\r\n  news" + "x" * 5000)
    (line,) = received(manager)
    assert line.startswith("STATUS=bad MAINPID=1 news")
    assert len(line) < 1100


def test_an_abstract_address_works() -> None:
    name = f"automate-test-{uuid.uuid4()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        listening.settimeout(5)
        with Notifier.from_environment({"NOTIFY_SOCKET": f"@{name}"}) as notifier:
            assert notifier.ready()
        assert received(listening) == ["READY=1"]


@pytest.mark.parametrize("address", ["", "@", "vsock:2:1234", "relative"])
def test_without_a_manager_nothing_happens(address: str) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"})
    assert not notifier.enabled
    assert notifier.watchdog_s is None
    assert not notifier.ready("x")
    assert not notifier.watchdog()
    notifier.close()


def test_the_watchdog_is_only_for_the_process_that_it_names(manager: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "30000000"}
    assert Notifier.from_environment(environ).watchdog_s == 30.0
    assert Notifier.from_environment(environ | {"WATCHDOG_PID": str(os.getpid())}).watchdog_s == 30.0
    assert Notifier.from_environment(environ | {"WATCHDOG_PID": "1"}).watchdog_s is None
    for nonsense in ("", "0", "-5", "soon"):
        assert Notifier.from_environment(environ | {"WATCHDOG_USEC": nonsense}).watchdog_s is None


def test_what_a_busy_manager_has_no_room_for_is_sent_before_the_next(
    notifier: Notifier, manager: socket.socket
) -> None:
    filled = 0
    with structlog.testing.capture_logs() as logs:
        while notifier.watchdog():
            filled += 1
        assert not notifier.ready("late")
        assert not notifier.watchdog()
    assert [line["event"] for line in logs] == ["systemd.unreachable"]
    for _ in range(filled):
        assert received(manager) == ["WATCHDOG=1"]
    assert notifier.status("after")
    assert received(manager) == ["READY=1", "STATUS=late"]
    assert received(manager) == ["STATUS=after"]


def test_a_manager_that_comes_back_is_told(notifier: Notifier, manager: socket.socket) -> None:
    address = manager.getsockname()
    manager.close()
    Path(address).unlink()
    assert not notifier.ready()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as again:
        again.bind(address)
        again.settimeout(5)
        assert notifier.watchdog()
        assert received(again) == ["READY=1"]
        assert received(again) == ["WATCHDOG=1"]


async def test_sending_never_blocks_the_loop(notifier: Notifier, manager: socket.socket) -> None:
    from blockbuster import blockbuster_ctx

    with blockbuster_ctx():
        assert notifier.ready()
    assert received(manager) == ["READY=1"]


def test_a_long_start_asks_for_more_time_again_and_again_but_not_for_ever(
    notifier: Notifier, manager: socket.socket
) -> None:
    armed: list[Callable[[], None]] = []
    cancelled: list[Timer] = []

    class Timer:
        def cancel(self) -> None:
            cancelled.append(self)

    def call_later(delay_s: float, ask: Callable[[], None]) -> Timer:
        assert delay_s == ASK_FOR_TIME_S
        armed.append(ask)
        return Timer()

    with asking_for_time(notifier, call_later, longest_s=3 * ASK_FOR_TIME_S):
        while armed:
            armed.pop()()
            assert received(manager) == ["EXTEND_TIMEOUT_USEC=60000000"]
        assert not cancelled
    assert len(cancelled) == 1
    assert not armed
