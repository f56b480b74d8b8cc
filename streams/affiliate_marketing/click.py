"""A click, and the frame in which a journal keeps it.

A frame is its payload's length and CRC-32, little-endian, and the payload in MessagePack. What a crash cut short does
not match its checksum and ends the journal there: nobody was told of it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final
from zlib import crc32

import msgspec

MAX_PAYLOAD_BYTES: Final = 4096

_HEAD: Final = struct.Struct("<HI")
HEAD_BYTES: Final = _HEAD.size


class Click(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Somebody followed a link.

    Attributes:
        at_us: When, microseconds since 1970.
        code: The link's code.
        offer: The offer that it led to.
        policy: The version of the offer's attribution policy then.
        window_s: How long after it an order counted as its own then.
        visitor: The visitor's pseudonym.
        sub_ids: What the publisher said about it, by the parameter's name at the destination.
    """

    at_us: int
    code: str
    offer: str
    policy: int
    window_s: int
    visitor: bytes
    sub_ids: dict[str, str] = {}


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Click).decode


def frame_of(click: Click) -> bytes:
    """Return a click as a journal keeps it."""
    payload = _encode(click)
    return _HEAD.pack(len(payload), crc32(payload)) + payload


def payload_bytes(head: bytes) -> int:
    """Return how many bytes follow a frame's head; 0 where it is none."""
    if len(head) != HEAD_BYTES:
        return 0
    length: int = _HEAD.unpack(head)[0]
    return length if length <= MAX_PAYLOAD_BYTES else 0


def click_of(frame: bytes) -> Click | None:
    """Return the click in a frame; None where it is damaged."""
    length = payload_bytes(frame[:HEAD_BYTES])
    payload = frame[HEAD_BYTES:]
    if not length or len(payload) != length or crc32(payload) != _HEAD.unpack(frame[:HEAD_BYTES])[1]:
        return None
    try:
        return _decode(payload)
    except msgspec.MsgspecError:
        return None


def clicks_in(content: bytes) -> Iterator[tuple[int, int, Click]]:
    """Yield the clicks of a journal's content with where each begins and ends, up to the first damaged frame."""
    start = 0
    while True:
        end = start + HEAD_BYTES + payload_bytes(content[start : start + HEAD_BYTES])
        click = click_of(content[start:end])
        if click is None:
            return
        yield start, end, click
        start = end
