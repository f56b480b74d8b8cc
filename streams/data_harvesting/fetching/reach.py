"""What may be connected to: the public internet on some ports, and what the settings name beyond it."""

from __future__ import annotations

import functools
import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

import msgspec

from streams.data_harvesting.fetching.addresses import IpAddress, is_public, unwrapped

_HOST_AND_PORT: Final = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[A-Za-z0-9.-]+)):(?P<port>\d{1,5})")
_LOOPBACK: Final = (IPv4Network("127.0.0.1/32"), IPv6Network("::1/128"))


class ReachError(ValueError):
    """An entry of `allow_private` that is not one."""


class Beyond(msgspec.Struct, frozen=True):
    """A network that may be connected to although it is not public; on one port, or on all (0)."""

    network: IPv4Network | IPv6Network
    port: int = 0

    def holds(self, address: IpAddress, port: int) -> bool:
        """Return whether it covers an address and port."""
        return self.port in (0, port) and address.version == self.network.version and address in self.network


class Reach(msgspec.Struct, frozen=True):
    """What may be connected to. Everything else is refused where the connection is made.

    Attributes:
        ports: Ports of public addresses.
        beyond: What is reachable although it is not public.
    """

    ports: frozenset[int] = frozenset((80, 443))
    beyond: tuple[Beyond, ...] = ()

    @classmethod
    @functools.lru_cache(maxsize=256)  # asked anew for every request
    def of(cls, ports: tuple[int, ...], allow_private: tuple[str, ...]) -> Reach:
        """Read the settings' way of saying it; see `FetchPolicy.allow_private`.

        Raises:
            ReachError: An entry is neither host and port nor a network.
        """
        return cls(frozenset(ports), tuple(each for entry in allow_private for each in _beyond_of(entry)))

    def allows(self, address: IpAddress, port: int) -> bool:
        """Return whether a socket may be connected to an address and port."""
        inner = unwrapped(address)
        return any(each.holds(inner, port) for each in self.beyond) or (port in self.ports and is_public(address))

    def allows_port(self, port: int) -> bool:
        """Return whether there is any address whose port this may be."""
        return port in self.ports or any(each.port in (0, port) for each in self.beyond)


def _beyond_of(entry: str) -> tuple[Beyond, ...]:
    try:
        if "/" in entry:
            return (Beyond(ip_network(entry)),)
        parts = _HOST_AND_PORT.fullmatch(entry)
        if parts is not None and 1 <= (port := int(parts["port"])) <= 65535:
            if parts["host"] == "localhost":
                return tuple(Beyond(network, port) for network in _LOOPBACK)
            return (Beyond(ip_network(unwrapped(ip_address(parts["v6"] or parts["host"]))), port),)
    except ValueError:
        pass  # said below, with the remedy
    raise ReachError(
        f"{entry!r} is neither an address with a port ('127.0.0.1:8901', '[::1]:8901', 'localhost:8901') "
        "nor a network ('10.1.0.0/16')"
    )
