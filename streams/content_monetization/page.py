"""What a site serves: pages, made once, and filled with sponsors when they are asked for."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import cached_property
from hashlib import sha256
from html import escape
from typing import Final

import msgspec

from streams.content_monetization.ad_desk import Shown
from streams.content_monetization.contract import SLOTS, SlotName

HTML: Final = b"text/html; charset=utf-8"
MARK: Final = "\x00"
"""Stands around a slot's name in what a template makes: no article can hold it."""

_MIN_GZIP_BYTES: Final = 1024


class Page(msgspec.Struct, frozen=True, dict=True):
    """A page, or another file of the site.

    Attributes:
        media_type: What it is.
        parts: Its bytes; between two parts is a slot.
        slots: The slots, in their order.
        etag: Its entity tag, quoted: the same bytes, the same tag.
        modified: Since when it is as it is, UTC, whole seconds.
    """

    media_type: bytes
    parts: tuple[bytes, ...]
    slots: tuple[SlotName, ...]
    etag: bytes
    modified: datetime

    @cached_property
    def modified_http(self) -> bytes:
        """`modified`, as HTTP writes it."""
        return format_datetime(self.modified, usegmt=True).encode("ascii")

    @cached_property
    def gzipped(self) -> bytes | None:
        """The bytes compressed; None where that is not worth it, or where they differ from reader to reader."""
        if self.slots or len(self.parts[0]) < _MIN_GZIP_BYTES:
            return None
        return gzip.compress(self.parts[0], compresslevel=6, mtime=0)

    def filled(self, shown: Mapping[SlotName, Shown]) -> bytes:
        """Return the bytes with sponsors in the slots."""
        if not self.slots:
            return self.parts[0]
        pieces = [self.parts[0]]
        for slot, part in zip(self.slots, self.parts[1:], strict=True):
            if (sponsor := shown.get(slot)) is not None:
                pieces.append(_sponsor(sponsor))
            pieces.append(part)
        return b"".join(pieces)

    def is_known(self, headers: Mapping[bytes, bytes]) -> bool:
        """Return whether a conditional request (RFC 9110, 13) already has this."""
        if (tags := headers.get(b"if-none-match")) is not None:
            known = {tag.strip().removeprefix(b"W/") for tag in tags.split(b",")}
            return self.etag.removeprefix(b"W/") in known or b"*" in known
        if (since := headers.get(b"if-modified-since")) is None:
            return False
        try:
            return self.modified <= parsedate_to_datetime(since.decode("latin-1")).astimezone(UTC)
        except (ValueError, OverflowError):
            return False


def page_of(media_type: bytes, text: str, modified: datetime) -> Page:
    """Return the page that a template's text is; slots are marked in it, see `slot_mark`."""
    pieces = text.split(MARK)
    slots = tuple(slot for name in pieces[1::2] for slot in SLOTS if slot == name)
    parts = tuple(piece.encode("utf-8") for piece in pieces[::2])
    tag = sha256(text.encode("utf-8")).hexdigest()[:32]
    # Filled with sponsors, no two answers are the same bytes.
    etag = f'W/"{tag}"' if slots else f'"{tag}"'
    return Page(media_type, parts, slots, etag.encode("ascii"), modified.replace(microsecond=0))


def slot_mark(slot: SlotName) -> str:
    """Return what marks a slot in a template's text."""
    return f"{MARK}{slot}{MARK}"


def stamps(pages: Mapping[str, Page]) -> dict[str, tuple[str, datetime]]:
    """Return by path the tag of each page, and since when it holds."""
    return {path: (page.etag.decode("ascii"), page.modified) for path, page in pages.items()}


def keep_stamps(
    pages: Sequence[tuple[str, Page]], former: Mapping[str, tuple[str, datetime]], now: datetime
) -> dict[str, Page]:
    """Return pages by path, dated: what has not changed keeps its date, what has is of now.

    Args:
        pages: The pages, dated by their content.
        former: Tags and dates of the pages before, see `stamps`.
        now: The time, aware UTC.
    """
    dated: dict[str, Page] = {}
    for path, page in pages:
        modified = page.modified
        if (stamp := former.get(path)) is not None:
            tag, since = stamp
            modified = since if tag == page.etag.decode("ascii") else now.replace(microsecond=0)
        dated[path] = msgspec.structs.replace(page, modified=modified)
    return dated


def _sponsor(shown: Shown) -> bytes:
    contract = shown.contract
    text = f'<span class="sponsor-text">{escape(contract.text)}</span>' if contract.text else ""
    return (
        f'<aside class="sponsor" data-token="{shown.token}" aria-label="Sponsored">'
        f'<a href="/go/{shown.token}" rel="sponsored nofollow noopener">'
        f"<strong>{escape(contract.headline)}</strong>{text}</a>"
        f"<small>Sponsored by {escape(contract.sponsor)}</small></aside>"
    ).encode()
