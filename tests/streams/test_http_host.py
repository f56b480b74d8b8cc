"""The host, spoken to over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvloop
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

from streams.http_connection import HttpLimits
from streams.http_host import CannotListen, HttpApp, HttpHost, PortTaken

QUICK = HttpLimits(receive_timeout_s=0.05, send_timeout_s=0.05, keep_alive_s=1)


class Application:
    """Answers each request with its body, after whatever the test makes it wait for."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.proceed = asyncio.Event()
        self.proceed.set()
        self.cancelled = 0
        self.states: list[dict[str, Any]] = []

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        assert scope["type"] == "http"
        self.states.append(scope["state"])
        body = b""
        if scope["path"] != "/early":
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                assert message["type"] == "http.request"
                body += message["body"]
                if not message["more_body"]:
                    break
        self.entered.set()
        try:
            await self.proceed.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if scope["path"] == "/large":
            body = b"x" * 8_000_000
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


@contextlib.asynccontextmanager
async def hosted(
    app: Application, limits: HttpLimits | None = None, state: dict[str, Any] | None = None
) -> AsyncIterator[HttpHost]:
    host = HttpHost(HttpApp(app), "127.0.0.1", 0, state or {}, limits)
    await host.start()
    try:
        yield host
    finally:
        await host.close(1.0)


@contextlib.asynccontextmanager
async def connected(host: HttpHost) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status_line, *lines = head.strip().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return int(status_line.split()[1]), headers, body


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20.0):
        while not condition():
            await asyncio.sleep(0.005)


def post(body: bytes, path: str = "/") -> bytes:
    return b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(body), body)


async def test_a_request_is_answered_with_a_date_and_the_hosts_own_state() -> None:
    app = Application()
    async with (
        hosted(app, state={"instance": "a"}) as one,
        hosted(app, state={"instance": "b"}) as other,
    ):
        assert one.port != other.port
        for host in (one, other):
            async with connected(host) as (reader, writer):
                writer.write(post(b"hello"))
                status, headers, body = await answer(reader)
                assert (status, body) == (200, b"hello")
                assert headers["date"].endswith(" GMT")
                assert "server" not in headers
    assert [state["instance"] for state in app.states] == ["a", "b"]


async def test_a_connection_serves_several_requests_and_pipelined_ones_in_order() -> None:
    async with hosted(Application()) as host, connected(host) as (reader, writer):
        writer.write(post(b"1") + post(b"2") + post(b"3"))
        assert [(await answer(reader))[2] for _ in range(3)] == [b"1", b"2", b"3"]
        writer.write(post(b"4"))
        assert (await answer(reader))[2] == b"4"
        assert host.stats().requests == 4


