"""Sites on loopback that answer, misbehave and remember, byte for byte as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

Behaviour: TypeAlias = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]


class Request:
    """A request that came."""

    def __init__(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        self.path = first.split(" ")[1]
        pairs = (line.partition(":") for line in lines if line)
        self.headers = {name.strip().lower(): value.strip() for name, _, value in pairs}


def answer(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """Return an answer; names of headers have `_` for `-`."""
    fields = {"content_length": str(len(body)), "connection": "close", **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items() if value)
    return f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode("latin-1") + body


def html(body: str = "<p>x</p>", **headers: str) -> bytes:
    return answer(200, body.encode(), content_type="text/html; charset=utf-8", **headers)


class Site:
    """A site: answers by path; without one, 404. `robots.txt` is 404 too until a test says otherwise."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes | Behaviour] = {}
        self.requests: list[Request] = []
        self.times: list[float] = []
        self.port = 0
        self.host = "127.0.0.1"
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def count(self, path: str) -> int:
        return self.paths.count(path)

    def robots(self, text: str) -> None:
        self.answers["/robots.txt"] = answer(200, text.encode(), content_type="text/plain")

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                request = Request((await reader.readuntil(b"\r\n\r\n"))[:-4])
                self.requests.append(request)
                self.times.append(asyncio.get_running_loop().time())
                found = self.answers.get(request.path, answer(404))
                if isinstance(found, bytes):
                    writer.write(found)
                else:
                    await found(request, writer)
                await writer.drain()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def serving(host: str = "127.0.0.1") -> AsyncIterator[Site]:
    """Serve a site for as long as the block lasts."""
    site = Site()
    site.host = host
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(site.handle(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, host, 0)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
