from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from streams.data_harvesting.fetching.client import FetchClient
from streams.data_harvesting.fetching.fetcher import Fetcher
from streams.data_harvesting.fetching.outcome import FetchFailed, FetchRefused
from tests.streams.data_harvesting.fetching.conftest import Clock, Memory, policy_for
from tests.streams.data_harvesting.fetching.sites import Request, Site, answer, html, serving


class Rebinding(AbstractResolver):
    """A name server that answers what a test says, something else each time."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_UNSPEC) -> list[ResolveResult]:
        addresses = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def resolving(clock: Clock, resolver: AbstractResolver) -> AsyncIterator[FetchClient]:
    client = FetchClient(clock.now, clock.monotonic, lambda: resolver)
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


async def refusal(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(FetchRefused) as caught:
        await fetcher.fetch(url)
    return caught.value.reason


FORMS = [
    ("http://169.254.169.254/latest/meta-data/", "address"),
    ("http://127.1/", "disguised_address"),
    ("http://2130706433/", "disguised_address"),
    ("http://0x7f000001/", "disguised_address"),
    ("http://017700000001/", "disguised_address"),
    ("http://0177.0.0.1/", "disguised_address"),
    ("http://[::ffff:127.0.0.1]/", "disguised_address"),
    ("http://[::ffff:a9fe:a9fe]/", "disguised_address"),
    ("http://[64:ff9b::7f00:1]/", "disguised_address"),
    ("http://[2002:7f00:1::]/", "disguised_address"),
    ("http://[::1]/", "address"),
    ("http://[::]/", "address"),
    ("http://0.0.0.0/", "address"),
    ("http://127.0.0.1./", "disguised_address"),
    ("http://１２７.０.０.１/", "address"),
    ("http://127。0。0。1/", "address"),
    ("http://[fe80::1%25eth0]/", "disguised_address"),
    ("http://10.0.0.1/", "address"),
    ("http://localhost/", "address"),
    ("http://user:pass@example.com/", "credentials_in_url"),
    ("http://user@example.com/", "credentials_in_url"),
    ("http://example.com:22/", "port"),
    ("http://example.com:6379/", "port"),
    ("file:///etc/passwd", "scheme"),
    ("gopher://127.0.0.1:70/", "scheme"),
    ("ftp://example.com/", "scheme"),
    ("http:///etc/passwd", "malformed_url"),
    ("http://a.com:99999/", "malformed_url"),
    ("http://example.com/" + "x" * 3000, "url_too_long"),
]


@pytest.mark.parametrize(("url", "reason"), FORMS, ids=[form[0][:40] for form in FORMS])
async def test_no_form_of_an_inner_address_is_asked_for(fetcher: Fetcher, url: str, reason: str) -> None:
    assert await refusal(fetcher, url) == reason


@pytest.mark.parametrize(("url", "reason"), FORMS, ids=[form[0][:40] for form in FORMS])
async def test_no_form_of_an_inner_address_is_reached_by_a_redirect(
    site: Site, fetcher: Fetcher, url: str, reason: str
) -> None:
    site.answers["/a"] = answer(302, location="/b")
    site.answers["/b"] = answer(302, location=url.encode().decode("latin-1"))
    if url.startswith("http:///"):
        return  # relative to the site, and harmless
    assert await refusal(fetcher, f"{site.url}/a") == reason


async def test_another_port_of_an_address_that_is_allowed_is_not(site: Site, fetcher: Fetcher) -> None:
    async with serving() as inner:
        site.answers["/a"] = answer(302, location=f"{inner.url}/admin")
        assert await refusal(fetcher, f"{site.url}/a") == "port"
        assert inner.connections == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254"])
async def test_a_name_that_leads_inside_is_not_followed(address: str, clock: Clock, memory: Memory) -> None:
    async with resolving(clock, Rebinding([address])) as client:
        fetcher = Fetcher(lambda: client, policy_for(), memory, clock.now, obey_robots=False)
        assert await refusal(fetcher, "http://innocent.example/") == "address"


async def test_a_name_that_is_rebound_after_it_was_looked_at_is_not_followed(
    clock: Clock, memory: Memory, site: Site
) -> None:
    """The name leads to the allowed address first, and inside when it is asked for again."""
    async with serving("127.0.0.2") as inner:
        site.answers["/"] = html()
        resolver = Rebinding(["127.0.0.1"], ["127.0.0.2"])
        async with resolving(clock, resolver) as client:
            fetcher = Fetcher(lambda: client, policy_for(site), memory, clock.now, obey_robots=False)
            assert (await fetcher.fetch(f"http://rebinding.example:{site.port}/")).body
            assert client._session is not None
            client._session.connector.clear_dns_cache()  # type: ignore[union-attr]
            assert await refusal(fetcher, f"http://rebinding.example:{site.port}/") == "address"
        assert resolver.asked == 2
        assert inner.connections == 0


async def test_a_connection_that_another_instance_may_use_is_not_used_by_one_that_may_not(
    clock: Clock, memory: Memory, site: Site
) -> None:
    async def keep_open(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(html(connection="keep-alive"))
        await writer.drain()
        await asyncio.sleep(30)

    site.answers["/"] = keep_open
    url = f"http://inner.example:{site.port}/"
    async with resolving(clock, Rebinding(["127.0.0.1"])) as client:
        may = Fetcher(lambda: client, policy_for(site), memory, clock.now, obey_robots=False)
        may_not = Fetcher(lambda: client, policy_for(ports=(site.port,)), memory, clock.now, obey_robots=False)
        assert (await may.fetch(url)).status == 200
        assert await refusal(may_not, url) == "address"
        assert site.connections == 1  # so it was the one in the pool that was refused
    assert len(site.requests) == 1


async def test_a_name_whose_addresses_are_partly_inside_is_reached_by_the_others(
    clock: Clock, memory: Memory, site: Site
) -> None:
    site.answers["/"] = html()
    async with resolving(clock, Rebinding(["127.0.0.3", "127.0.0.1"])) as client:
        fetcher = Fetcher(lambda: client, policy_for(site), memory, clock.now, obey_robots=False)
        assert (await fetcher.fetch(f"http://two.example:{site.port}/")).status == 200


# -- caps -----------------------------------------------------------------------------------------------------


async def test_a_gzip_bomb_is_refused_where_it_passes_the_cap(site: Site, fetcher_for: Callable[..., Fetcher]) -> None:
    bomb = gzip.compress(b"\0" * 30_000_000, 1)
    assert len(bomb) < 300_000
    site.answers["/"] = answer(200, bomb, content_type="text/html", content_encoding="gzip")
    assert await refusal(fetcher_for(site, max_body_bytes=1_000_000), f"{site.url}/") == "too_large"


async def test_a_body_is_refused_by_its_declared_length_before_it_comes(
    site: Site, fetcher_for: Callable[..., Fetcher]
) -> None:
    site.answers["/"] = answer(200, b"x", content_length="10000000000", content_type="text/html")
    assert await refusal(fetcher_for(site), f"{site.url}/") == "too_large"


async def test_a_body_without_a_length_is_refused_where_it_passes_the_cap(
    site: Site, fetcher_for: Callable[..., Fetcher]
) -> None:
    async def endless(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(200, content_length="", content_type="text/html"))
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    site.answers["/"] = endless
    assert await refusal(fetcher_for(site, max_body_bytes=500_000), f"{site.url}/") == "too_large"


async def test_an_encoding_that_was_not_asked_for_is_refused(site: Site, fetcher: Fetcher) -> None:
    site.answers["/"] = answer(200, b"x", content_type="text/html", content_encoding="br")
    assert await refusal(fetcher, f"{site.url}/") == "encoding"


async def failure(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(FetchFailed) as caught:
        await fetcher.fetch(url)
    return caught.value.reason


async def test_a_server_that_drips_is_cut_off_by_the_total_time(
    site: Site, fetcher_for: Callable[..., Fetcher]
) -> None:
    async def drip(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(200, content_length="100000", content_type="text/html"))
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    site.answers["/"] = drip
    assert await failure(fetcher_for(site, total_timeout_s=0.3, idle_timeout_s=5.0), f"{site.url}/") == "timeout"


async def test_a_server_whose_headers_drip_is_cut_off_too(site: Site, fetcher_for: Callable[..., Fetcher]) -> None:
    async def drip(request: Request, writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1000:
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(0.02)

    site.answers["/"] = drip
    assert await failure(fetcher_for(site, total_timeout_s=0.3, idle_timeout_s=5.0), f"{site.url}/") == "timeout"


async def test_a_server_that_falls_silent_is_cut_off_by_the_idle_time(
    site: Site, fetcher_for: Callable[..., Fetcher]
) -> None:
    async def silent(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    site.answers["/"] = silent
    assert await failure(fetcher_for(site, idle_timeout_s=0.1), f"{site.url}/") == "timeout"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x%d: y\r\n" % number for number in range(5000)) + b"\r\n",
        b"HTTP/1.1 200 " + b"y" * 100_000 + b"\r\n\r\n",
    ],
    ids=["a long one", "many", "a long reason"],
)
async def test_huge_headers_are_refused(site: Site, fetcher: Fetcher, head: bytes) -> None:
    site.answers["/"] = head
    assert await failure(fetcher, f"{site.url}/") == "headers_too_large"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "protocol"),
        (b"", "connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Type: text/html\r\n\r\nhalf", "truncated"),
    ],
)
async def test_what_is_no_whole_answer_is_told_apart(site: Site, fetcher: Fetcher, said: bytes, reason: str) -> None:
    site.answers["/"] = said
    assert await failure(fetcher, f"{site.url}/") == reason


async def test_a_port_where_nobody_listens_is_a_failed_connection(
    site: Site, clock: Clock, memory: Memory, client: FetchClient
) -> None:
    policy = policy_for(allow_private=("127.0.0.1:1",))
    fetcher = Fetcher(lambda: client, policy, memory, clock.now, obey_robots=False)
    assert await failure(fetcher, "http://127.0.0.1:1/") == "connection"


async def test_nothing_is_left_open_after_a_cancelled_fetch(site: Site, fetcher: Fetcher) -> None:
    async def silent(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    site.answers["/"] = silent
    fetching = asyncio.ensure_future(fetcher.fetch(f"{site.url}/"))
    while "/" not in site.paths:
        await asyncio.sleep(0.01)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    site.answers["/"] = html()
    assert (await fetcher.fetch(f"{site.url}/")).status == 200  # the host's turn was given back
