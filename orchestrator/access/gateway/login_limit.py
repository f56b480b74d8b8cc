"""How often an address may try to log in: each failure after the first few doubles the wait."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from math import ceil
from typing import Final

import msgspec

FREE_FAILURES: Final = 3
"""Failures that cost no wait: people mistype."""

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0
FORGOTTEN_AFTER_S: Final = 900.0
"""An address that has not failed for so long starts afresh."""

CAPACITY: Final = 1024
"""Addresses that are remembered; one more forgets the one that failed least recently."""

_NETWORK_BITS: Final = 64


class _Failures(msgspec.Struct, gc=False):
    count: int
    last_s: float
    until_s: float


class LoginLimit:
    """Counts failed logins by address; a subscriber's whole IPv6 network counts as one.

    The token has 256 random bits, so guessing is hopeless without any limit. This keeps the log readable, and
    trying costs the daemon nothing.

    Args:
        now_s: The clock, monotonic seconds.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._failures: dict[str, _Failures] = {}  # the least recent first

    def wait_s(self, address: str) -> int:
        """Return how long an address has to wait before it may try, whole seconds; 0 when it may."""
        failures = self._failures.get(_network_of(address))
        return 0 if failures is None else max(0, ceil(failures.until_s - self._now_s()))

    def failed(self, address: str) -> int:
        """Note that an address has failed, and return how long it has to wait now."""
        network, now_s = _network_of(address), self._now_s()
        failures = self._failures.pop(network, None)
        if failures is None or now_s - failures.last_s >= FORGOTTEN_AFTER_S:
            failures = _Failures(0, now_s, now_s)
        failures.count += 1
        failures.last_s = now_s
        doublings = failures.count - FREE_FAILURES
        if doublings > 0:
            # The exponent is bounded because a float overflows long before a count does.
            failures.until_s = now_s + min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(doublings - 1, 32))
        while len(self._failures) >= CAPACITY:
            del self._failures[next(iter(self._failures))]
        self._failures[network] = failures
        return self.wait_s(address)

    def succeeded(self, address: str) -> None:
        """Forget the failures of an address."""
        self._failures.pop(_network_of(address), None)


def _network_of(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, _NETWORK_BITS), strict=False))
