"""Traffic is counted as it happened: how much, how much failed, how long it took."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.http_host import HttpApp, HttpHost
from streams.traffic import Traffic, bucket_of, longest_of, quantile_bucket


@given(st.lists(st.tuples(st.floats(0, 3600), st.booleans()), max_size=20))
def test_every_piece_is_in_the_bucket_of_its_duration(pieces: list[tuple[float, bool]]) -> None:
    traffic = Traffic()
    for took_s, failed in pieces:
        traffic.note(took_s, failed=failed)
    counts = traffic.counts()
    assert counts.requests == sum(counts.durations.values()) == len(pieces)
    assert counts.errors == sum(failed for _, failed in pieces)
    assert counts.durations == Counter(bucket_of(took_s) for took_s, _ in pieces)


@given(st.floats(2e-6, 3600))
def test_a_bucket_is_a_quarter_of_an_octave_wide(took_s: float) -> None:
    bucket = bucket_of(took_s)
    assert took_s <= longest_of(bucket) * 1.000001
    assert took_s >= longest_of(bucket - 1) * 0.999999


def test_a_quantile_is_the_lowest_bucket_that_covers_the_share() -> None:
    durations = {10: 90, 20: 9, 30: 1}
    assert [quantile_bucket(durations, share) for share in (0.5, 0.9, 0.95, 1.0)] == [10, 10, 20, 30]
    assert quantile_bucket({}, 0.5) is None


async def _app(scope: Any, receive: Any, send: Any) -> None:
    path = scope["path"]
    if path == "/slow":
        await asyncio.sleep(0.05)
    if path == "/reads":
        while (await receive()).get("more_body"):
            pass
    if path == "/fails":
        raise RuntimeError("on purpose")
    status = {"/broken": 503, "/healthz": 503, "/missing": 404}.get(path, 200)
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def _hosted(quick: Any = None) -> AsyncIterator[tuple[HttpHost, Traffic]]:
    traffic = Traffic()
    host = HttpHost(HttpApp(_app, quick), "127.0.0.1", 0, {}, traffic=traffic)
    await host.start()
    try:
        yield host, traffic
    finally:
        await host.close(1.0)


async def _get(host: HttpHost, *paths: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
    for path in paths:
        writer.write(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode())
    for _ in paths:
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
    writer.close()
    await writer.wait_closed()


async def test_answers_of_500_and_above_are_errors_and_the_health_check_is_no_traffic() -> None:
    async with _hosted() as (host, traffic):
        await _get(host, "/", "/missing", "/broken", "/healthz", "/")
        assert (traffic.requests, traffic.errors) == (4, 1)
        assert host.stats().errors == 1
        await _get(host, "/slow")
        assert max(traffic.counts().durations) >= bucket_of(0.05)


async def test_what_a_quick_answer_takes_is_counted_too() -> None:
    def quick(cycle: Any) -> bool:
        asyncio.get_running_loop().call_soon(cycle.answer, 500, b"content-length: 0\r\n")
        return True

    async with _hosted(quick) as (host, traffic):
        await _get(host, "/", "/")
        assert (traffic.requests, traffic.errors) == (2, 2)


async def test_while_it_is_paused_nothing_counts() -> None:
    async with _hosted() as (host, traffic):
        host.pause()
        await _get(host, "/", "/")
        assert traffic.requests == 0


async def test_how_slowly_a_request_comes_does_not_count() -> None:
    async with _hosted() as (host, traffic):
        reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
        writer.write(b"POST /reads HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n1")
        await asyncio.sleep(0.2)
        writer.write(b"2")
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        assert max(traffic.counts().durations) < bucket_of(0.2)


async def test_a_request_that_its_peer_gave_up_counts_as_one_that_took_as_long() -> None:
    async with _hosted() as (host, traffic):
        _, writer = await asyncio.open_connection("127.0.0.1", host.port)
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0.02)
        writer.close()
        async with asyncio.timeout(5):
            while not traffic.requests:
                await asyncio.sleep(0.001)
        assert (traffic.requests, traffic.errors) == (1, 0)
        await asyncio.sleep(0.05)
        assert traffic.requests == 1
