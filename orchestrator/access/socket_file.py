"""The socket's file: where it is, whose it is, and that there is one daemon behind it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SOCKET_MODE: Final = 0o660
_LONGEST_ADDRESS_BYTES: Final = 107  # sun_path, without the NUL that ends it


class AnotherDaemonRunning(Exception):
    """A live daemon holds the socket. EX_TEMPFAIL: the same command works once that one has ended."""

    exit_code: Final = 75

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"another daemon is running: {path} is in use. `automate status` shows it; stop it first, "
            "or give this one a home of its own with --home or AUTOMATE_HOME"
        )
        self.path = path


class UnusableSocketPath(Exception):
    """The socket cannot stand where, or belong to whom, it was told to. EX_CONFIG."""

    exit_code: Final = 78


@contextlib.contextmanager
def address_of(path: Path) -> Iterator[str]:
    """Give an address by which a path of any length can be bound or connected to, inside the `with`."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS_BYTES:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


class SocketFile:
    """A bound socket, its file, and the lock that says this process is the daemon behind it.

    Blocking; to be called outside the event loop. The lock is on the directory, so it leaves nothing behind and
    the kernel frees it however the process ends.
    """

    def __init__(self, path: Path, group: str | int | None = None) -> None:
        self.path = path
        self.group = group
        self._lock_fd: int | None = None
        self._identity: tuple[int, int] | None = None

    def group_gid(self) -> int | None:
        """Return the number of the group that may connect, if one is set.

        Raises:
            UnusableSocketPath: There is no such group.
        """
        if self.group is None or isinstance(self.group, int):
            return self.group
        import grp  # here, for the command line imports this module and must start fast

        try:
            return grp.getgrnam(self.group).gr_gid
        except KeyError:
            message = f"no group {self.group!r} on this machine; create it with `groupadd {self.group}` or unset it"
            raise UnusableSocketPath(message) from None

    def claim(self) -> socket.socket:
        """Return a socket bound to the path, not listening yet. A dead daemon's file is replaced.

        Nobody can connect before it listens, so there is no moment at which the file's mode is too wide.

        Raises:
            AnotherDaemonRunning: A live daemon holds it.
            UnusableSocketPath: The group is unknown, or something that is no socket stands at the path.
            OSError: The directory or the file cannot be made.
        """
        gid = self.group_gid()
        self._make_directory(gid)
        self._lock()
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._remove_stale()
            with address_of(self.path) as address:
                bound.bind(address)
            self.path.chmod(SOCKET_MODE)
            if gid is not None:
                os.chown(self.path, -1, gid)
            status = self.path.lstat()
            self._identity = (status.st_dev, status.st_ino)
        except BaseException:
            bound.close()
            self.release()
            raise
        return bound

    def release(self) -> None:
        """Remove the file, if it is still ours, and let another daemon have the place."""
        if self._identity is not None:
            with contextlib.suppress(FileNotFoundError):
                status = self.path.lstat()
                if (status.st_dev, status.st_ino) == self._identity:
                    self.path.unlink()
            self._identity = None
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def _make_directory(self, gid: int | None) -> None:
        directory = self.path.parent
        if directory.is_dir():
            return
        directory.mkdir(mode=0o700, parents=True)
        if gid is not None:
            os.chown(directory, -1, gid)
            directory.chmod(0o710)

    def _lock(self) -> None:
        lock_fd = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock_fd)
            raise AnotherDaemonRunning(self.path) from None
        except BaseException:
            os.close(lock_fd)
            raise
        self._lock_fd = lock_fd

    def _remove_stale(self) -> None:
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(status.st_mode):
            raise UnusableSocketPath(f"{self.path} is in the way and is no socket; move it elsewhere")
        # The lock is ours; but a listener that holds none (a child that outlived its daemon) still counts.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, address_of(self.path) as address:
            probe.settimeout(1.0)
            try:
                probe.connect(address)
            except (ConnectionRefusedError, FileNotFoundError):
                self.path.unlink(missing_ok=True)
                return
            except (BlockingIOError, TimeoutError):
                pass  # it listens, and its queue is full
        raise AnotherDaemonRunning(self.path)
