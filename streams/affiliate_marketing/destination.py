"""Where links lead: checked when they are configured, and never taken from a request."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec

MAX_URL_CHARS: Final = 2000

_UNFIT: Final = re.compile(r"[^\x21-\x7e]")
_PARAMETER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


class FarPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A destination at somebody whose address is known only when the instance starts, as in the sandbox.

    Attributes:
        far_side: Who it is at, `network.meridian`.
        path: What is asked there; `{instance}` in it stands for the instance's id.
    """

    far_side: str
    path: str


def check_parameter(name: str) -> None:
    """Check the name of a query parameter.

    Raises:
        ValueError: It is none that every server understands.
    """
    if _PARAMETER.fullmatch(name) is None:
        raise ValueError(f"{name!r} is not a parameter name: a letter, then up to 31 letters, digits and `_.-`")


def check_url(url: str) -> None:
    """Check a destination.

    Raises:
        ValueError: A browser should not be sent there; says why, and what would do.
    """
    if len(url) > MAX_URL_CHARS:
        raise ValueError(f"a destination has at most {MAX_URL_CHARS} characters, this has {len(url)}")
    # Line breaks would let their author write headers; spaces and other alphabets need percent-encoding first.
    if (unfit := _UNFIT.search(url)) is not None:
        raise ValueError(f"{url!r} contains {unfit[0]!r}: percent-encode it")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is not a URL: {error}") from None
    if parts.scheme not in {"http", "https"}:
        raise ValueError(f"{url!r} must begin with https:// or http://")
    if not parts.hostname or port == 0:
        raise ValueError(f"{url!r} names no host")
    if "@" in parts.netloc or "\\" in url:
        raise ValueError(f"{url!r} carries credentials or a backslash: leave them out")


def check_far_path(destination: FarPath) -> None:
    """Check a destination whose host is not known yet.

    Raises:
        ValueError: The path is none.
    """
    path = destination.path
    if not path.startswith("/") or path.startswith("//"):
        raise ValueError(f"{path!r} must begin with one slash")
    check_url("http://far.side" + path.replace("{instance}", "instance"))


class Destination:
    """A checked destination with a place for the click's id.

    Args:
        url: Where to; see `check_url`.
        parameter: The query parameter that carries the click's id.
    """

    __slots__ = ("_fragment", "_plain", "_with_id")

    def __init__(self, url: str, parameter: str) -> None:
        check_url(url)
        check_parameter(parameter)
        base, hash_sign, fragment = url.partition("#")
        joint = "?" if "?" not in base else "" if base.endswith(("?", "&")) else "&"
        self._plain = url.encode("ascii")
        self._with_id = f"{base}{joint}{parameter}=".encode("ascii")
        self._fragment = f"{hash_sign}{fragment}".encode("ascii")

    @property
    def plain(self) -> bytes:
        """The destination for a visit that is no click."""
        return self._plain

    def for_click(self, click_id: str, sub_ids: dict[str, str] | None = None) -> bytes:
        """Return the Location of a click.

        Args:
            click_id: URL-safe.
            sub_ids: Further parameters, by their names at the destination.
        """
        location = self._with_id + click_id.encode("ascii")
        if sub_ids:
            location += "".join(f"&{name}={quote(value, safe='')}" for name, value in sub_ids.items()).encode("ascii")
        return location + self._fragment
