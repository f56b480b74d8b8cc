from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.access.control_socket import ControlSocket, Limits
from orchestrator.access.socket_file import AnotherDaemonRunning
from tests.orchestrator.access.wire import SHARED, Gate, Wire, call, methods_with, serving, until

PING = call("system.ping")
PONG = {"jsonrpc": "2.0", "result": {"pong": True}, "id": 1}
VECTORS = SHARED / "jsonrpc/spec_examples/vectors.json"
JSON_SUITE = SHARED / "json/jsontestsuite/test_parsing"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


def is_absent(file: Path) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not file.exists(), reason=f"{file} is not on this machine")


@is_absent(VECTORS)
async def test_the_examples_of_the_specification_are_answered_as_written_there(path: Path) -> None:
    async with serving(path), Wire(path) as wire:
        for vector in json.loads(VECTORS.read_text()):
            wire.send(vector["request"].replace("\n", " ").encode() + b"\n")
            wire.send(PING)
            if vector["response"] is not None:
                expected = json.loads(vector["response"])
                if vector["request"] == "[1]" and isinstance(expected, dict):
                    # The specification (section 7) answers a batch with an array; the file lost its brackets.
                    expected = [expected]
                assert await wire.answer() == expected, vector["case"]
            assert await wire.answer() == PONG


@is_absent(JSON_SUITE)
async def test_what_is_no_json_is_answered_as_an_error_and_the_connection_goes_on(path: Path) -> None:
    async with serving(path), Wire(path) as wire:
        files = [file for file in sorted(JSON_SUITE.iterdir()) if file.read_bytes()]
        assert len(files) > 100
        for file in files:
            reply = await wire.ask(file.read_bytes().replace(b"\n", b" ") + b"\n")
            codes = {each["error"]["code"] for each in (reply if isinstance(reply, list) else [reply])}
            assert codes == {-32700 if file.name.startswith("n_") else -32600}, file.name
        assert await wire.ask(PING) == PONG


@pytest.mark.parametrize("line", [b"[" * 100_000, b'{"a":' * 100_000, b'"\xff"', b"\x00"])
async def test_a_malformed_line_is_answered_with_a_parse_error_and_no_id(path: Path, line: bytes) -> None:
    async with serving(path) as server, Wire(path) as wire:
        reply = await wire.ask(line + b"\n")
        assert reply == {"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": None}
        assert await wire.ask(PING) == PONG
        assert server.statistics().malformed == 1


async def test_empty_lines_are_ignored_and_a_carriage_return_is_tolerated(path: Path) -> None:
    async with serving(path), Wire(path) as wire:
        wire.send(b"\n\r\n\n" + PING.rstrip() + b"\r\n\n")
        assert await wire.answer() == PONG
        assert await wire.ask(PING) == PONG


async def test_a_line_may_come_in_any_pieces(path: Path) -> None:
    async with serving(path), Wire(path) as wire:
        for byte in PING + PING:
            wire.send(bytes([byte]))
            await wire.writer.drain()
            await asyncio.sleep(0)
        assert await wire.answer() == PONG
        assert await wire.answer() == PONG


async def test_a_line_of_a_mebibyte_is_taken_and_a_longer_one_ends_the_connection(path: Path) -> None:
    filler = (1 << 20) - len(call("system.ping", [""])) + 1
    async with serving(path) as server, Wire(path) as wire:
        assert (await wire.ask(call("system.ping", ["x" * filler])))["error"]["code"] == -32602
        wire.send(PING + call("system.ping", ["x" * (filler + 1)]) + PING)
        assert await wire.answer() == PONG
        reply = await wire.answer()
        assert (reply["error"]["code"], reply["id"]) == (-32600, None)
        assert "1,048,576 bytes" in reply["error"]["data"]["expected"]
        assert await wire.ended()
        assert server.statistics().oversized == 1


async def test_a_line_that_never_ends_is_refused_while_it_is_still_being_sent(path: Path) -> None:
    async with serving(path), Wire(path) as wire:
        for _ in range(20):
            wire.send(b"x" * 200_000)
        assert (await wire.answer())["error"]["code"] == -32600
        assert await wire.ended()


async def test_answers_come_in_the_order_of_the_requests(path: Path) -> None:
    methods = ["subtract", "sum", "get_data", "sum", "subtract"]
    arguments: dict[str, Any] = {"subtract": [1, 2], "sum": [1], "get_data": None}
    async with serving(path), Wire(path) as wire:
        for number in range(500):
            name = methods[number % len(methods)]
            wire.send(call(name, arguments[name], number))
        assert [(await wire.answer())["id"] for _ in range(500)] == list(range(500))


