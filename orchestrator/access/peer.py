"""Who is at the other end of a Unix socket, by the kernel's word, and who may come in."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Collection
from typing import Final, Protocol

import msgspec

# Linux' name for "the supplementary groups of the peer, as they were when it connected"; not in the socket
# module. The kernel's answer is what the process really holds, costs no lookup that could block, and is the
# same list by which the socket file's mode admitted the peer.
SO_PEERGROUPS: Final = 59
_GROUP: Final = struct.Struct("I")
_CREDENTIALS: Final = struct.Struct("iII")
_LONGEST_OPTION_BYTES: Final = 1024  # what socket.getsockopt takes


class Socket(Protocol):
    """The one method needed of a socket; asyncio's and uvloop's transports both offer it."""

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes:
        """Return a socket option as bytes."""


class Peer(msgspec.Struct, frozen=True):
    """The process that connected, as it was when it did."""

    pid: int
    uid: int
    gid: int

    def __str__(self) -> str:
        return f"pid {self.pid} of uid {self.uid}"


class Admission(msgspec.Struct, frozen=True):
    """Who may speak to the daemon: its owner, root, and the members of a group where one is configured."""

    owner_uid: int
    group_gid: int | None = None

    def allows(self, peer: Peer, groups: Callable[[], Collection[int]]) -> bool:
        """Whether the peer may come in; its supplementary groups are asked for only when they decide."""
        if peer.uid in (0, self.owner_uid):
            return True
        return self.group_gid is not None and (self.group_gid == peer.gid or self.group_gid in groups())


def peer_of(connection: Socket) -> Peer:
    """Return the credentials of the process at the other end.

    Raises:
        OSError: The socket is not a connected Unix socket.
    """
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, gid = _CREDENTIALS.unpack(raw)
    return Peer(pid, uid, gid)


def groups_of(connection: Socket) -> tuple[int, ...]:
    """Return the supplementary groups of the process at the other end; none if there are more than 256.

    Raises:
        OSError: The socket is not a connected Unix socket.
    """
    for size_bytes in (64, _LONGEST_OPTION_BYTES):
        try:
            raw = connection.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, size_bytes)
        except OSError as error:
            if error.errno != errno.ERANGE:
                raise
        else:
            return tuple(group for (group,) in _GROUP.iter_unpack(raw))
    return ()
