"""The second gate: connections are made, and used again, only to addresses within reach of who asks.

A name can resolve to anything, to something else the next moment, and a redirect can lead anywhere. So what counts
is the socket: the address that it is about to be connected to, and the one at its other end before it is used.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from streams.data_harvesting.fetching.addresses import address_of
from streams.data_harvesting.fetching.reach import Reach

_CONNECTIONS: Final = 256
_KEEPALIVE_S: Final = 20.0
_NAMES_KEPT_S: Final = 30
_RESOLVER_THREADS: Final = 4


class Attempt:
    """Who asks for a connection, and what was refused to them.

    Attributes:
        reach: What they may reach.
        refused: Addresses that were refused, for people.
    """

    __slots__ = ("reach", "refused")

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        self.refused: list[str] = []

    def check(self, peer: Any) -> None:
        """Check a socket's address.

        Raises:
            AddressRefused: It is not within reach.
        """
        host, port = str(peer[0]), int(peer[1])
        address = address_of(host)
        if address is None or not self.reach.allows(address, port):
            self.refused.append(f"{host}:{port}")
            raise AddressRefused(f"{host}:{port} is neither public nor in allow_private")


class AddressRefused(OSError):
    """An address that is not within reach. An OSError, so that a name's other addresses are tried."""


ATTEMPT: Final[ContextVar[Attempt | None]] = ContextVar("ATTEMPT", default=None)
"""Set by whoever sends a request through a `SafeConnector`; without it, only the public internet is in reach."""


class SafeConnector(aiohttp.TCPConnector):
    """Connects to what is within the reach of the present `ATTEMPT`.

    Args:
        resolver: Finds the addresses of names; it is not trusted.
    """

    def __init__(self, resolver: AbstractResolver) -> None:
        super().__init__(
            resolver=resolver,
            socket_factory=_checked_socket,
            limit=_CONNECTIONS,
            keepalive_timeout=_KEEPALIVE_S,
            ttl_dns_cache=_NAMES_KEPT_S,
        )

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
        """Return a connection, new or from the pool, whose other end is within reach."""
        connection = await super().connect(req, traces, timeout)
        transport = connection.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        try:
            if peer is None:
                raise AddressRefused("the peer of the connection is not known")
            _attempt().check(peer)
        except AddressRefused:
            connection.close()
            raise
        return connection


class ThreadResolver(AbstractResolver):
    """Asks the system, in a few threads of its own: a slow name server does not occupy those of others."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_RESOLVER_THREADS, thread_name_prefix="resolver")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name.

        Raises:
            OSError: It has none, or nobody says.
        """
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._pool, _addresses, host, port, family)
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=protocol, flags=flags)
            for kind, protocol, address in found
        ]

    async def close(self) -> None:
        """End the threads; a question that is still out is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str, port: int, family: int) -> list[tuple[int, int, str]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
    # An address with a scope (fe80::1%eth0) is only of use on a network of ours.
    return [
        (kind, protocol, str(address[0]))
        for kind, _, protocol, _, address in found
        if len(address) < 4 or not address[3]
    ]


def _checked_socket(addr_info: Any) -> socket.socket:
    family, kind, protocol, _, address = addr_info
    _attempt().check(address)
    return socket.socket(family=family, type=kind, proto=protocol)


def _attempt() -> Attempt:
    return ATTEMPT.get() or Attempt(Reach())
