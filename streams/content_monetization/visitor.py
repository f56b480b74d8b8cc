"""Who asks: what of a request decides whether it is billable."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Final, Literal, TypeAlias

import msgspec

from streams.content_monetization.crawlers import OWN_AGENT, is_bot

Exclusion: TypeAlias = Literal["own_traffic", "prefetch", "data_centre", "bot"]
"""Why nothing that a visitor does is billable."""

OWN_HEADER: Final = b"x-own-traffic"
"""With any value: the request is the daemon's own. Whoever else sends it only keeps themselves out of the counts."""

_PURPOSES: Final = (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz")
_AHEAD: Final = ("prefetch", "prerender", "preview")
_DIGEST_BYTES: Final = 8


class Visitor(msgspec.Struct, frozen=True, gc=False):
    """Someone who asks for a page, tells of an impression, or clicks.

    Attributes:
        id: The same for the same address and browser on the same day, and for nobody else; tells nothing about them.
        exclusion: Why nothing of theirs is billable; None where it may be.
    """

    id: bytes
    exclusion: Exclusion | None


class Doorkeeper:
    """Recognises the visitors of one instance, without cookies and without keeping an address.

    Args:
        secret: What makes the ids the instance's own.
        data_centres: Networks whose traffic is not billable.
        is_own_key: Tells whether an Authorization header is the daemon's own.
        behind_proxy: Whether the last address of X-Forwarded-For is the visitor's.
    """

    def __init__(
        self, secret: bytes, data_centres: Sequence[str], is_own_key: Callable[[bytes], bool], *, behind_proxy: bool
    ) -> None:
        self._secret = secret
        self._networks = tuple(ipaddress.ip_network(network) for network in data_centres)
        self._is_own_key = is_own_key
        self._behind_proxy = behind_proxy
        self._in_data_centre = lru_cache(maxsize=1024)(self._look_up)

    def recognise(self, headers: Mapping[bytes, bytes], peer: str, today: date) -> Visitor:
        """Return who sends a request.

        Args:
            headers: The request's headers, their names in lower case.
            peer: The address that it came from.
            today: The day, UTC.
        """
        address = peer
        if self._behind_proxy and (forwarded := headers.get(b"x-forwarded-for")):
            address = forwarded.rpartition(b",")[2].strip().decode("latin-1")
        agent = headers.get(b"user-agent", b"")
        known_by = b"%s\n%s\n%s" % (today.isoformat().encode("ascii"), address.encode("utf-8"), agent)
        digest = hmac.digest(self._secret, known_by, "sha256")[:_DIGEST_BYTES]
        return Visitor(digest, self._exclusion(headers, address, agent.decode("latin-1")))

    def _exclusion(self, headers: Mapping[bytes, bytes], address: str, agent: str) -> Exclusion | None:
        if OWN_HEADER in headers or agent == OWN_AGENT:
            return "own_traffic"
        if (authorization := headers.get(b"authorization")) is not None and self._is_own_key(authorization):
            return "own_traffic"
        if any(_is_ahead(headers[name]) for name in _PURPOSES if name in headers):
            return "prefetch"
        if self._networks and self._in_data_centre(address):
            return "data_centre"
        return "bot" if is_bot(agent) else None

    def _look_up(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return True  # no address that a reader could have
        return any(parsed in network for network in self._networks)


def _is_ahead(value: bytes) -> bool:
    purpose = value.decode("latin-1").lower()
    return any(word in purpose for word in _AHEAD)
