"""Read a file that a person may have put there: bounded, and only if it is a file."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

MAX_FILE_BYTES = 1024 * 1024
"""The largest file that is read or written."""


class NotRegular(OSError):
    """What stands there is a directory, pipe or device."""


class TooLarge(OSError):
    """The file has more than `MAX_FILE_BYTES`."""


def read_regular(file: Path, inspect: Callable[[int, os.stat_result], None] | None = None) -> bytes | None:
    """Return a file's content, None where there is none.

    Args:
        file: Which one; a symbolic link is followed.
        inspect: Called with the open file's descriptor and status before anything is read.

    Raises:
        NotRegular: It is no file.
        TooLarge: It is too large.
        OSError: It cannot be read.
    """
    try:
        # Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotRegular(f"{file} is a directory, pipe or device")
        if inspect is not None:
            inspect(descriptor, status)
        with open(descriptor, "rb", closefd=False) as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > MAX_FILE_BYTES:
        raise TooLarge(f"{file} has more than {MAX_FILE_BYTES} bytes")
    return data