async def test_a_slow_method_keeps_only_its_own_connection_waiting(path: Path) -> None:
    gate = Gate()
    async with serving(path, gate), Wire(path) as slow, Wire(path) as other:
        slow.send(call("gate.wait", None, "a") + call("system.ping", None, "b"))
        await gate.entered.wait()
        assert await other.ask(PING) == PONG
        gate.opened.set()
        assert (await slow.answer())["id"] == "a"
        assert (await slow.answer())["id"] == "b"


async def test_what_is_sent_ahead_of_a_slow_method_is_not_read_without_end(path: Path) -> None:
    gate = Gate()
    async with serving(path, gate, Limits(read_ahead_bytes=1_000)), Wire(path) as wire:
        wire.send(call("gate.wait"))
        await gate.entered.wait()
        count = 2_000_000 // len(PING)
        wire.send(PING * count)
        with pytest.raises(TimeoutError):  # the socket takes no more
            await asyncio.wait_for(_drained(wire), 0.05)
        gate.opened.set()
        assert (await wire.answer())["result"] == "opened"
        for _ in range(count):
            assert await wire.line()


async def _drained(wire: Wire) -> None:
    wire.writer.transport.set_write_buffer_limits(0)
    await wire.writer.drain()


async def test_requests_are_answered_though_the_peer_has_hung_up_its_half(path: Path) -> None:
    async with serving(path), Wire(path) as wire:
        wire.send(call("get_data") + PING.rstrip())  # as `printf` leaves it, without an LF
        wire.writer.write_eof()
        assert (await wire.answer())["result"] == ["hello", 5]
        assert await wire.answer() == PONG
        assert await wire.ended()


async def test_what_a_peer_asked_for_before_it_left_is_carried_out(path: Path) -> None:
    gate = Gate()
    async with serving(path, gate) as server:
        async with Wire(path) as wire:
            wire.send(call("gate.wait"))
            await gate.entered.wait()
        await asyncio.sleep(0.01)
        gate.opened.set()
        await until(lambda: not server.connected)
        assert gate.finished == 1


@pytest.mark.parametrize(
    ("method", "code", "message"),
    [
        ("missing", -32001, "there is no instance 'x'"),
        ("refuse", -32002, "not while it rains"),
        ("gate.limited", -32004, "gate.limited did not end within 0.01 s"),
        ("crash", -32603, "Internal error"),
        ("system.pign", -32601, "Method not found"),
    ],
)
async def test_a_failure_is_an_error_of_its_request_only(path: Path, method: str, code: int, message: str) -> None:
    async with serving(path), Wire(path) as wire:
        reply = await wire.ask(call(method))
        assert (reply["error"]["code"], reply["error"]["message"], reply["id"]) == (code, message, 1)
        assert "1234" not in json.dumps(reply)
        assert await wire.ask(PING) == PONG


async def test_discover_answers_over_the_socket(path: Path) -> None:
    async with serving(path), Wire(path) as wire:
        document = (await wire.ask(call("rpc.discover")))["result"]
        assert "system.ping" in {method["name"] for method in document["methods"]}


async def test_a_subscriber_is_notified_until_it_leaves(path: Path) -> None:
    gate = Gate()
    async with serving(path, gate):
        async with Wire(path) as wire:
            assert (await wire.ask(call("subscribe")))["result"] == "subscribed"
            (session,) = gate.sessions
            assert session.origin == f"pid {os.getpid()} of uid {os.geteuid()}"
            assert session.notify("events.event", {"n": 1})
            assert await wire.answer() == {"jsonrpc": "2.0", "method": "events.event", "params": {"n": 1}}
        await until(lambda: gate.closed)
        assert not session.notify("events.event", {"n": 2})
        late: list[int] = []
        session.on_close(lambda: late.append(1))
        assert late == [1]


async def test_a_subscriber_that_has_hung_up_its_half_is_still_notified(path: Path) -> None:
    gate = Gate()
    async with serving(path, gate), Wire(path) as wire:
        wire.send(call("subscribe"))
        wire.writer.write_eof()
        assert (await wire.answer())["result"] == "subscribed"
        assert gate.sessions[0].notify("events.event", 1)
        assert (await wire.answer())["params"] == 1


# Fuzz: over one connection for all examples, so that a broken state would be noticed by the next.

