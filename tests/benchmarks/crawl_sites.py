"""The sites that the crawl benchmark visits: one process, several hosts of loopback, pages made beforehand.

`python -m tests.benchmarks.crawl_sites <hosts> <pages>` prints one line of JSON, the sites' addresses, when it
serves. When its input ends it prints another one: every request, as host, path and time in seconds.
"""

from __future__ import annotations

import asyncio
import sys
from time import monotonic
from typing import Final, cast

import msgspec
import uvloop

CRAWL_DELAY_S: Final = 0.2
RETRY_AFTER_S: Final = 2
BUSY: Final = "/busy.html"
"""A page that asks for a pause, the first time that it is asked for."""

PRIVATE: Final = "/private/"
"""Where robots.txt lets nobody in; every page links there."""

_ROBOTS: Final = f"User-agent: *\nCrawl-delay: {CRAWL_DELAY_S}\nDisallow: {PRIVATE}\n"
_LINKS: Final = 20
_WORDS: Final = "The road went on past the mill and over the hill, where the wind was. "


class Hit(msgspec.Struct, array_like=True):
    """A request."""

    host: str
    path: str
    at: float


class SiteServer(asyncio.Protocol):
    """One connection of one site, as little as HTTP needs."""

    def __init__(self, host: str, pages: dict[str, bytes], log: list[Hit], busy: set[str]) -> None:
        self._host = host
        self._pages = pages
        self._log = log
        self._busy = busy
        self._read = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer what has come whole."""
        self._read += data
        while b"\r\n\r\n" in self._read:
            head, _, self._read = self._read.partition(b"\r\n\r\n")
            self._answer(head.split(b" ", 2)[1].decode("latin-1"))

    def _answer(self, path: str) -> None:
        assert self._transport is not None
        self._log.append(Hit(self._host, path, monotonic()))
        if path == BUSY and self._host not in self._busy:
            self._busy.add(self._host)
            self._transport.write(_busy())
        else:
            self._transport.write(self._pages.get(path) or _answer_of("404 Not Found", "text/plain", "no"))


def pages_of(number: int, sites: list[str], count: int) -> dict[str, bytes]:
    """Return the pages of one site by path, about 4 KB each, with links to its own and some to the next site's."""
    pages = {"/robots.txt": _answer_of("200 OK", "text/plain", _ROBOTS)}
    neighbour = sites[(number + 1) % len(sites)]
    for page in range(count):
        links = [f"/page/{(page * 7 + step * step + 1) % count}.html" for step in range(_LINKS)]
        links += [f"{neighbour}/page/{page}.html", f"{PRIVATE}{page}.html"]
        items = "".join(f'<li><a href="{link}">{_WORDS[:30]}</a></li>' for link in links)
        text = f"<p>{_WORDS * 6}</p>" * 5
        body = f"<!doctype html><html><head><title>Page {page}</title></head><body><ul>{items}</ul>{text}</body></html>"
        pages[f"/page/{page}.html"] = _answer_of("200 OK", "text/html; charset=utf-8", body)
    pages[BUSY] = pages["/page/0.html"]
    return pages


def _answer_of(status: str, media_type: str, text: str) -> bytes:
    body = text.encode()
    return f"HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _busy() -> bytes:
    return f"HTTP/1.1 429 Too Many Requests\r\nRetry-After: {RETRY_AFTER_S}\r\nContent-Length: 0\r\n\r\n".encode()


async def serve(hosts: int, count: int) -> None:
    """Serve until the input ends."""
    loop = asyncio.get_running_loop()
    log: list[Hit] = []
    busy: set[str] = set()
    pages: list[dict[str, bytes]] = [{} for _ in range(hosts)]
    sites: list[str] = []
    for number in range(hosts):
        host = f"127.0.0.{number + 1}"
        made = pages[number]
        server = await loop.create_server(lambda host=host, made=made: SiteServer(host, made, log, busy), host, 0)
        sites.append(f"http://{host}:{server.sockets[0].getsockname()[1]}")
    for number, made in enumerate(pages):
        made.update(pages_of(number, sites, count))
    print(msgspec.json.encode(sites).decode(), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(msgspec.json.encode(log).decode(), flush=True)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