class Script(Application):
    """Sends the messages that it is given."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        super().__init__()
        self.messages = messages

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        for message in self.messages:
            await send(message)  # type: ignore[arg-type]
            await asyncio.sleep(0)


def start(*headers: tuple[bytes, bytes], status: int = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(part: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": part, "more_body": more}


async def raw_answer(app: Application, request: bytes) -> bytes:
    async with hosted(app) as host, connected(host) as (reader, writer):
        writer.write(request)
        writer.write_eof()
        return await reader.read()


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "parts",
    [
        [body(b"hello")],
        [body(b"he", more=True), body(b"llo")],
        [body(b"hello", more=True), body(b"")],
        [body(b"", more=True), body(b"hello")],
    ],
)
async def test_an_answer_of_known_length_may_come_in_parts(parts: list[dict[str, Any]]) -> None:
    sent = await raw_answer(Script(start((b"content-length", b"5"), (b"x-a", b"b")), *parts), GET)
    head, _, content = sent.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
    assert b"\r\ncontent-length: 5\r\nx-a: b" in head
    assert content == b"hello"


async def test_an_answer_of_unknown_length_is_chunked() -> None:
    sent = await raw_answer(Script(start(), body(b"hel", more=True), body(b"lo")), GET)
    head, _, content = sent.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert content == b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"


async def test_a_head_request_gets_the_length_and_no_body() -> None:
    sent = await raw_answer(Script(start((b"content-length", b"5")), body(b"hello")), GET.replace(b"GET", b"HEAD"))
    assert b"content-length: 5\r\n" in sent
    assert sent.endswith(b"\r\n\r\n")


async def test_an_empty_answer_is_sent() -> None:
    sent = await raw_answer(Script(start((b"content-length", b"0"), status=204), body(b"")), GET)
    assert sent.startswith(b"HTTP/1.1 204 No Content\r\n")


@pytest.mark.parametrize(
    "header",
    [
        (b"x-a", b"b\r\nset-cookie: c"),
        (b"x-a", b"b\nc"),
        (b"x-a", b"\x00"),
        (b"x a", b"b"),
        (b"x:a", b"b"),
        (b"", b"b"),
    ],
)
@pytest.mark.parametrize("length", [((b"content-length", b"5"),), ()])
async def test_a_header_that_would_break_the_answer_is_not_sent(
    header: tuple[bytes, bytes], length: tuple[tuple[bytes, bytes], ...], caplog: pytest.LogCaptureFixture
) -> None:
    sent = await raw_answer(Script(start(header, *length), body(b"hello")), GET)
    assert b"hello" not in sent
    assert b"set-cookie" not in sent
    assert len(caplog.records) == 1


@pytest.mark.parametrize("part", [b"hell", b"hello!"])
async def test_a_body_that_is_not_as_long_as_declared_closes_the_connection(
    part: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    sent = await raw_answer(Script(start((b"content-length", b"5")), body(part)), GET + GET)
    assert sent.count(b"HTTP/1.1") == 1
    assert len(caplog.records) == 1


async def test_an_answer_to_http_1_0_closes_the_connection() -> None:
    app = Script(start((b"content-length", b"2")), body(b"ok"))
    async with hosted(app) as host, connected(host) as (reader, writer):
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        sent = await reader.read()
    assert b"\r\nconnection: close\r\n" in sent
    assert sent.endswith(b"\r\n\r\nok")


async def test_a_path_is_decoded_and_a_query_is_not() -> None:
    seen: list[Any] = []

    class Look(Script):
        async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            assert scope["type"] == "http"
            seen.append((scope["method"], scope["path"], scope["raw_path"], scope["query_string"]))
            await super().__call__(scope, receive, send)

    request = GET.replace(b" / ", b" /a%20b%C3%A9?q=%20x#f ")
    await raw_answer(Look(start((b"content-length", b"0")), body(b"")), request)
    assert seen == [("GET", "/a bé", b"/a%20b%C3%A9", b"q=%20x")]


async def test_a_taken_port_is_named_with_a_remedy() -> None:
    async with hosted(Application()) as host:
        second = HttpHost(HttpApp(Application()), "127.0.0.1", host.port, {})
        with pytest.raises(PortTaken, match=rf"127\.0\.0\.1:{host.port}.*ss -ltnp"):
            await second.start()
        await second.close(1.0)


async def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    host = HttpHost(HttpApp(Application()), "192.0.2.1", 0, {})
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1"):
        await host.start()


async def test_the_port_is_free_again_at_once_after_closing() -> None:
    async with hosted(Application()) as host:
        port = host.port
        async with connected(host) as (reader, writer):
            writer.write(post(b"x"))
            await answer(reader)
            await host.close(1.0)
            again = HttpHost(HttpApp(Application()), "127.0.0.1", port, {})
            await again.start()
            await again.close(1.0)


async def test_a_host_that_was_closed_can_be_started_again() -> None:
    host = HttpHost(HttpApp(Application()), "127.0.0.1", 0, {})
    for _ in range(2):
        await host.start()
        async with connected(host) as (reader, writer):
            writer.write(post(b"x"))
            assert (await answer(reader))[0] == 200
        await host.close(1.0)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nA: b\r\n", post(b"abc")[:-1]])
async def test_a_request_that_does_not_arrive_in_time_is_answered_408(sent: bytes) -> None:
    async with hosted(Application(), QUICK) as host, connected(host) as (reader, writer):
        writer.write(sent)
        status, headers, _ = await answer(reader)
        assert (status, headers["connection"]) == (408, "close")
        assert await reader.read() == b""
        assert host.stats().timed_out == 1
        assert host.stats().in_progress == 0


async def test_the_deadline_of_a_request_does_not_move_when_bytes_trickle_in() -> None:
    async with hosted(Application(), QUICK) as host, connected(host) as (reader, writer):

        async def trickle() -> None:
            while True:
                writer.write(b"A")
                await asyncio.sleep(0.01)

        writer.write(b"GET / HTTP/1.1\r\nX: ")
        trickling = asyncio.create_task(trickle())
        assert (await asyncio.wait_for(answer(reader), 1.0))[0] == 408
        trickling.cancel()


async def test_a_slow_second_request_on_a_connection_is_cut_too() -> None:
    async with hosted(Application(), QUICK) as host, connected(host) as (reader, writer):
        writer.write(post(b"1") + b"GET /")
        assert (await answer(reader))[0] == 200
        assert (await answer(reader))[0] == 408


async def test_a_slow_next_request_does_not_cost_the_answer_that_is_owed() -> None:
    app = Application()
    app.proceed.clear()
    async with hosted(app, QUICK) as host, connected(host) as (reader, writer):
        writer.write(post(b"1") + b"GET /")
        await app.entered.wait()
        await until(lambda: host.stats().timed_out > 0)
        app.proceed.set()
        status, headers, body = await answer(reader)
        assert (status, headers["connection"], body) == (200, "close", b"1")
        assert await reader.read() == b""


async def test_work_that_takes_longer_than_a_request_may_take_to_arrive_is_not_cut() -> None:
    app = Application()
    app.proceed.clear()
    async with hosted(app, QUICK) as host, connected(host) as (reader, writer):
        writer.write(post(b"1"))
        await app.entered.wait()
        await asyncio.sleep(0.12)
        app.proceed.set()
        assert (await answer(reader))[2] == b"1"


async def test_an_idle_connection_is_closed_after_its_keep_alive() -> None:
    limits = HttpLimits(keep_alive_s=0)
    async with hosted(Application(), limits) as host, connected(host) as (reader, writer):
        writer.write(post(b"1"))
        await answer(reader)
        assert await asyncio.wait_for(reader.read(), 1.0) == b""


async def test_the_keep_alive_counts_from_the_last_answer_and_never_ends_a_request() -> None:
    async with hosted(Application(), HttpLimits(keep_alive_s=10)) as host, connected(host) as (reader, writer):
        writer.write(post(b"1"))
        await answer(reader)
        loop, (connection,) = asyncio.get_running_loop(), host._connections()
        first = connection.timeout_keep_alive_task
        writer.write(post(b"1"))
        await answer(reader)
        assert connection.timeout_keep_alive_task is first  # one timer, however many requests

        def fires(idle_for_s: float) -> asyncio.TimerHandle | None:
            if connection.timeout_keep_alive_task is not None:
                connection.timeout_keep_alive_task.cancel()
            connection._idle_since_s = loop.time() - idle_for_s
            connection.timeout_keep_alive_handler()
            return connection.timeout_keep_alive_task

        again = fires(4.0)
        assert again is not None
        assert again.when() - loop.time() == pytest.approx(6.0, abs=0.5)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Le")
        await until(lambda: connection._receiving)
        assert fires(11.0) is None  # it is no longer idle, and what is on its way has a deadline of its own
        writer.write(b"ngth: 1\r\n\r\n1")
        await answer(reader)
        assert connection.timeout_keep_alive_task is not None
        assert fires(11.0) is None
        assert await reader.read() == b""


async def test_thousands_of_requests_in_one_piece_are_answered_in_order_and_parsed_as_there_is_room() -> None:
    count, most = 5000, 0
    async with hosted(Application()) as host, connected(host) as (reader, writer):
        writer.write(b"".join(post(b"%d" % number) for number in range(count)) + b"POST / HT")
        (connection,) = host._connections()
        for _ in range(count):
            most = max(most, len(connection.pipeline))
            status, _, _ = await answer(reader)
            assert status == 200
        assert 0 < most < 200
        await until(lambda: not connection._held)
        writer.write(b"TP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1")  # what came last was half a request
        assert (await answer(reader))[0] == 200


async def test_a_body_that_comes_in_one_large_piece_is_whole() -> None:
    application = Application()
    async with hosted(application) as host, connected(host) as (reader, writer):
        writer.write(post(b"x" * 200_000))
        assert (await answer(reader))[0] == 200


async def test_line_breaks_between_requests_do_not_keep_a_connection_open() -> None:
    limits = HttpLimits(keep_alive_s=0)
    async with hosted(Application(), limits) as host, connected(host) as (reader, writer):
        writer.write(post(b"1") + b"\r\n\r\n")
        await answer(reader)
        writer.write(b"\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 1.0) == b""


@pytest.mark.parametrize(
    "sent",
    [b"\x00\x01\x02\x03\r\n\r\n", b"HELLO\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n"],
)
async def test_what_is_not_http_is_answered_400_without_a_log_line(
    sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosted(Application()) as host, connected(host) as (reader, writer):
        writer.write(sent)
        status, headers, body = await answer(reader)
        assert status == 400
        assert headers["content-type"] == "application/problem+json"
        assert b'"status":400' in body
        assert await reader.read() == b""
        assert host.stats().malformed == 1
    assert caplog.records == []


async def test_garbage_behind_a_request_does_not_cost_its_answer() -> None:
    app = Application()
    app.proceed.clear()
    async with hosted(app) as host, connected(host) as (reader, writer):
        writer.write(post(b"1") + b"\x00garbage\r\n\r\n")
        await app.entered.wait()
        app.proceed.set()
        assert (await answer(reader))[2] == b"1"
        assert await reader.read() == b""


@pytest.mark.parametrize("line_count", [1, 40])
async def test_a_head_that_is_too_large_is_answered_431(line_count: int) -> None:
    limits = HttpLimits(max_head_bytes=4096)
    async with hosted(Application(), limits) as host, connected(host) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 5000)
        for _ in range(line_count):
            writer.write(b"\r\nX: " + b"a" * 1000)
        assert (await answer(reader))[0] == 431


async def test_one_connection_too_many_is_answered_503_and_the_others_go_on() -> None:
    limits = HttpLimits(max_connections=1)
    async with hosted(Application(), limits) as host, connected(host) as (reader, writer):
        writer.write(post(b"1"))
        await answer(reader)
        async with connected(host) as (second, _):
            assert (await answer(second))[0] == 503
            assert await second.read() == b""
        writer.write(post(b"2"))
        assert (await answer(reader))[2] == b"2"
        assert host.stats().refused == 1


async def test_a_peer_that_does_not_read_its_answer_is_cut() -> None:
    async with hosted(Application(), QUICK) as host:
        with socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.connect(("127.0.0.1", host.port))
            peer.sendall(post(b"", "/large"))
            await until(lambda: host.stats().timed_out > 0)
            await until(lambda: host.stats().connections == 0)


async def test_a_body_that_was_answered_early_is_read_on_only_so_far() -> None:
    limits = HttpLimits(max_discarded_bytes=100_000)
    async with hosted(Application(), limits) as host, connected(host) as (reader, writer):
        writer.write(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n")
        assert (await answer(reader))[0] == 200
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                writer.write(b"x" * 100_000)
                await writer.drain()
        await until(lambda: host.stats().connections == 0)


async def test_a_peer_that_closes_its_half_after_the_request_still_gets_its_answer() -> None:
    app = Application()
    app.proceed.clear()
    async with hosted(app) as host, connected(host) as (reader, writer):
        writer.write(post(b"1"))
        writer.write_eof()
        await app.entered.wait()
        await asyncio.sleep(0.01)
        app.proceed.set()
        assert (await answer(reader))[2] == b"1"
        assert await reader.read() == b""


async def test_an_upgrade_is_answered_as_plain_http() -> None:
    async with hosted(Application()) as host, connected(host) as (reader, writer):
        writer.write(
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"
        )
        assert (await answer(reader))[0] == 200


async def test_a_paused_host_answers_503_to_all_but_the_health_check() -> None:
    async with hosted(Application()) as host, connected(host) as (reader, writer):
        host.pause()
        writer.write(post(b"1"))
        status, headers, _ = await answer(reader)
        assert (status, headers["retry-after"]) == (503, "5")
        writer.write(post(b"2", "/healthz"))
        assert (await answer(reader))[2] == b"2"
        host.resume()
        writer.write(post(b"3"))
        assert (await answer(reader))[2] == b"3"


async def finishes_what_is_in_progress() -> None:
    app = Application()
    app.proceed.clear()
    async with hosted(app) as host, connected(host) as (reader, writer), connected(host) as (idle, _):
        writer.write(post(b"1"))
        await app.entered.wait()
        closing = asyncio.create_task(host.close(5.0))
        assert await idle.read() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", host.port)
        assert not closing.done()
        app.proceed.set()
        status, headers, body = await answer(reader)
        assert (status, headers["connection"], body) == (200, "close", b"1")
        await closing
        assert host.stats().connections == 0


async def cancels_what_takes_too_long() -> None:
    app = Application()
    app.proceed.clear()
    async with hosted(app) as host, connected(host) as (reader, writer):
        writer.write(post(b"1"))
        await app.entered.wait()
        await host.close(0.02)
        assert app.cancelled == 1
        stats = host.stats()
        assert (stats.connections, stats.in_progress) == (0, 0)
        await reader.read()


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("scenario", [finishes_what_is_in_progress, cancels_what_takes_too_long])
def test_closing_on_either_event_loop_without_a_log_line(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
    scenario: Callable[[], Awaitable[None]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(asyncio.wait_for(scenario(), 5.0))
    assert [record for record in caplog.records if record.levelname != "DEBUG"] == []


async def test_a_failure_of_the_application_is_logged_and_answered_500(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Application):
        async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            raise ZeroDivisionError

    async with hosted(Broken()) as host, connected(host) as (reader, writer):
        writer.write(post(b"1"))
        assert (await answer(reader))[0] == 500
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


async def test_an_idle_host_arms_no_timers() -> None:
    async with hosted(Application()) as host, connected(host) as (reader, writer):
        writer.write(post(b"1"))
        await answer(reader)
        writer.close()
        await until(lambda: host.stats().connections == 0)
        loop = asyncio.get_running_loop()
        waiting = [timer for timer in loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
        assert waiting == []
