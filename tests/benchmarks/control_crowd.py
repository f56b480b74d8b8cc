"""A crowd of bad peers for a control socket: malformed, truncated, oversized, slow, and gone at once.

A program, so that it has a process of its own: `python -m tests.benchmarks.control_crowd <socket> <count> <held>`.
It keeps the slow ones connected, `held` of them at a time, and prints how many connections it made.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections import deque
from collections.abc import Callable
from itertools import cycle

_OVERSIZED = b"x" * (1 << 20) + b"x"


def malformed(peer: socket.socket) -> None:
    peer.sendall(b'{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]\n')
    peer.recv(4096)


def truncated(peer: socket.socket) -> None:
    peer.sendall(b'{"jsonrpc":"2.0","id":1,"meth')


def oversized(peer: socket.socket) -> None:
    peer.sendall(_OVERSIZED)
    peer.sendall(b"x")
    peer.recv(4096)


def many_values(peer: socket.socket) -> None:
    peer.sendall(b"[" + b"[]," * 45_000 + b"[]]\n")
    peer.recv(1 << 16)


def gone(peer: socket.socket) -> None:
    """Connect and leave."""


def slow(peer: socket.socket) -> None:
    peer.sendall(b"{")


def unread(peer: socket.socket) -> None:
    peer.sendall(b'{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}\n' * 50)


KINDS: tuple[Callable[[socket.socket], None], ...] = (
    malformed,
    truncated,
    oversized,
    gone,
    slow,
    many_values,
    unread,
)
HELD = (slow, unread)


def main(path: str, count: int, held: int) -> None:
    kept: deque[socket.socket] = deque()
    made = 0
    for kind in cycle(KINDS):
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(10)
        with contextlib.suppress(ConnectionError, TimeoutError):
            peer.connect(path)
            made += 1
            kind(peer)
        if kind in HELD:
            kept.append(peer)
            if len(kept) > held:
                kept.popleft().close()
        else:
            peer.close()
        if made >= count:
            break
    print(made)
    for peer in kept:
        peer.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
