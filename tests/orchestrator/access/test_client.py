from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from orchestrator.access.client import CallTimedOut, Client, DaemonUnreachable, Notification, RpcFailure
from orchestrator.access.control_socket import Limits
from tests.orchestrator.access.wire import Gate, Pong, serving

T = TypeVar("T")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


async def with_client(path: Path, work: Callable[[Client], T], timeout_s: float = 5.0) -> T:
    def run() -> T:
        with Client(path, timeout_s) as client:
            return work(client)

    return await asyncio.to_thread(run)


class Difference(msgspec.Struct):
    minuend: int
    subtrahend: int


async def test_a_call_returns_its_result_as_json_or_as_a_type(path: Path) -> None:
    def work(client: Client) -> tuple[Any, Pong, int, int]:
        return (
            client.call("system.ping"),
            client.call("system.ping", result=Pong),
            client.call("subtract", [42, 23], result=int),
            client.call("subtract", Difference(1, 2), result=int),
        )

    async with serving(path):
        assert await with_client(path, work) == ({"pong": True}, Pong(True), 19, -1)


async def test_a_large_answer_comes_whole(path: Path) -> None:
    async with serving(path):
        text = await with_client(path, lambda client: client.call("large", {"size_bytes": 5_000_000}, result=str))
    assert len(text) == 5_000_000


async def test_a_result_of_another_type_is_a_validation_error(path: Path) -> None:
    async with serving(path):
        with pytest.raises(msgspec.ValidationError):
            await with_client(path, lambda client: client.call("system.ping", result=int))


async def test_an_error_carries_its_code_message_and_data(path: Path) -> None:
    async with serving(path):
        with pytest.raises(RpcFailure) as raised:
            await with_client(path, lambda client: client.call("missing"))
    assert (raised.value.code, raised.value.message) == (-32001, "there is no instance 'x'")
    assert raised.value.data == {"nearest": "y"}


async def test_a_stream_yields_what_was_said_since_the_call(path: Path) -> None:
    gate = Gate()

    def work(client: Client) -> tuple[Any, Notification, Notification, Any]:
        stream = client.stream("subscribe")
        subscribed.set()
        notifications = iter(stream)
        return stream.result, next(notifications), next(notifications), client.call("system.ping")

    subscribed = threading.Event()
    async with serving(path, gate):
        asking = asyncio.create_task(with_client(path, work))
        await asyncio.to_thread(subscribed.wait, 5)
        gate.sessions[0].notify("events.event", {"n": 1})
        gate.sessions[0].notify("events.event", {"n": 2})
        assert await asking == (
            "subscribed",
            Notification("events.event", {"n": 1}),
            Notification("events.event", {"n": 2}),
            {"pong": True},
        )


async def test_a_notification_that_comes_before_an_answer_is_kept_for_the_stream(path: Path) -> None:
    gate = Gate()

    def work(client: Client) -> tuple[Any, Notification]:
        stream = client.stream("subscribe")
        subscribed.set()
        waited = client.call("gate.wait")
        return waited, next(iter(stream))

    subscribed = threading.Event()
    async with serving(path, gate):
        asking = asyncio.create_task(with_client(path, work))
        await gate.entered.wait()
        gate.sessions[0].notify("events.event", 1)
        gate.opened.set()
        assert await asking == ("opened", Notification("events.event", 1))


async def test_a_call_that_takes_too_long_times_out_and_its_late_answer_is_not_taken_for_another(
    path: Path,
) -> None:
    gate = Gate()

    def work(client: Client) -> Any:
        with pytest.raises(CallTimedOut, match=r"did not answer gate\.wait within 0\.05 s"):
            client.call("gate.wait")
        client.timeout_s = 5.0
        loop.call_soon_threadsafe(gate.opened.set)
        return client.call("system.ping")

    loop = asyncio.get_running_loop()
    async with serving(path, gate):
        assert await with_client(path, work, timeout_s=0.05) == {"pong": True}


def refusing(path: Path, exit_code: int = 69) -> str:
    with Client(path) as client, pytest.raises(DaemonUnreachable) as raised:
        client.call("system.ping")
    assert raised.value.exit_code == exit_code
    return str(raised.value)


def test_without_a_daemon_a_call_says_how_to_start_one(path: Path) -> None:
    assert "no daemon listens" in refusing(path)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert "`automate run`" in refusing(path)
    assert "no daemon listens" in refusing(path / "below" / "a file")


def test_a_client_waits_in_the_queue_of_a_busy_daemon(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as before:
        listening.bind(str(path))
        listening.listen(0)
        before.connect(str(path))

        def serve() -> None:
            listening.accept()[0].close()
            with listening.accept()[0] as peer:
                peer.recv(4096)
                peer.sendall(b'{"jsonrpc":"2.0","result":"served","id":1}\n')

        with Client(path, timeout_s=5.0) as client, ThreadPoolExecutor() as threads:
            calling = threads.submit(client.call, "system.ping")
            time.sleep(0.01)
            assert not calling.done()
            serve()
            assert calling.result() == "served"


def test_a_queue_that_does_not_move_times_out(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as before:
        listening.bind(str(path))
        listening.listen(0)
        before.connect(str(path))
        with Client(path, timeout_s=0.02) as client, pytest.raises(CallTimedOut):
            client.call("system.ping")


async def test_a_daemon_that_hangs_up_is_told_from_one_that_is_not_there(path: Path) -> None:
    gate = Gate()
    async with serving(path, gate) as server:
        asking = asyncio.create_task(with_client(path, lambda client: client.call("gate.wait")))
        await gate.entered.wait()
        await server.close(deadline_s=0.01)
        with pytest.raises(DaemonUnreachable, match=r"hung up before it answered gate\.wait"):
            await asking


def test_something_else_that_listens_is_named(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def greet() -> None:
            with listening.accept()[0] as peer:
                peer.sendall(b"220 mail ready\n")

        answering = threading.Thread(target=greet)
        answering.start()
        assert "does not speak JSON-RPC" in refusing(path)
        answering.join()


async def test_a_refused_peer_learns_why_though_it_wrote_first(path: Path) -> None:
    gate = Gate()
    async with serving(path, gate, Limits(connections=1)):
        busy = asyncio.create_task(with_client(path, lambda client: client.call("gate.wait")))
        await gate.entered.wait()
        with pytest.raises(RpcFailure, match="connections are busy"):
            await with_client(path, lambda client: client.call("large", {"size_bytes": 1, "x": "y" * 2_000_000}))
        gate.opened.set()
        assert await busy == "opened"


def test_the_client_imports_no_event_loop() -> None:
    """The command line starts fast: asyncio alone would cost it half of its time."""
    heavy = "{'asyncio', 'structlog', 'grp'}"
    script = f"import sys, orchestrator.access.client; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
