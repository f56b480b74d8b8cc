"""Log files of bounded size: `name` is appended to, and older lines stand in `name.1`, `name.2` and so on."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def rotated(path: Path, number: int) -> Path:
    """Return where the contents of the file went that many rotations ago; 0 is the file itself."""
    return path.with_name(f"{path.name}.{number}") if number else path


class RotatingFile:
    """Appends whole lines; rotates before a write would make the file larger than `max_bytes`.

    It belongs to one thread. Symbolic links and anything but regular files are refused: instances write
    to the folders that their logs stand in.
    """

    def __init__(self, path: Path, *, max_bytes: int, keep: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._fd = -1
        self._size_bytes = 0
        self._identity = (0, 0)
        self._torn = False

    def append(self, data: bytes) -> None:
        """Append all of it or nothing.

        Raises:
            OSError: It could not be written; the file is as it was. It may work another time.
        """
        self._open_if_moved()
        if self._size_bytes and self._size_bytes + len(data) > self._max_bytes:
            self._rotate()
            self._open()
        if self._torn:
            data = b"\n" + data
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError:
            # A disk that fills up takes part of a line; take that back.
            if written:
                os.ftruncate(self._fd, self._size_bytes)
            raise
        self._torn = False
        self._size_bytes += written

    def close(self) -> None:
        """Close the file; a later append opens it again."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def _open_if_moved(self) -> None:
        # Someone else may rotate, too, or remove the file: what is written then must not go nowhere.
        if self._fd >= 0:
            try:
                now = self._path.lstat()
            except FileNotFoundError:
                self.close()
            else:
                if (now.st_dev, now.st_ino) != self._identity:
                    self.close()
                else:
                    self._size_bytes = now.st_size
        if self._fd < 0:
            self._open()

    def _open(self) -> None:
        fd = os.open(self._path, _FLAGS, 0o600)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(f"{self._path} is not a regular file")
            # A power cut leaves half a line; the next one must not be joined to it.
            self._torn = status.st_size > 0 and os.pread(fd, 1, status.st_size - 1) != b"\n"
        except OSError:
            os.close(fd)
            raise
        self._fd = fd
        self._size_bytes = status.st_size
        self._identity = (status.st_dev, status.st_ino)

    def _rotate(self) -> None:
        self.close()
        if self._keep == 0:
            self._path.unlink()
            return
        for number in range(self._keep - 1, 0, -1):
            if rotated(self._path, number).exists():
                rotated(self._path, number).replace(rotated(self._path, number + 1))
        self._path.replace(rotated(self._path, 1))
