"""Which IP addresses belong to the public internet, through every form that can hide one in another."""

from __future__ import annotations

import functools
import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

IpAddress: TypeAlias = IPv4Address | IPv6Address

_NAT64: Final = IPv6Network("64:ff9b::/96")
_V4_COMPATIBLE: Final = IPv6Network("::/96")
_ISATAP: Final = frozenset((0x00005EFE, 0x02005EFE))
_NEVER_PUBLIC: Final = tuple(
    IPv6Network(network)
    for network in (
        "::/8",  # loopback, unspecified, IPv4 in disguise
        "64:ff9b:1::/48",  # local NAT64, RFC 8215: where it leads is the network's own affair
        "100::/16",
        "2001::/23",  # Teredo, ORCHID and other protocol assignments
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fec0::/10",  # site local, deprecated
    )
)
# An old relay's anycast address, which Python takes for public.
_V4_NEVER_PUBLIC: Final = IPv4Address("192.88.99.0")

_NUMBER: Final = r"(?:0[xX][0-9a-fA-F]*|\d+)"
_LIKE_IPV4: Final = re.compile(rf"(?:[^.]*\.)*{_NUMBER}\.?", re.ASCII)


def unwrapped(address: IpAddress) -> IpAddress:
    """Return the IPv4 address that an IPv6 address stands for, if it does; else the address itself.

    Knows `::ffff:127.0.0.1`, `::127.0.0.1`, NAT64 (64:ff9b::/96), 6to4 (2002::/16) and ISATAP.
    """
    if isinstance(address, IPv4Address):
        return address
    number = int(address)
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64 or (address in _V4_COMPATIBLE and number > 0xFFFF):
        return IPv4Address(number & 0xFFFFFFFF)
    if (number >> 32) & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(number & 0xFFFFFFFF)
    return address


def is_public(address: IpAddress) -> bool:
    """Return whether an address can be that of a server on the public internet."""
    inner = unwrapped(address)
    if inner is not address and not is_public(inner):
        return False
    if isinstance(address, IPv4Address):
        return (
            address.is_global
            and not (address.is_multicast or address.is_reserved or address.is_unspecified)
            and int(address) >> 8 != int(_V4_NEVER_PUBLIC) >> 8
        )
    if address.ipv4_mapped is not None:
        return True  # and so is what it stands for
    if address in _NAT64:
        return True
    if address.is_multicast or any(address in network for network in _NEVER_PUBLIC):
        return False
    return address.is_global and not address.is_link_local


@functools.lru_cache(maxsize=1024)  # asked anew for every request
def address_of(host: str) -> IpAddress | None:
    """Return the address that a URL's host spells out in the usual way (without brackets); None for a name."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None


@functools.lru_cache(maxsize=1024)
def is_disguised(host: str) -> bool:
    """Return whether a URL's host (without brackets) is an address in other clothes.

    That is what a resolver takes for IPv4 though it is not written as four decimal numbers (`127.1`,
    `0x7f000001`, `017700000001`, `2130706433`), an IPv6 address that holds an IPv4 one, and one with a zone.
    """
    address = address_of(host)
    if address is None:
        return _LIKE_IPV4.fullmatch(host) is not None
    return "%" in host or unwrapped(address) is not address
