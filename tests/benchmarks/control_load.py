"""A client that sends a line again and again.

`python -m tests.benchmarks.control_load <socket> <line> <n> <window>` keeps `window` requests in flight and
prints how many of the `n` were answered in a second.
"""

from __future__ import annotations

import socket
import sys
import time


def main(path: str, line: bytes, count: int, window: int) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        burst = line * window
        started_s = time.perf_counter()
        for _ in range(count // window):
            server.sendall(burst)
            missing = window
            while missing:
                missing -= server.recv(1 << 18).count(b"\n")
        print(count // window * window / (time.perf_counter() - started_s))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2].encode() + b"\n", int(sys.argv[3]), int(sys.argv[4]))
