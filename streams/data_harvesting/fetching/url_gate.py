"""The first gate: URLs that are refused by what they say, before anything is asked of the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams.data_harvesting.fetching.addresses import address_of, is_disguised
from streams.data_harvesting.fetching.outcome import FetchRefused
from streams.data_harvesting.fetching.policy import FetchPolicy
from streams.data_harvesting.fetching.reach import Reach

if TYPE_CHECKING:
    from yarl import URL


class Address(msgspec.Struct, frozen=True):
    """A URL that may be asked for, as far as one can tell by reading it.

    Attributes:
        url: As it is sent; a `yarl.URL` without fragment.
        origin: Scheme, host and port, `https://example.com:443`: what a robots.txt holds for.
        authority: Host and port, `example.com:443`: what a schedule holds for.
    """

    url: URL
    origin: str
    authority: str

    def __str__(self) -> str:
        return str(self.url)


def admit(url: str | URL, policy: FetchPolicy, reach: Reach) -> Address:
    """Check a URL.

    Raises:
        FetchRefused: It is malformed, too long, of another scheme, has credentials, goes to a port or address
            that is not to be reached, or hides its address.
    """
    from yarl import URL

    text = str(url)
    shown = text[:200]
    if len(text) > policy.max_url_length:
        raise FetchRefused(shown, "url_too_long", f"longer than {policy.max_url_length} characters")
    try:
        parsed = url if isinstance(url, URL) else URL(text)
        host, port = parsed.raw_host, parsed.port
    except ValueError as error:
        raise FetchRefused(shown, "malformed_url", f"malformed: {error}") from None
    if parsed.scheme not in ("http", "https"):
        raise FetchRefused(shown, "scheme", "only http and https are fetched")
    if parsed.raw_user is not None or parsed.raw_password is not None:
        raise FetchRefused(f"{parsed.scheme}://{host}/", "credentials_in_url", "a URL with credentials is not fetched")
    if not host or port is None or any(character <= " " or character in '<>"`{}|^\\' for character in host):
        raise FetchRefused(shown, "malformed_url", "has no host")
    if is_disguised(host):
        raise FetchRefused(shown, "disguised_address", f"{host} is an address in disguise")
    if not reach.allows_port(port):
        raise FetchRefused(shown, "port", f"port {port} is not among those that may be connected to")
    address = address_of(host)
    if address is not None and not reach.allows(address, port):
        raise FetchRefused(shown, "address", f"{host}:{port} is neither public nor in allow_private")
    if len(str(parsed)) > policy.max_url_length:
        raise FetchRefused(shown, "url_too_long", f"longer than {policy.max_url_length} characters, encoded")
    authority = f"[{host}]:{port}" if ":" in host else f"{host.rstrip('.').lower()}:{port}"
    return Address(parsed.with_fragment(None), f"{parsed.scheme}://{authority}", authority)
