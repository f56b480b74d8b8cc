"""Files that pages refer to: held once they were asked for, and kept by browsers for as long as they stay the same."""

from __future__ import annotations

import asyncio
import mimetypes
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from orchestrator.access.gateway.problems import refusal
from streams.http_answer import HttpAnswer

STATIC_PREFIX: Final = "/static"
FOLDER: Final = Path(__file__).parent / "static"

_FOREVER: Final = b"private, max-age=31536000, immutable"
_ASK_AGAIN: Final = b"private, no-cache"
_TAG_CHARS: Final = 16


class StaticFile(msgspec.Struct, frozen=True):
    """A file as it is served.

    Attributes:
        content: Its bytes.
        media_type: What it is.
        tag: Says which content it is.
    """

    content: bytes
    media_type: bytes
    tag: str


class StaticFiles:
    """The files below a folder, none of them hidden.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._tags: dict[str, str] = {}
        self._held: dict[str, StaticFile] = {}

    def scan(self) -> None:
        """Find out which files there are, and with which content. Reads them all; for a thread."""
        files = [file for file in self._folder.rglob("*") if file.is_file() and not file.name.startswith(".")]
        self._tags = {file.relative_to(self._folder).as_posix(): _tag_of(file.read_bytes()) for file in files}

    def address(self, name: str) -> str:
        """Return the address of a file for use in pages; raises `KeyError` where there was none at the scan."""
        return f"{STATIC_PREFIX}/{name}?v={self._tags[name]}"

    async def answer(self, name: str, version: bytes, none_match: bytes) -> HttpAnswer:
        """Return the answer to a request of a file.

        Args:
            name: Its name, without a slash before it.
            version: The query string.
            none_match: The `If-None-Match` header.
        """
        if name not in self._tags:
            return refusal(404, "http_404", "there is no such file")
        file = self._held.get(name)
        if file is None:
            file = self._held[name] = await asyncio.to_thread(self._read, name)
        tag = f'"{file.tag}"'.encode()
        lasting = _FOREVER if version == f"v={file.tag}".encode() else _ASK_AGAIN
        if tag in [each.strip().removeprefix(b"W/") for each in none_match.split(b",")]:
            return _kept(304, file.media_type, b"", tag, lasting)
        return _kept(200, file.media_type, file.content, tag, lasting)

    def _read(self, name: str) -> StaticFile:
        content = (self._folder / name).read_bytes()
        guessed, _ = mimetypes.guess_type(name)
        media_type = guessed or "application/octet-stream"
        if media_type.startswith("text/"):
            media_type += "; charset=utf-8"
        return StaticFile(content, media_type.encode(), _tag_of(content))


def _tag_of(content: bytes) -> str:
    return sha256(content).hexdigest()[:_TAG_CHARS]


def _kept(status: int, media_type: bytes, body: bytes, tag: bytes, lasting: bytes) -> HttpAnswer:
    answer = HttpAnswer(status, media_type, body)
    dropped = (b"cache-control", b"content-length") if status == 304 else (b"cache-control",)
    answer.headers = [header for header in answer.headers if header[0] not in dropped]
    answer.headers += [(b"etag", tag), (b"cache-control", lasting)]
    return answer
