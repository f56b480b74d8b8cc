"""Takes a body apart as it arrives, and stops where it has grown past its limit: bombs never unfold."""

from __future__ import annotations

import zlib
from typing import Final

ACCEPT_ENCODING: Final = "gzip, deflate"
"""What may be asked for: what is decoded here in bounded steps."""

_STEP_BYTES: Final = 256 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS


class BodyTooLarge(Exception):
    """A body that is larger than what is taken, decompressed."""


class BrokenEncoding(Exception):
    """A body that is not encoded in the way that it says, or in one that was not asked for."""


class BodyDecoder:
    """Decodes one body.

    Args:
        encoding: Its Content-Encoding.
        limit_bytes: The most that is taken, decompressed.
        cut: Whether a larger body is cut off at the limit instead of refused.

    Attributes:
        full: Whether the limit is reached and the rest can be left unread; only with `cut`.

    Raises:
        BrokenEncoding: The encoding is none of `ACCEPT_ENCODING`.
    """

    def __init__(self, encoding: str, limit_bytes: int, *, cut: bool = False) -> None:
        encoding = encoding.strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise BrokenEncoding(f"Content-Encoding {encoding[:40]!r} was not asked for")
        self._encoding = encoding.removeprefix("x-").replace("identity", "")
        self._limit_bytes = limit_bytes
        self._cut = cut
        self._parts: list[bytes] = []
        self._size_bytes = 0
        self._tail = b""
        self._waiting = b""
        self._inflate = (
            None if not self._encoding else zlib.decompressobj(_GZIP if self._encoding == "gzip" else zlib.MAX_WBITS)
        )
        self._begun = False
        self.full = False

    @property
    def pending(self) -> bool:
        """Whether `step` has more to do before the next `feed`."""
        return bool(self._tail) and not self.full

    def feed(self, chunk: bytes) -> None:
        """Take what has arrived, and decode a first part of it.

        Raises:
            BodyTooLarge: It is too large.
            BrokenEncoding: It is not what it says.
        """
        if self._inflate is None:
            self._take(chunk)
        else:
            self._tail += self._waiting + chunk
            self._waiting = b""
            self.step()

    def step(self) -> None:
        """Decode up to 256 KiB more; a millisecond or so. Raises as `feed` does."""
        assert self._inflate is not None
        tail, self._tail = self._tail, b""
        if not tail or self.full:
            return
        if self._encoding == "deflate" and not self._begun and len(tail) < 2:
            self._waiting = tail  # which of two formats it is, two bytes say
            return
        try:
            part = self._inflated(tail)
        except zlib.error as error:
            raise BrokenEncoding(f"is not {self._encoding}: {error}") from None
        self._take(part)
        inflate = self._inflate
        if inflate.eof:
            # Gzip may come in several members; what follows the last one is padding.
            rest = inflate.unused_data.lstrip(b"\0")
            if rest and self._encoding == "gzip":
                self._inflate, self._tail = zlib.decompressobj(_GZIP), rest
        else:
            self._tail = inflate.unconsumed_tail

    def finish(self) -> bytes:
        """Return the body.

        Raises:
            BodyTooLarge: It is too large.
            BrokenEncoding: It ended before it was whole.
        """
        if self._inflate is not None and self._begun and not self._inflate.eof and not self.full:
            self._take(self._inflate.decompress(b"", _STEP_BYTES))  # what is left of the last match
        if self._waiting or (self._inflate is not None and self._begun and not self._inflate.eof and not self.full):
            raise BrokenEncoding(f"the {self._encoding} data end too early")
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def _inflated(self, data: bytes) -> bytes:
        assert self._inflate is not None
        if self._encoding == "deflate" and not self._begun:
            self._begun = True
            try:
                return self._inflate.decompress(data, _STEP_BYTES)
            except zlib.error:
                # Many servers send raw deflate under this name.
                self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._begun = True
        return self._inflate.decompress(data, _STEP_BYTES)

    def _take(self, part: bytes) -> None:
        room_bytes = self._limit_bytes - self._size_bytes
        if len(part) > room_bytes:
            if not self._cut:
                raise BodyTooLarge(f"the body is larger than {self._limit_bytes} bytes")
            part = part[:room_bytes]
            self.full = True
        if part:
            self._parts.append(part)
            self._size_bytes += len(part)
