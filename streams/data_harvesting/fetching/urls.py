"""URLs: made absolute, and made canonical so that one page is known by one name.

The canonical form is an identity. What is fetched, and what customers are shown as the source, is the original.
"""

from __future__ import annotations

import functools
import re
from typing import Final
from urllib.parse import urljoin, urlsplit, urlunsplit

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

MAX_URL_LENGTH: Final = 16 * 1024
"""Longest URL that anything here looks at, characters; policies set less."""

_TRACKING: Final = frozenset(
    (
        *("fbclid", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "msclkid", "yclid", "ymclid", "twclid", "ttclid"),
        *("igshid", "igsh", "li_fat_id", "epik", "srsltid", "mc_cid", "mc_eid", "mkt_tok", "oly_anon_id", "oly_enc_id"),
        *(
            "vero_id",
            "vero_conv",
            "wickedid",
            "rb_clickid",
            "s_cid",
            "ml_subscriber",
            "ml_subscriber_hash",
            "_openstat",
        ),
        *(
            "_hsenc",
            "_hsmi",
            "__hssc",
            "__hstc",
            "__hsfp",
            "hsctatracking",
            "_ga",
            "_gl",
            "gad_source",
            "gad_campaignid",
        ),
    )
)
_TRACKING_FAMILIES: Final = ("utm_", "pk_", "mtm_", "matomo_", "piwik_", "at_campaign", "at_medium", "hsa_")

# What is canonical already, which most links of most sites are: nothing to decode, sort or take off.
_PLAIN: Final = re.compile(
    r"(?:http://[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::(?!80/)(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}))?"
    r"|https://[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::(?!443/)(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}))?)"
    r"/(?:(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+/)*(?:(?!\.{1,2}$)[A-Za-z0-9._~-]+)?"
)
# A link from the root of its site, as most are: nothing to resolve in it.
_ROOTED: Final = re.compile(r"(?:/(?!\.)[A-Za-z0-9._~%-]+)+/?(?:\?[A-Za-z0-9._~%&=+-]+)?(?:#.*)?")
_PUNYCODE: Final = "xn--"
_STRIPPED: Final = "".join(map(chr, range(0x21)))


class UrlError(ValueError):
    """Text that is no URL of a page."""


@functools.lru_cache(maxsize=8192)
def canonical_url(url: str) -> str:
    """Return the form that a page's equivalent URLs have in common.

    Scheme and host in lower case and in ASCII, no default port, no fragment, no dot segments, escapes as far as
    needed and in upper case, the query sorted and without parameters that only track where a visitor came from.

    Raises:
        UrlError: It is not an absolute http(s) URL, or it has credentials.
    """
    if _PLAIN.fullmatch(url) and _PUNYCODE not in url:
        return url
    from w3lib.url import canonicalize_url

    if len(url) > MAX_URL_LENGTH:
        raise UrlError(f"longer than {MAX_URL_LENGTH} characters")
    try:
        scheme, netloc, path, query, _ = urlsplit(url.strip(_STRIPPED))
        netloc = _canonical_authority(scheme.lower(), netloc)
        # Twice: what one pass makes of broken escapes can be a proper escape for the next.
        canonical = canonicalize_url(canonicalize_url(urlunsplit((scheme.lower(), netloc, path, query, ""))))
    except UrlError:
        raise
    except ValueError as error:  # UnicodeError is one
        raise UrlError(f"malformed: {error}") from None
    head, mark, query = canonical.partition("?")
    if mark:
        query = "&".join(each for each in query.split("&") if not _is_tracking(each.partition("=")[0]))
    return f"{head}?{query}" if query else head


def absolute_url(base: str, link: str) -> str | None:
    """Return where a link on a page leads, without its fragment; None where that is not an http(s) URL.

    Args:
        base: The page's URL.
        link: The link, as it stands there.
    """
    link = link.strip(_STRIPPED)
    if not link or link[0] == "#" or len(link) > MAX_URL_LENGTH:
        return None
    if _ROOTED.fullmatch(link):
        return _root_of(base) + link.partition("#")[0]
    try:
        url = urljoin(base, link)
    except ValueError:
        return None
    url = url.partition("#")[0]
    if not url.lower().startswith(("http://", "https://")):
        return None
    return url if len(url) <= MAX_URL_LENGTH else None


@functools.lru_cache(maxsize=8192)
def authority_of(url: str) -> str:
    """Return host and port of a URL, `example.com:443`; an IPv6 address in brackets.

    Raises:
        UrlError: It has none.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UrlError(f"malformed: {error}") from None
    if not host or parts.scheme not in DEFAULT_PORTS:
        raise UrlError("not an absolute http(s) URL")
    return (
        f"[{host}]:{port or DEFAULT_PORTS[parts.scheme]}"
        if ":" in host
        else (f"{host}:{port or DEFAULT_PORTS[parts.scheme]}")
    )


@functools.lru_cache(maxsize=64)
def _root_of(url: str) -> str:
    scheme, netloc, *_ = urlsplit(url)
    return f"{scheme}://{netloc}"


def _canonical_authority(scheme: str, netloc: str) -> str:
    from url_normalize.normalize_host import normalize_host
    from url_normalize.normalize_port import normalize_port

    if scheme not in DEFAULT_PORTS:
        raise UrlError("not an absolute http(s) URL")
    if "@" in netloc:
        raise UrlError("has credentials in it")
    if netloc.startswith("["):
        host, bracket, port = netloc.partition("]")
        host += bracket
    else:
        host, _, port = netloc.partition(":")
    port = port.removeprefix(":")
    if port and not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise UrlError(f"{port!r} is no port")
    host = normalize_host(host)
    if not host or any(character <= " " or character in "/\\?#%<>^|`{}\"'" for character in host):
        raise UrlError("has no host")
    port = normalize_port(port, scheme)
    return f"{host}:{port}" if port else host


def _is_tracking(name: str) -> bool:
    name = name.lower()
    return name in _TRACKING or name.startswith(_TRACKING_FAMILIES)
