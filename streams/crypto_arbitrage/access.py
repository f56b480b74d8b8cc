"""How the account of a venue is reached: in the sandbox as a far side, live with the keys of `.env`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from streams.booking import BookName
from streams.far_sides import FarSides

_CREDENTIALS = {"apiKey": "API_KEY", "secret": "API_SECRET", "password": "API_PASSWORD", "uid": "API_UID"}


class Access(msgspec.Struct, frozen=True):
    """How a venue's account is reached.

    Attributes:
        venue: ccxt's id of the venue.
        credentials: What ccxt calls them: `apiKey`, `secret`, …
        url: Where the venue is, if it is not where ccxt knows it to be.
        rate_limit_ms: The least time between two calls; None for ccxt's own.
    """

    venue: str
    credentials: Mapping[str, str]
    url: str | None = None
    rate_limit_ms: int | None = None


class NoAccess(Exception):
    """There is no way to the venue: no far side in the sandbox, or no keys live."""


def access_of(
    venue: str,
    account: str,
    rate_limit_ms: int | None,
    book: BookName,
    far_sides: FarSides,
    secret: Callable[[str], str | None],
) -> Access:
    """Return how a venue's account is reached. What books on paper never reaches a real venue.

    Raises:
        NoAccess: There is no way; says what would make one.
    """
    if book == "paper":
        far_side = far_sides.find(f"venue.{venue}")
        if far_side is None:
            known = ", ".join(each.name for each in far_sides.all() if each.name.startswith("venue.")) or "none"
            raise NoAccess(f"the sandbox has no venue.{venue} now; known are {known}")
        credentials = {name: far_side.credentials[name] for name in ("apiKey", "secret")}
        return Access(venue, credentials, far_side.url, rate_limit_ms)
    prefix = _prefix_of(venue, account)
    found = {name: secret(f"{prefix}_{suffix}") for name, suffix in _CREDENTIALS.items()}
    if not found["apiKey"] or not found["secret"]:
        raise NoAccess(f"{venue} needs keys: set {prefix}_API_KEY and {prefix}_API_SECRET in .env")
    return Access(venue, {name: value for name, value in found.items() if value}, None, rate_limit_ms)


def secret_names_of(venue: str, account: str) -> tuple[str, ...]:
    """Return the names of the secrets that an account of a venue may have."""
    return tuple(f"{_prefix_of(venue, account)}_{suffix}" for suffix in _CREDENTIALS.values())


def _prefix_of(venue: str, account: str) -> str:
    return venue.upper() if account == "default" else f"{venue.upper()}_{account.upper()}"
