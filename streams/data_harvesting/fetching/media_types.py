"""What an answer is: what its header says, corrected where headers of that kind are known to mean little."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

_SNIFFED_BYTES: Final = 512
_VAGUE: Final = frozenset(
    ("", "text/plain", "application/octet-stream", "binary/octet-stream", "unknown/unknown", "*/*")
)
_MEDIA_TYPE: Final = re.compile(r"\s*([a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+)\s*(?:;|$)", re.IGNORECASE | re.ASCII)
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([a-z0-9_.:-]{1,40})", re.IGNORECASE | re.ASCII)
_MAGIC: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\x1f\x8b", "application/gzip"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x89PNG\r\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)
_HTML: Final = re.compile(rb"<(?:!doctype html|html|head|body|title|meta|script|!--)", re.IGNORECASE)
_FEED: Final = re.compile(rb"<(?:rss|rdf:RDF|(?:\w{1,20}:)?feed|channel)[\s>]", re.IGNORECASE)


def content_type(header: str) -> tuple[str, str]:
    """Return media type and charset of a Content-Type header, lower case; empty where it does not say."""
    header = header[:500]
    kind, charset = _MEDIA_TYPE.match(header), _CHARSET.search(header)
    return kind[1].lower() if kind else "", charset[1].lower() if charset else ""


def is_vague(media_type: str) -> bool:
    """Return whether a media type says so little that the body must say the rest."""
    return media_type in _VAGUE


def sniffed(media_type: str, body: bytes) -> str:
    """Return the media type of a body, by its first 512 bytes where the header's is vague."""
    if media_type not in _VAGUE:
        return media_type
    head = body[:_SNIFFED_BYTES]
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:2] in (b"\xfe\xff", b"\xff\xfe"):
        head = head.replace(b"\0", b"")[2:]
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if b"\0" in text:
        return "application/octet-stream"
    if text.startswith(b"<?xml") or _FEED.search(text):
        return "application/xhtml+xml" if b"<html" in text.lower() else "application/xml"
    if _HTML.match(text):
        return "text/html"
    if text[:1] in (b"{", b"["):
        return "application/json"
    return media_type or ("text/plain" if text else "")


def is_accepted(media_type: str, accept: Collection[str]) -> bool:
    """Return whether a media type is among those asked for; `text/*` stands for all of its kind, () for all."""
    return not accept or media_type in accept or f"{media_type.partition('/')[0]}/*" in accept
