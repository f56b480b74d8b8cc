"""A file of events, one a line, only ever appended to: what the journals of keys and of deliveries have in common.

These functions block and belong in a thread. What was reported as written is on the disk. A crash can cut the last
line short: nobody was told of it, and it is taken off when the file is read.
"""

from __future__ import annotations

import os
from pathlib import Path

from config.saving import sync_directory


class TooLarge(Exception):
    """The file has, or would have, more bytes than its owner takes."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(f"more than {most_bytes} bytes")


def read_lines(path: Path, most_bytes: int) -> list[bytes]:
    """Return the whole lines of a file, oldest first; none where there is no file. Takes off a torn last line.

    Raises:
        TooLarge: The file is larger than `most_bytes`.
        OSError: It cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return []
    with os.fdopen(descriptor, "r+b") as file:
        content = file.read(most_bytes + 1)
        if len(content) > most_bytes:
            raise TooLarge(most_bytes)
        whole = content.rfind(b"\n") + 1
        if whole != len(content):
            file.truncate(whole)
            os.fsync(file.fileno())
    return content[:whole].splitlines()


def append_lines(path: Path, lines: bytes, most_bytes: int | None = None) -> int:
    """Write lines behind the others, all of them or none, and return the file's size; they are on the disk then.

    Args:
        path: The file; made 0600 where it is missing.
        lines: Whole lines, each with its end.
        most_bytes: How large the file may become.

    Raises:
        OSError: They could not be stored, and nothing of them is left in the file.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, mode=0o600)
    try:
        size = os.fstat(descriptor).st_size
        if most_bytes is not None and size + len(lines) > most_bytes:
            raise OSError(0, f"it would be larger than {most_bytes} bytes")
        try:
            written = os.write(descriptor, lines)
            if written != len(lines):
                raise OSError(0, f"only {written} of {len(lines)} bytes were taken (is the disk full?)")
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
    if size == 0:
        sync_directory(path.parent)
    return size + len(lines)