requests = st.sampled_from(["system.ping", "subtract", "sum", "nope", "get_data", "crash", 7, None])
members = st.fixed_dictionaries(
    {"jsonrpc": st.sampled_from(["2.0", "1.0"]), "method": requests, "id": st.none() | st.integers() | st.text()},
    optional={"params": st.none() | st.lists(st.integers(), max_size=3) | st.dictionaries(st.text(), st.integers())},
)
lines = st.one_of(
    st.binary(max_size=80).map(lambda data: data.replace(b"\n", b"")),
    members.map(lambda member: json.dumps(member).encode()),
    st.lists(members, max_size=4).map(lambda batch: json.dumps(batch).encode()),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.lists(lines, max_size=6), cut=st.integers(1, 50))
async def test_any_lines_are_all_answered_and_the_server_goes_on(tmp_path: Path, sent: list[bytes], cut: int) -> None:
    path = tmp_path / "control.sock"
    async with serving(path), Wire(path) as wire:
        stream = b"".join(line + b"\n" for line in sent)
        for start in range(0, len(stream), cut):
            wire.send(stream[start : start + cut])
            await asyncio.sleep(0)
        wire.send(call("system.ping", None, "the end"))
        answers = []
        while (answer := await wire.answer()) != {**PONG, "id": "the end"}:
            answers.append(answer)
        # No line generated here is a notification: each that is not empty has its answer.
        assert len(answers) == sum(1 for line in sent if line.strip(b"\r") or len(line) > 1)


# Start and stop


async def test_the_file_has_its_mode_while_it_serves_and_is_gone_afterwards(path: Path) -> None:
    async with serving(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert not path.exists()


async def test_a_second_daemon_does_not_take_the_socket_of_a_live_one(path: Path) -> None:
    async with serving(path), Wire(path) as wire:
        with pytest.raises(AnotherDaemonRunning):
            await ControlSocket(path, methods_with(Gate())).start()
        assert await wire.ask(PING) == PONG


async def test_closing_finishes_what_is_in_progress_and_starts_nothing_more(path: Path) -> None:
    gate = Gate()
    async with serving(path, gate) as server, Wire(path) as busy, Wire(path) as idle:
        assert await idle.ask(PING) == PONG
        busy.send(call("gate.wait") + PING)
        await gate.entered.wait()
        closing = asyncio.create_task(server.close(deadline_s=5.0))
        assert await idle.ended()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_unix_connection(path)
        gate.opened.set()
        assert (await busy.answer())["result"] == "opened"
        assert await busy.ended()
        await closing
        assert server.connected == 0
        assert not path.exists()


async def test_closing_does_not_wait_past_its_deadline(path: Path) -> None:
    gate = Gate()
    async with serving(path, gate) as server, Wire(path) as wire:
        wire.send(call("gate.wait"))
        await gate.entered.wait()
        await server.close(deadline_s=0.01)
        assert await wire.ended()
        assert gate.finished == 0


async def test_a_server_that_was_not_started_can_be_closed(path: Path) -> None:
    await ControlSocket(path, methods_with(Gate())).close()


# Credentials

PEER_SCRIPT = """
import os, socket, sys
os.setgroups([int(group) for group in sys.argv[2].split(",") if group]); os.setgid(65534); os.setuid(65534)
peer = socket.socket(socket.AF_UNIX); peer.connect(sys.argv[1])
peer.sendall(b'{"jsonrpc":"2.0","id":1,"method":"system.ping"}\\n')
peer.settimeout(5); answer = b""
while chunk := peer.recv(65536):
    answer += chunk
    if b"pong" in answer: break
sys.stdout.buffer.write(answer)
"""


@pytest.fixture
def public_path() -> Iterator[Path]:
    """A socket that everybody can reach, so that nothing but the peer's credentials can refuse it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory) / "control.sock"


async def _as_nobody(path: Path, groups: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", PEER_SCRIPT, str(path), groups, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 20)
    return output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_a_peer_of_another_uid_is_refused_and_closed(public_path: Path) -> None:
    async with serving(public_path) as server:
        public_path.chmod(0o666)
        (line,) = (await _as_nobody(public_path, "")).splitlines()
        reply = json.loads(line)
        assert (reply["error"]["code"], reply["id"]) == (-32003, None)
        assert server.statistics().not_allowed == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_a_member_of_the_configured_group_is_served(public_path: Path) -> None:
    async with serving(public_path, group=5_000):
        assert json.loads(await _as_nobody(public_path, "4999,5000")) == PONG


async def test_a_peer_that_is_gone_before_it_is_served_disturbs_nobody(path: Path) -> None:
    async with serving(path) as server, Wire(path) as wire:
        for _ in range(50):
            with socket.socket(socket.AF_UNIX) as gone:
                gone.connect(str(path))
                gone.send(PING * 3)
        assert await wire.ask(PING) == PONG
        await until(lambda: server.connected == 1)
